// Sends prepared statements and collects their answers, one or several in a round trip. Worker threads.
// Pipelines: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html.
//
// db_run_calls() > session_prepare_all(), session_send_all(), session_collect_all().
// session_collect_all() > collect_call() for each statement > db_collect(), and session_end_pipeline() at the end.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <stdio.h>
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

void db_log_run(struct db_session *session, enum statement statement, uint64_t started_ns) {
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

#define PREPARED_NAME_LENGTH 64

// Names the prepared statement. Without its reset query, a pooler passes the statements of one client on to the next.
static const char *prepared_name(const struct db_session *session, enum statement statement,
                                 char out[PREPARED_NAME_LENGTH]) {
    const char *name = statement_texts[statement].name;
    if (!session->pooled.is_on) {
        return name;
    }
    (void)snprintf(out, PREPARED_NAME_LENGTH, "%s_%08x", name, session->pooled.tag);
    return out;
}

static enum db_status session_prepare(struct db_session *session, enum statement statement) {
    if (session->prepared[statement] || session->pooled.is_unnamed) {
        return DB_OK;
    }
    const struct statement_text *text = &statement_texts[statement];
    char name[PREPARED_NAME_LENGTH];
    PGresult *result = PQsendPrepare(session->connection, prepared_name(session, statement, name), text->sql, 0,
                                     NULL) == 1
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

static bool session_send(struct db_session *session, const struct db_call *call) {
    if (session->pooled.is_unnamed) {
        return PQsendQueryParams(session->connection, statement_texts[call->statement].sql, call->value_count, NULL,
                                 call->values, NULL, NULL, 0) == 1;
    }
    char name[PREPARED_NAME_LENGTH];
    return PQsendQueryPrepared(session->connection, prepared_name(session, call->statement, name), call->value_count,
                               call->values, NULL, NULL, 0) == 1;
}

// False: the connection broke.
static bool session_send_all(struct db_session *session, const struct db_call *calls, size_t count) {
    bool pipeline = count > 1;
    bool sent = !pipeline || PQenterPipelineMode(session->connection) == 1;
    for (size_t i = 0; i < count && sent; i++) {
        sent = session_send(session, &calls[i]);
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
            db_log_run(session, calls[i].statement, started_ns);
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

enum db_status db_run_calls(struct db_session *session, struct db_call *calls, size_t count) {
    uint64_t started_ns = clock_monotonic_ns();
    bool reused = any_was_prepared(session, calls, count);
    enum db_status status = session_prepare_all(session, calls, count);
    if (status != DB_OK) {
        db_log_run(session, calls[0].statement, started_ns);
        if (session->connection == NULL) {
            return DB_NOT_SENT;
        }
    } else if (session_send_all(session, calls, count)) {
        status = session_collect_all(session, calls, count, started_ns);
    } else {
        status = db_classify(session, NULL, statement_texts[calls[0].statement].name);
        db_log_run(session, calls[0].statement, started_ns);
    }
    if (session->connection == NULL) {
        return DB_CONNECTION_LOST; // after an error, too: the answer to a COMMIT that was sent has not arrived
    }
    bool vanished = strcmp(session->sqlstate, "26000") == 0;
    // A statement that was prepared just now is not stale: the error is real, and preparing it again would not help.
    bool genuine = status == DB_STALE && !reused && !vanished;
    return genuine ? DB_FAILED : status;
}
