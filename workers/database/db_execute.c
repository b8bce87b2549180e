// Sends statements and collects their answers, one or several in a round trip. Worker threads.
// Pipelines: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html.
//
// db_execute() > db_execute_all() > session_run() > session_prepare_all(), session_send_all(), session_collect_all().
// session_collect_all() > collect_call() for each statement > db_collect(), and session_end_pipeline() at the end.
// When a prepared statement is stale, db_execute_all() > session_renew(), and session_run() once more.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

static bool session_flush(struct db_session *session, uint64_t deadline_ns) {
    int pending;
    while ((pending = PQflush(session->connection)) > 0) {
        if (!db_wait(session, POLLIN | POLLOUT, deadline_ns) || PQconsumeInput(session->connection) == 0) {
            return false;
        }
    }
    return pending == 0;
}

static bool session_await_result(struct db_session *session, uint64_t deadline_ns) {
    while (PQisBusy(session->connection)) {
        if (!db_wait(session, POLLIN, deadline_ns) || PQconsumeInput(session->connection) == 0) {
            return false;
        }
    }
    return true;
}

PGresult *db_collect(struct db_session *session, uint64_t deadline_ns) {
    PGresult *last = NULL;
    bool alive = session_flush(session, deadline_ns);
    while (alive) {
        alive = session_await_result(session, deadline_ns);
        PGresult *next = alive ? PQgetResult(session->connection) : NULL;
        if (next == NULL) {
            break;
        }
        // Keep the first error. The later errors of a script only follow from it.
        if (last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(next);
        } else {
            PQclear(last);
            last = next;
        }
    }
    if (!alive || PQstatus(session->connection) != CONNECTION_OK) {
        if (last == NULL || PQresultStatus(last) != PGRES_FATAL_ERROR) {
            PQclear(last);
            last = NULL;
        }
        db_session_close(session);
    }
    return last;
}

static void log_run(struct db_session *session, enum statement statement, uint64_t started_ns) {
    struct statement_trace *trace = session->trace;
    if (trace == NULL) {
        return;
    }
    if (trace->count == JOB_STATEMENTS_MAX) {
        trace->dropped++;
        return;
    }
    struct statement_run *run = &trace->runs[trace->count++];
    run->statement = statement;
    run->started_ns = started_ns;
    run->ended_ns = clock_monotonic_ns();
    memcpy(run->sqlstate, session->sqlstate, sizeof run->sqlstate);
}

static enum db_status session_prepare(struct db_session *session, enum statement statement) {
    if (session->prepared[statement]) {
        return DB_OK;
    }
    const struct statement_text *text = &statement_texts[statement];
    PGresult *result = PQsendPrepare(session->connection, text->name, text->sql, 0, NULL) == 1
                           ? db_collect(session, db_deadline(session))
                           : NULL;
    enum db_status status = db_classify(session, result, text->name);
    PQclear(result);
    session->prepared[statement] = status == DB_OK;
    return status;
}

static enum db_status session_prepare_all(struct db_session *session, const struct db_call *calls, size_t count) {
    enum db_status status = DB_OK;
    for (size_t i = 0; i < count && status == DB_OK; i++) {
        status = session_prepare(session, calls[i].statement);
    }
    return status;
}

// False: the connection broke.
static bool session_send_all(struct db_session *session, const struct db_call *calls, size_t count) {
    bool pipeline = count > 1;
    bool sent = !pipeline || PQenterPipelineMode(session->connection) == 1;
    for (size_t i = 0; i < count && sent; i++) {
        const char *name = statement_texts[calls[i].statement].name;
        sent = PQsendQueryPrepared(session->connection, name, calls[i].value_count, calls[i].values, NULL, NULL, 0) ==
               1;
    }
    return sent && (!pipeline || PQpipelineSync(session->connection) == 1);
}

