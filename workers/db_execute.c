// One statement, sent and answered. Worker threads.
#include "clock.h"
#include "db_internal.h"
#include "log.h"

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
        // The first error is the one to tell: what follows it in a script is only its echo.
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
    struct statement_log *log = session->log;
    if (log == NULL) {
        return;
    }
    if (log->count == JOB_STATEMENTS_MAX) {
        log->dropped++;
        return;
    }
    struct statement_run *run = &log->runs[log->count++];
    run->statement = statement;
    run->started_ns = started_ns;
    run->ended_ns = clock_monotonic_ns();
    memcpy(run->sqlstate, session->sqlstate, sizeof run->sqlstate);
}

static enum db_status session_prepare(struct db_session *session, enum statement statement, uint64_t deadline_ns) {
    if (session->prepared[statement]) {
        return DB_OK;
    }
    const struct statement_text *text = &statement_texts[statement];
    PGresult *result = PQsendPrepare(session->connection, text->name, text->sql, 0, NULL) == 1
                           ? db_collect(session, deadline_ns)
                           : NULL;
    enum db_status status = db_classify(session, result, text->name);
    PQclear(result);
    session->prepared[statement] = status == DB_OK;
    return status;
}

enum db_status db_execute(struct db_session *session, enum statement statement, const char *const *values,
                          int value_count, struct db_rows *rows) {
    if (rows != NULL) {
        rows->result = NULL;
    }
    if (session->connection == NULL) {
        memcpy(session->sqlstate, "08003", SQLSTATE_LENGTH);
        return DB_AWAY;
    }
    const char *name = statement_texts[statement].name;
    uint64_t started_ns = clock_monotonic_ns();
    uint64_t deadline_ns = db_deadline(session);
    enum db_status status = session_prepare(session, statement, deadline_ns);
    PGresult *result = NULL;
    if (status == DB_OK) {
        if (PQsendQueryPrepared(session->connection, name, value_count, values, NULL, NULL, 0) == 1) {
            result = db_collect(session, deadline_ns);
        }
        status = db_classify(session, result, name);
        // COMMIT of a failed transaction succeeds with the tag ROLLBACK.
        if (status == DB_OK && statement == STATEMENT_COMMIT && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
            status = DB_ROLLED_BACK;
        }
    }
    log_run(session, statement, started_ns);
    if (status == DB_AWAY) {
        db_session_close(session);
    }
    if (status == DB_OK && rows != NULL) {
        rows->result = result;
    } else {
        PQclear(result);
    }
    return status;
}

enum db_status db_execute_script(struct db_session *session, const char *script) {
    if (session->connection == NULL) {
        return DB_AWAY;
    }
    uint64_t deadline_ns = db_deadline(session);
    PGresult *result = PQsendQuery(session->connection, script) == 1 ? db_collect(session, deadline_ns) : NULL;
    enum db_status status = db_classify(session, result, "script");
    PQclear(result);
    if (status == DB_AWAY) {
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

bool db_rows_is_null(const struct db_rows *rows, int row, int column) {
    return PQgetisnull(rows->result, row, column) == 1;
}

void db_rows_free(struct db_rows *rows) {
    PQclear(rows->result);
    rows->result = NULL;
}
