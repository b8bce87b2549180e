// Executes statements and scripts for a job, in a transaction or outside. Worker threads.
//
// db_execute() > db_execute_all() > run_in_its_place() > db_run_calls() (db_round_trip.c), behind a pooler
// db_pooled_run() (db_pooled.c). When a prepared statement is stale: session_renew(), and all of them once more.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

// True if the server has ended the idle session. The check comes before a statement is sent: afterwards it would be
// unknown whether a COMMIT took effect. Other messages of the server (settings, notices) are read and do not count.
static bool session_has_ended(struct db_session *session) {
    struct pollfd watched = {.fd = PQsocket(session->connection), .events = POLLIN};
    while (poll(&watched, 1, 0) != 0) {
        if (PQconsumeInput(session->connection) == 0) {
            return true;
        }
    }
    return false;
}

// Forgets all prepared statements, because the tables changed or the statements were deallocated. The next use prepares
// them again. False: a command failed.
static bool session_renew(struct db_session *session) {
    static const char *const commands[] = {"ROLLBACK", "DEALLOCATE ALL"};
    memset(session->prepared, 0, sizeof session->prepared);
    if (session->pooled.is_on) {
        db_pooled_forget_names(session);
        return session->connection != NULL;
    }
    bool in_transaction = PQtransactionStatus(session->connection) != PQTRANS_IDLE;
    for (size_t i = in_transaction ? 0 : 1; i < 2; i++) {
        PGresult *result = PQsendQuery(session->connection, commands[i]) == 1
                               ? db_collect(session, db_deadline(session))
                               : NULL;
        bool done = db_classify(session, result, commands[i]) == DB_OK;
        PQclear(result);
        if (!done) {
            return false;
        }
    }
    return true;
}

static void free_rows(struct db_call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        db_rows_free(&calls[i].rows);
    }
}

static enum db_status run_in_its_place(struct db_session *session, struct db_call *calls, size_t count,
                                       bool in_transaction) {
    bool is_begun = session->pooled.is_pinned && calls[0].statement == STATEMENT_BEGIN;
    session->pooled.is_pinned = false;
    if (session->pooled.is_on && !in_transaction) {
        return db_pooled_run(session, calls, count);
    }
    if (is_begun && in_transaction) {
        return count == 1 ? DB_OK : db_run_calls(session, calls + 1, count - 1);
    }
    return db_run_calls(session, calls, count);
}

enum db_status db_execute_all(struct db_session *session, struct db_call *calls, size_t count) {
    CHECK(count >= 1 && count <= DB_CALLS_MAX);
    for (size_t i = 0; i < count; i++) {
        calls[i].rows.result = NULL;
    }
    if (session->connection == NULL) {
        memcpy(session->sqlstate, "08003", SQLSTATE_LENGTH);
        return DB_NOT_SENT;
    }
    if (db_session_is_left_behind(session)) {
        log_write(LOG_LEVEL_WARN, NULL, "Database session given up between two statements: its host leads no more");
        memcpy(session->sqlstate, "08006", SQLSTATE_LENGTH);
        db_session_close(session);
        return DB_NOT_SENT;
    }
    if (session_has_ended(session)) {
        log_write(LOG_LEVEL_WARN, NULL, "Database ended a session between two statements");
        memcpy(session->sqlstate, "08006", SQLSTATE_LENGTH);
        db_session_close(session);
        return DB_NOT_SENT;
    }
    bool in_transaction = PQtransactionStatus(session->connection) != PQTRANS_IDLE;
    enum db_status status = run_in_its_place(session, calls, count, in_transaction);
    // PostgreSQL has undone all of the statements, so they can run again, unless they are part of an older transaction.
    if (status == DB_STALE && !in_transaction) {
        free_rows(calls, count);
        status = session_renew(session) ? run_in_its_place(session, calls, count, false) : DB_NOT_SENT;
    }
    if (status != DB_OK) {
        free_rows(calls, count);
    }
    if (db_status_wants_new_session(status)) {
        db_session_close(session);
    }
    return status;
}

enum db_status db_execute(struct db_session *session, enum statement statement, const char *const *values,
                          int value_count, struct db_rows *rows) {
    struct db_call call = {
        .statement = statement, .values = values, .value_count = value_count, .keep_rows = rows != NULL};
    enum db_status status = db_execute_all(session, &call, 1);
    if (rows != NULL) {
        *rows = call.rows;
    }
    return status;
}

void db_roll_back(struct db_session *session) {
    if (db_execute(session, STATEMENT_ROLLBACK, NULL, 0, NULL) != DB_OK) {
        db_session_close(session);
    }
}

static enum db_status run_script(struct db_session *session, const char *script) {
    uint64_t deadline_ns = db_deadline(session);
    PGresult *result = PQsendQuery(session->connection, script) == 1 ? db_collect(session, deadline_ns) : NULL;
    enum db_status status = db_classify(session, result, "script");
    PQclear(result);
    return status;
}

enum db_status db_execute_script(struct db_session *session, const char *script) {
    if (session->connection == NULL) {
        return DB_NOT_SENT;
    }
    bool is_pooled = session->pooled.is_on && PQtransactionStatus(session->connection) == PQTRANS_IDLE;
    enum db_status status = is_pooled ? db_pooled_script(session, script) : run_script(session, script);
    if (session->connection == NULL) {
        status = DB_CONNECTION_LOST;
    }
    if (status == DB_STALE) { // a script is not prepared
        status = DB_FAILED;
    }
    if (db_status_wants_new_session(status)) {
        db_session_close(session);
    }
    return status;
}

int db_rows_count(const struct db_rows *rows) {
    return rows->result == NULL ? 0 : PQntuples(rows->result);
}

const char *db_rows_value(const struct db_rows *rows, int row, int column) {
    return PQgetvalue(rows->result, row, column);
}

int64_t db_rows_integer(const struct db_rows *rows, int row, int column) {
    return strtoll(PQgetvalue(rows->result, row, column), NULL, 10);
}

bool db_rows_is_null(const struct db_rows *rows, int row, int column) {
    return PQgetisnull(rows->result, row, column) == 1;
}

void db_rows_free(struct db_rows *rows) {
    PQclear(rows->result);
    rows->result = NULL;
}