static enum db_status collect_call(struct db_session *session, struct db_call *call, uint64_t deadline_ns) {
    const char *name = statement_texts[call->statement].name;
    PGresult *result = db_collect(session, deadline_ns);
    enum db_status status = db_classify(session, result, name);
    // COMMIT of a failed transaction succeeds with the tag ROLLBACK.
    if (status == DB_OK && call->statement == STATEMENT_COMMIT && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        status = DB_ROLLED_BACK;
    }
    if (status == DB_OK && call->keep_rows) {
        call->rows.result = result;
    } else {
        PQclear(result);
    }
    return status;
}

// The result of the pipeline's end. Statements outside a transaction are committed there, so the commit may still fail.
static enum db_status session_end_pipeline(struct db_session *session, uint64_t deadline_ns) {
    enum db_status status = DB_OK;
    PGresult *end = db_collect(session, deadline_ns);
    if (PQresultStatus(end) == PGRES_FATAL_ERROR) {
        status = db_classify(session, end, "the end of a pipeline");
        PQclear(end);
        end = session->connection == NULL ? NULL : db_collect(session, deadline_ns);
    }
    PQclear(end);
    if (session->connection != NULL && PQexitPipelineMode(session->connection) != 1) {
        db_session_close(session);
    }
    return status;
}

// Collects the answers in order. After the first error, PostgreSQL only answers that it skipped the statements.
static enum db_status session_collect_all(struct db_session *session, struct db_call *calls, size_t count,
                                          uint64_t started_ns) {
    enum db_status status = DB_OK;
    uint64_t deadline_ns = 0;
    for (size_t i = 0; i < count && session->connection != NULL; i++) {
        deadline_ns = db_deadline(session); // every statement may wait for a lock until lock_timeout
        if (status == DB_OK) {
            status = collect_call(session, &calls[i], deadline_ns);
            log_run(session, calls[i].statement, started_ns);
        } else {
            PQclear(db_collect(session, deadline_ns));
        }
    }
    if (count > 1 && session->connection != NULL) {
        enum db_status end = session_end_pipeline(session, deadline_ns);
        status = status == DB_OK ? end : status;
    }
    return status;
}

static bool any_was_prepared(const struct db_session *session, const struct db_call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (session->prepared[calls[i].statement]) {
            return true;
        }
    }
    return false;
}

static enum db_status session_run(struct db_session *session, struct db_call *calls, size_t count) {
    uint64_t started_ns = clock_monotonic_ns();
    bool reused = any_was_prepared(session, calls, count);
    enum db_status status = session_prepare_all(session, calls, count);
    if (status != DB_OK) {
        log_run(session, calls[0].statement, started_ns);
        if (session->connection == NULL) {
            return DB_NOT_SENT;
        }
    } else if (session_send_all(session, calls, count)) {
        status = session_collect_all(session, calls, count, started_ns);
    } else {
        status = db_classify(session, NULL, statement_texts[calls[0].statement].name);
        log_run(session, calls[0].statement, started_ns);
    }
    if (session->connection == NULL) {
        return DB_CONNECTION_LOST; // after an error, too: the answer to a COMMIT that was sent has not arrived
    }
    bool vanished = strcmp(session->sqlstate, "26000") == 0;
    // A statement that was prepared just now is not stale: the error is real, and preparing it again would not help.
    bool genuine = status == DB_STALE && !reused && !vanished;
    return genuine ? DB_FAILED : status;
}

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
    enum db_status status = session_run(session, calls, count);
    // PostgreSQL has undone all of the statements, so they can run again, unless they are part of an older transaction.
    if (status == DB_STALE && !in_transaction) {
        free_rows(calls, count);
        status = session_renew(session) ? session_run(session, calls, count) : DB_NOT_SENT;
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

enum db_status db_execute_script(struct db_session *session, const char *script) {
    if (session->connection == NULL) {
        return DB_NOT_SENT;
    }
    uint64_t deadline_ns = db_deadline(session);
    PGresult *result = PQsendQuery(session->connection, script) == 1 ? db_collect(session, deadline_ns) : NULL;
    enum db_status status = db_classify(session, result, "script");
    PQclear(result);
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
