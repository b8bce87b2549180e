// The data that all sessions share, and the choice of the session for a job. Worker threads; database.h marks the
// functions for any thread.
//
// A job calls db_session_take() and db_session_give(). When PostgreSQL refuses more sessions, db_session_open() calls
// db_session_take_over() > wait_to_be_woken(), and another job's db_session_give() > wake_first_waiting() >
// move_connection() hands over its connection.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct db *db_new(const char *url, unsigned sessions) {
    struct db *db = memory_allocate_zeroed(sizeof *db);
    struct text problem = {0};
    if (url != NULL) {
        db->url = strdup(url);
        CHECK(db->url != NULL);
    }
    // The parameters were checked with the configuration, so this fails only if they have changed since then.
    if (!db_parameters_read(url, &db->parameters, &problem)) {
        log_write(LOG_LEVEL_ERROR, NULL, "%s", text_terminated(&problem));
    }
    text_free(&problem);
    TAILQ_INIT(&db->waiting);
    db->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(db->abort_fd >= 0);
    atomic_init(&db->password_file_was_fit, true);
    atomic_init(&db->leader, DB_NO_ENDPOINT);
    db->lookups = memory_allocate_zeroed((db->parameters.endpoint_count + 1) * sizeof(struct db_lookup *));
    db->session_count = sessions;
    db->sessions = memory_allocate_zeroed(sessions * sizeof *db->sessions);
    db->open = memory_allocate_zeroed(sessions * sizeof(struct db_session *));
    db->closed = memory_allocate_zeroed(sessions * sizeof(struct db_session *));
    CHECK(pthread_mutex_init(&db->mutex, NULL) == 0 && pthread_mutex_init(&db->pooler_mutex, NULL) == 0);
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    for (unsigned i = sessions; i > 0; i--) {
        db->sessions[i - 1].db = db;
        db->sessions[i - 1].endpoint = DB_NO_ENDPOINT;
        CHECK(pthread_cond_init(&db->sessions[i - 1].woken, &monotonic) == 0);
        db->closed[db->closed_count++] = &db->sessions[i - 1];
    }
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
    return db;
}

void db_free(struct db *db) {
    if (db->standby != NULL) {
        db_free(db->standby);
    }
    for (unsigned i = 0; i < db->session_count; i++) {
        db_session_close(&db->sessions[i]);
        text_free(&db->sessions[i].words);
        CHECK(pthread_cond_destroy(&db->sessions[i].woken) == 0);
    }
    for (size_t i = 0; i < db->parameters.endpoint_count; i++) {
        db_lookup_release(db->lookups[i]);
    }
    (void)close(db->abort_fd);
    CHECK(db->open_count + db->closed_count == db->session_count && pthread_mutex_destroy(&db->mutex) == 0);
    CHECK(pthread_mutex_destroy(&db->pooler_mutex) == 0);
    db_parameters_free(&db->parameters);
    text_free(&db->problem);
    text_free(&db->schema_problem);
    free(db->lookups);
    free(db->open);
    free(db->closed);
    free(db->sessions);
    free(db->url);
    free(db);
}

void db_abort(struct db *db) {
    uint64_t one = 1;
    CHECK(write(db->abort_fd, &one, sizeof one) == (ssize_t)sizeof one);
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    struct db_session *each;
    TAILQ_FOREACH(each, &db->waiting, waiting_link) {
        CHECK(pthread_cond_signal(&each->woken) == 0);
    }
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    if (db->standby != NULL) {
        db_abort(db->standby);
    }
}

struct db_counts db_count_sessions(struct db *db) {
    struct db_counts counts = {0, 0};
    for (unsigned i = 0; i < db->session_count; i++) {
        enum session_state state = atomic_load_explicit(&db->sessions[i].state, memory_order_relaxed);
        counts.idle += state == SESSION_IDLE;
        counts.in_use += state == SESSION_IN_USE;
    }
    return counts;
}

static bool is_any_open(struct db *db) {
    struct db_counts counts = db_count_sessions(db);
    return counts.idle + counts.in_use > 0;
}

bool db_limit_was_met_within(struct db *db, uint64_t duration_ns) {
    uint64_t met_ns = atomic_load(&db->limit_met_ns);
    return met_ns != 0 && clock_monotonic_ns() - met_ns < duration_ns && is_any_open(db);
}

bool db_is_at_connection_limit(struct db *db) {
    return db_limit_was_met_within(db, (DATABASE_CONNECT_TIMEOUT_MS + DATABASE_WATCH_TIMEOUT_MS) *
                                           NANOSECONDS_PER_MILLISECOND);
}

struct db_session *db_session_take(struct db *db) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    CHECK(db->open_count + db->closed_count > 0);
    struct db_session *session = db->open_count > 0 ? db->open[--db->open_count] : db->closed[--db->closed_count];
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    return session;
}

// Moves an open connection to another session. `from` is free, and the job of `to` waits here. The mutex is held.
static void move_connection(struct db_session *from, struct db_session *to) {
    CHECK(to->connection == NULL);
    to->connection = from->connection;
    to->backend = from->backend;
    to->endpoint = from->endpoint;
    memcpy(to->prepared, from->prepared, sizeof to->prepared);
    to->pooled = from->pooled;
    from->pooled = (struct db_pooled){0};
    from->connection = NULL;
    (void)PQsetNoticeReceiver(to->connection, db_note_notice, to);
    db_session_set_state(to, SESSION_IN_USE);
    db_session_set_state(from, SESSION_CLOSED);
}

// Gives the connection to the session that has waited longest. If the given session is closed, the waiting session may
// try to open a connection in its place. The mutex is held.
static void wake_first_waiting(struct db *db, struct db_session *session) {
    struct db_session *first = TAILQ_FIRST(&db->waiting);
    TAILQ_REMOVE(&db->waiting, first, waiting_link);
    if (session->connection != NULL) {
        move_connection(session, first);
    }
    first->was_woken = true;
    CHECK(pthread_cond_signal(&first->woken) == 0);
}

void db_session_give(struct db_session *session) {
    struct db *db = session->db;
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    if (!TAILQ_EMPTY(&db->waiting)) {
        wake_first_waiting(db, session);
    }
    if (session->connection != NULL) {
        db->open[db->open_count++] = session;
    } else {
        db->closed[db->closed_count++] = session;
    }
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

// False: no session was given back before the deadline, or db_abort() was called. The mutex is held.
static bool wait_to_be_woken(struct db_session *session, uint64_t deadline_ns) {
    struct db *db = session->db;
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / NANOSECONDS_PER_SECOND),
                                .tv_nsec = (long)(deadline_ns % NANOSECONDS_PER_SECOND)};
    session->was_woken = false;
    TAILQ_INSERT_TAIL(&db->waiting, session, waiting_link);
    int error = 0;
    while (!session->was_woken && error != ETIMEDOUT && !db_is_aborted(db)) {
        error = pthread_cond_timedwait(&session->woken, &db->mutex, &deadline);
        CHECK(error == 0 || error == ETIMEDOUT);
    }
    if (!session->was_woken) {
        TAILQ_REMOVE(&db->waiting, session, waiting_link);
    }
    return session->was_woken;
}

bool db_session_take_over(struct db_session *session, uint64_t deadline_ns) {
    struct db *db = session->db;
    bool woken = true;
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    if (db->open_count > 0) {
        struct db_session *other = db->open[--db->open_count];
        move_connection(other, session);
        db->closed[db->closed_count++] = other;
    } else {
        woken = is_any_open(db) && wait_to_be_woken(session, deadline_ns);
    }
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    return woken;
}
