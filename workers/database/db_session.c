// Opens sessions, and begins and ends their work for one job at a time. Worker threads.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <stdio.h>
#include <string.h>

void db_session_begin_job(struct db_session *session, struct statement_trace *trace, unsigned answer_ms,
                          unsigned job_ms) {
    session->trace = trace;
    session->timeout_ns = answer_ms * NANOSECONDS_PER_MILLISECOND;
    session->job_deadline_ns = clock_monotonic_ns() + job_ms * NANOSECONDS_PER_MILLISECOND;
    session->sqlstate[0] = '\0';
    session->unreplicated = false;
    if (session->connection != NULL) {
        db_session_set_state(session, SESSION_IN_USE);
    }
}

// False if a job that failed has left its transaction open: the next job must not run inside it.
static bool session_is_at_rest(const struct db_session *session) {
    return PQtransactionStatus(session->connection) == PQTRANS_IDLE &&
           PQpipelineStatus(session->connection) == PQ_PIPELINE_OFF;
}

void db_session_end_job(struct db_session *session) {
    if (session->connection != NULL && !session_is_at_rest(session)) {
        db_session_close(session);
    }
    session->trace = NULL;
    db_session_set_state(session, session->connection == NULL ? SESSION_CLOSED : SESSION_IDLE);
}

// True if an idle connection is still usable. PostgreSQL sends nothing to an idle session, except when it closes it (or
// a notice, which the lab does not need). So a readable socket means: reconnect. The check comes before the first
// write, because afterwards it would be unknown whether the write took effect.
static bool session_is_alive(struct db_session *session) {
    if (session->connection == NULL || PQstatus(session->connection) != CONNECTION_OK ||
        db_session_is_left_behind(session)) {
        return false;
    }
    struct pollfd watched = {.fd = PQsocket(session->connection), .events = POLLIN};
    return poll(&watched, 1, 0) == 0;
}

void db_session_doubt_leader(struct db_session *session) {
    if (session->db->parameters.follows_leader) {
        db_session_close(session);
    }
}

static void note_failure(struct db_session *session, struct text *reasons) {
    struct db *db = session->db;
    const char *state = session->sqlstate;
    struct text words = {0};
    if (strcmp(state, SQLSTATE_CONNECTION_LIMIT) == 0) {
        atomic_store(&db->limit_met_ns, clock_monotonic_ns());
    }
    // The server refuses a parameter or its value, such as one of options=. The message is that of PgBouncer.
    bool is_pooler = strstr(text_terminated(reasons), "unsupported startup parameter") != NULL;
    if (is_pooler || strcmp(state, "42704") == 0 || strcmp(state, "42601") == 0 || strcmp(state, "22023") == 0) {
        text_append_format(&words, "PostgreSQL refuses the parameters of DATABASE_URL or the PG* variables: %s%s",
                           text_terminated(reasons),
                           is_pooler ? "; take it out, or let PgBouncer drop it (ignore_startup_parameters = options)"
                                     : "");
        db_set_problem(db, text_terminated(&words));
        text_clear(&words);
    }
    text_append_format(&words, "%s %s: %s", db->primary == NULL ? "Database" : "Standby",
                       db_is_at_connection_limit(db) ? "refuses more sessions, the open ones continue" : "unreachable",
                       text_terminated(reasons));
    if (!db_is_aborted(db)) {
        db_complain(db, text_terminated(&words));
    }
    text_free(&words);
}

static bool session_connect(struct db_session *session, uint64_t deadline_ns) {
    struct text reasons = {0};
    bool connected = db_connect(session, deadline_ns, &reasons);
    if (!connected) {
        note_failure(session, &reasons);
    }
    text_free(&reasons);
    return connected;
}

static enum db_status session_begin(struct db_session *session) {
    db_session_set_state(session, SESSION_IN_USE);
    enum db_status status = db_session_setup(session);
    if (status == DB_OK && !session->in_any_schema) {
        status = db_session_enter_schema(session);
    }
    if (status == DB_OK) {
        db_forget_complaints(session->db);
    } else {
        db_session_close(session);
    }
    return status;
}

// Each host may take as long as connect_timeout says, but all of them together at most the time of the job.
static uint64_t connect_deadline(const struct db_session *session) {
    const struct db_parameters *parameters = &session->db->parameters;
    uint64_t longest_ns = parameters->connect_timeout_ns * parameters->endpoint_count *
                          (parameters->prefers_standby ? 2 : 1);
    uint64_t budget_ns = DATABASE_CONNECT_TIMEOUT_MS * NANOSECONDS_PER_MILLISECOND;
    uint64_t connect_by_ns = clock_monotonic_ns() + MAX(longest_ns, budget_ns);
    uint64_t deadline_ns = db_deadline(session);
    return MIN(connect_by_ns, deadline_ns);
}

static enum db_status session_reopen(struct db_session *session, bool *was_open) {
    uint64_t deadline_ns = connect_deadline(session);
    bool may_connect = !db_limit_was_met_within(session->db, NANOSECONDS_PER_SECOND);
    for (;;) {
        db_session_close(session);
        // After an abort no connection is opened: each of the remaining jobs would open one and end at once.
        if (db_is_aborted(session->db)) {
            return DB_CONNECTION_LOST;
        }
        if (may_connect && session_connect(session, deadline_ns)) {
            return session_begin(session);
        }
        bool is_limited = !may_connect || strcmp(session->sqlstate, SQLSTATE_CONNECTION_LIMIT) == 0;
        if (!is_limited || !db_session_take_over(session, deadline_ns)) {
            return DB_CONNECTION_LOST;
        }
        *was_open = session_is_alive(session);
        if (*was_open) {
            return DB_OK;
        }
        may_connect = true; // a job gave back a closed session, so PostgreSQL may accept a new one
    }
}

enum db_status db_session_open(struct db_session *session, bool *was_open) {
    *was_open = session_is_alive(session);
    enum db_status status = *was_open ? DB_OK : session_reopen(session, was_open);
    // The trace gets the name now: a batch copies its trace before its job ends, and a statement may lose its
    // connection.
    if (status == DB_OK && session->trace != NULL) {
        (void)snprintf(session->trace->database, sizeof session->trace->database, "%s", PQdb(session->connection));
    }
    return status;
}

enum db_status db_session_open_any_schema(struct db_session *session, bool *was_open) {
    session->in_any_schema = true;
    enum db_status status = db_session_open(session, was_open);
    session->in_any_schema = false;
    return status;
}
