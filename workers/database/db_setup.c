// Checks a new connection, and applies the settings that the program relies on. Worker threads.
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Engines that speak PostgreSQL's protocol, as their version() names them. Some of them say "PostgreSQL" first.
static const char *const other_engines[] = {"CockroachDB", "-YB-", "Greenplum", "Redshift", "Materialize"};

static bool is_postgresql(const char *version) {
    for (size_t i = 0; i < sizeof other_engines / sizeof other_engines[0]; i++) {
        if (strstr(version, other_engines[i]) != NULL) {
            return false;
        }
    }
    return strncmp(version, "PostgreSQL ", strlen("PostgreSQL ")) == 0;
}

// The locks and the isolation levels of another engine differ, so a safe strategy could be unsafe there, unnoticed.
static void refuse_engine(struct db *db, const char *version) {
    struct text problem = {0};
    text_append_format(&problem,
                       "the server is not PostgreSQL but \"%.80s\", where locks and isolation levels differ: name a "
                       "PostgreSQL in DATABASE_URL (or PGHOST and PGPORT); docs/OTHER-ENGINES.md says what differs",
                       version);
    db_set_problem(db, text_terminated(&problem));
    text_free(&problem);
}

// Refuses another engine, and finds the backend. A pooler is recognised by the process id in its greeting, which is its
// own: a client's cancel request must reach the pooler, not the backend.
static enum db_status find_backend(struct db_session *session) {
    uint64_t deadline_ns = db_deadline(session);
    PGresult *result = PQsendQuery(session->connection, sql_backend) == 1 ? db_collect(session, deadline_ns) : NULL;
    enum db_status status = db_classify(session, result, "session_backend");
    bool is_known = status != DB_OK || (PQntuples(result) == 1 && is_postgresql(PQgetvalue(result, 0, 1)));
    if (!is_known) {
        refuse_engine(session->db, PQntuples(result) == 1 ? PQgetvalue(result, 0, 1) : "");
    } else if (status == DB_OK) {
        session->backend = atoi(PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    if (!is_known) {
        return DB_CONNECTION_LOST;
    }
    if (status != DB_OK || session->backend == PQbackendPID(session->connection)) {
        return status;
    }
    return db_pooler_examine(session);
}

// Reports the last error as the problem of the database if every session will get it.
static void note_refused_setting(struct db_session *session) {
    const char *state = session->sqlstate;
    if (session->connection == NULL || (strncmp(state, "42", 2) != 0 && strncmp(state, "22", 2) != 0 &&
                                        strcmp(state, "55P02") != 0 && strcmp(state, "0A000") != 0)) {
        return;
    }
    const char *words = PQerrorMessage(session->connection);
    struct text problem = {0};
    text_append_format(&problem, "PostgreSQL refuses a setting that the transfers need: %.*s",
                       (int)strcspn(words, "\n"), words);
    db_set_problem(session->db, text_terminated(&problem));
    text_free(&problem);
}

static enum db_status set_settings(struct db_session *session) {
    char statement_timeout[16];
    char lock_timeout[16];
    (void)snprintf(statement_timeout, sizeof statement_timeout, "%d", DATABASE_STATEMENT_TIMEOUT_MS);
    (void)snprintf(lock_timeout, sizeof lock_timeout, "%d", DATABASE_LOCK_TIMEOUT_MS);
    const char *values[] = {statement_timeout, lock_timeout};
    enum db_status status = db_execute_script(session, sql_session);
    if (status == DB_OK) {
        status = db_execute(session, STATEMENT_SESSION_SETUP, values, 2, NULL);
    }
    if (status != DB_OK) {
        note_refused_setting(session);
    }
    return status;
}

enum db_status db_session_setup(struct db_session *session) {
    enum db_status status = find_backend(session);
    if (status == DB_OK && !session->pooled.is_on) { // behind a pooler, each transaction sets them
        status = set_settings(session);
    }
    if (status == DB_OK && session->db->primary != NULL && !db_session_is_in_recovery(session)) {
        db_set_problem(session->db, "BANK_API_STANDBY_URL names a primary (pg_is_in_recovery() is false there): name a "
                                    "hot standby of the database in DATABASE_URL, or leave the variable out");
        return DB_UNAVAILABLE;
    }
    if (status == DB_OK) {
        db_set_problem(session->db, "");
    }
    return status;
}
