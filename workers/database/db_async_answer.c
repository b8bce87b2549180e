// The contents of a db_async connection's answers. A struct db_async_answer is a PGresult under another name, so that
// only this folder knows libpq.
#include "workers/database/db_async.h"

#include <libpq-fe.h>

static const PGresult *result_of(const struct db_async_answer *answer) {
    return (const PGresult *)(const void *)answer;
}

static const char *field(const struct db_async_answer *answer, int code, const char *otherwise) {
    const char *value = PQresultErrorField(result_of(answer), code);
    return value == NULL ? otherwise : value;
}

bool db_async_has_rows(const struct db_async_answer *answer) {
    return PQresultStatus(result_of(answer)) == PGRES_TUPLES_OK;
}

const char *db_async_sqlstate(const struct db_async_answer *answer) {
    // An error without a SQLSTATE is libpq's own: the connection is lost (connection_failure).
    bool failed = PQresultStatus(result_of(answer)) == PGRES_FATAL_ERROR;
    return field(answer, PG_DIAG_SQLSTATE, failed ? "08006" : "");
}

const char *db_async_severity(const struct db_async_answer *answer) {
    return field(answer, PG_DIAG_SEVERITY, "FATAL");
}

const char *db_async_message(const struct db_async_answer *answer) {
    return field(answer, PG_DIAG_MESSAGE_PRIMARY, "the connection to the server was lost");
}

const char *db_async_error_text(const struct db_async_answer *answer) {
    return PQresultErrorMessage(result_of(answer));
}

bool db_async_is_from_server(const struct db_async_answer *answer) {
    return PQresultErrorField(result_of(answer), PG_DIAG_SEVERITY) != NULL;
}

const char *db_async_tag(const struct db_async_answer *answer) {
    return PQcmdStatus((PGresult *)(uintptr_t)result_of(answer)); // libpq's parameter is not const; it does not write
}

const char *db_async_row_count(const struct db_async_answer *answer) {
    return PQcmdTuples((PGresult *)(uintptr_t)result_of(answer)); // likewise
}

int db_async_rows(const struct db_async_answer *answer) {
    return PQntuples(result_of(answer));
}

int db_async_columns(const struct db_async_answer *answer) {
    return PQnfields(result_of(answer));
}

const char *db_async_column_name(const struct db_async_answer *answer, int column) {
    return PQfname(result_of(answer), column);
}

unsigned db_async_column_table(const struct db_async_answer *answer, int column) {
    return PQftable(result_of(answer), column);
}

int db_async_column_number(const struct db_async_answer *answer, int column) {
    return PQftablecol(result_of(answer), column);
}

const char *db_async_value(const struct db_async_answer *answer, int row, int column) {
    return PQgetisnull(result_of(answer), row, column) ? NULL : PQgetvalue(result_of(answer), row, column);
}
