// What PostgreSQL's errors mean to a transfer.
// Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html. Worker threads.
#include "db_internal.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

struct sqlstate_meaning {
    const char *prefix; // a whole SQLSTATE, or its class
    enum db_status status;
};

static const struct sqlstate_meaning meanings[] = {
    {"40001", DB_CONFLICT},         // serialization_failure
    {"40P01", DB_CONFLICT},         // deadlock_detected
    {"55P03", DB_TIMED_OUT},        // lock_not_available: lock_timeout
    {"57014", DB_TIMED_OUT},        // query_canceled: statement_timeout
    {"22003", DB_OUT_OF_RANGE},     // numeric_value_out_of_range
    {"22012", DB_CONDITION_FAILED}, // division_by_zero
    {"23502", DB_CONDITION_FAILED}, // not_null_violation
    {"08", DB_AWAY},                // connection_exception
    {"57P", DB_AWAY},               // admin_shutdown, crash_shutdown, cannot_connect_now
    {"53300", DB_AWAY},             // too_many_connections
};

static enum db_status status_of(const char *sqlstate) {
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) == 0) {
            return meanings[i].status;
        }
    }
    return DB_FAILED;
}

static void session_remember(struct db_session *session, const char *sqlstate) {
    (void)snprintf(session->sqlstate, SQLSTATE_LENGTH, "%.5s", sqlstate);
}

enum db_status db_classify(struct db_session *session, const PGresult *result, const char *statement_name) {
    if (result == NULL) {
        session_remember(session, "08006"); // connection_failure: libpq has no result to take one from
        log_write(LOG_LEVEL_WARN, NULL, "Database connection lost during %s", statement_name);
        return DB_AWAY;
    }
    if (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK) {
        session_remember(session, "");
        return DB_OK;
    }
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    session_remember(session, sqlstate == NULL ? "08006" : sqlstate);
    enum db_status status = status_of(session->sqlstate);
    if (status != DB_CONFLICT && status != DB_CONDITION_FAILED) {
        log_write(status == DB_AWAY || status == DB_TIMED_OUT ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, NULL,
                  "Database says %s to %s: %s", session->sqlstate, statement_name,
                  words == NULL ? "connection lost" : words);
    }
    return status;
}
