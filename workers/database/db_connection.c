// Closes the connection of a session and waits on its socket, until a deadline or db_abort(). The bottom layer of the
// folder: it calls none of the other files. Worker threads.
#include "observability/base/base.h"
#include "workers/database/database_internal.h"

#include <errno.h>
#include <string.h>

void db_session_set_state(struct db_session *session, enum session_state state) {
    atomic_store_explicit(&session->state, state, memory_order_relaxed);
}

void db_session_close(struct db_session *session) {
    if (session->connection != NULL) {
        PQfinish(session->connection);
        session->connection = NULL;
    }
    session->backend = 0;
    session->endpoint = DB_NO_ENDPOINT;
    text_free(&session->pooled.settings);
    session->pooled = (struct db_pooled){0};
    memset(session->prepared, 0, sizeof session->prepared);
    db_session_set_state(session, SESSION_CLOSED);
}

int db_session_backend(const struct db_session *session) {
    return session->backend;
}

bool db_session_is_in_recovery(const struct db_session *session) {
    const char *reported = PQparameterStatus(session->connection, "in_hot_standby");
    return reported != NULL && strcmp(reported, "on") == 0;
}

uint64_t db_deadline(const struct db_session *session) {
    uint64_t deadline_ns = clock_monotonic_ns() + session->timeout_ns;
    return deadline_ns < session->job_deadline_ns ? deadline_ns : session->job_deadline_ns;
}

void db_session_allow(struct db_session *session, unsigned ms) {
    session->timeout_ns = ms * NANOSECONDS_PER_MILLISECOND;
    session->job_deadline_ns = clock_monotonic_ns() + session->timeout_ns;
}

unsigned db_session_limit_ms(const struct db_session *session, unsigned statements, unsigned most) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t left_ms = session->job_deadline_ns <= now_ns
                           ? 0
                           : (session->job_deadline_ns - now_ns) / NANOSECONDS_PER_MILLISECOND;
    uint64_t margin_ms = DATABASE_ANSWER_TIMEOUT_MS - DATABASE_STATEMENT_TIMEOUT_MS; // for the way of the answers
    uint64_t limit_ms = left_ms <= margin_ms + statements ? 1 : (left_ms - margin_ms) / statements;
    return limit_ms < most ? (unsigned)limit_ms : most;
}

bool db_is_aborted(const struct db *db) {
    struct pollfd watched = {.fd = db->abort_fd, .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

bool db_wait_for(struct db *db, int descriptor, short events, uint64_t deadline_ns) {
    struct pollfd watched[] = {
        {.fd = descriptor, .events = events},
        {.fd = db->abort_fd, .events = POLLIN},
    };
    for (;;) {
        uint64_t now = clock_monotonic_ns();
        if (now >= deadline_ns) {
            return false;
        }
        int timeout_ms = (int)((deadline_ns - now) / NANOSECONDS_PER_MILLISECOND) + 1;
        int ready = poll(watched, 2, timeout_ms);
        if (ready < 0 && errno != EINTR) {
            return false;
        }
        if (ready > 0) {
            return (watched[1].revents & POLLIN) == 0;
        }
    }
}

bool db_session_is_left_behind(const struct db_session *session) {
    return session->db->parameters.follows_leader && session->endpoint != DB_NO_ENDPOINT &&
           session->endpoint != atomic_load(&session->db->leader);
}

// The leader may change during the wait, so the wait has parts of a second.
bool db_wait(struct db_session *session, short events, uint64_t deadline_ns) {
    for (;;) {
        uint64_t part_ns = MIN(clock_monotonic_ns() + NANOSECONDS_PER_SECOND, deadline_ns);
        if (db_wait_for(session->db, PQsocket(session->connection), events, part_ns)) {
            return true;
        }
        if (clock_monotonic_ns() >= deadline_ns || db_is_aborted(session->db) || db_session_is_left_behind(session)) {
            return false;
        }
    }
}

const char *db_session_sqlstate(const struct db_session *session) {
    return session->sqlstate;
}

bool db_session_is_unreplicated(const struct db_session *session) {
    return session->unreplicated;
}
