// Opening, closing and waiting: the life of a session. Worker threads; db_abort() and the counts from the loop.
#include "clock.h"
#include "db_internal.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool db_url_is_valid(const char *url) {
    if (url == NULL) {
        return true;
    }
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    PQconninfoFree(options);
    return options != NULL;
}

struct db *db_new(const char *url, unsigned sessions) {
    struct db *db = memory_allocate_zeroed(sizeof *db);
    db->url = url == NULL ? NULL : strdup(url);
    db->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(db->abort_fd >= 0);
    db->session_count = sessions;
    db->sessions = memory_allocate_zeroed(sessions * sizeof *db->sessions);
    db->free = memory_allocate_zeroed(sessions * sizeof(struct db_session *));
    CHECK(pthread_mutex_init(&db->mutex, NULL) == 0);
    for (unsigned i = sessions; i > 0; i--) {
        db->sessions[i - 1].db = db;
        db->free[db->free_count++] = &db->sessions[i - 1];
    }
    return db;
}

void db_free(struct db *db) {
    for (unsigned i = 0; i < db->session_count; i++) {
        db_session_close(&db->sessions[i]);
    }
    (void)close(db->abort_fd);
    CHECK(db->free_count == db->session_count && pthread_mutex_destroy(&db->mutex) == 0);
    free(db->free);
    free(db->sessions);
    free(db->url);
    free(db);
}

void db_abort(struct db *db) {
    uint64_t one = 1;
    CHECK(write(db->abort_fd, &one, sizeof one) == (ssize_t)sizeof one);
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

struct db_session *db_session_take(struct db *db) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    CHECK(db->free_count > 0);
    struct db_session *session = db->free[--db->free_count];
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    return session;
}

void db_session_give(struct db_session *session) {
    struct db *db = session->db;
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    db->free[db->free_count++] = session;
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

static void session_set_state(struct db_session *session, enum session_state state) {
    atomic_store_explicit(&session->state, state, memory_order_relaxed);
}

void db_session_begin_job(struct db_session *session, struct statement_log *log, unsigned answer_ms, unsigned job_ms) {
    session->log = log;
    session->timeout_ns = answer_ms * NANOSECONDS_PER_MILLISECOND;
    session->job_deadline_ns = clock_monotonic_ns() + job_ms * NANOSECONDS_PER_MILLISECOND;
    session->sqlstate[0] = '\0';
    session->unreplicated = false;
    if (session->connection != NULL) {
        session_set_state(session, SESSION_IN_USE);
    }
}

// A job that failed may have left its transaction open, and the next job must not run inside it.
static bool session_is_at_rest(const struct db_session *session) {
    return PQtransactionStatus(session->connection) == PQTRANS_IDLE &&
           PQpipelineStatus(session->connection) == PQ_PIPELINE_OFF;
}

void db_session_end_job(struct db_session *session) {
    if (session->connection != NULL) {
        (void)snprintf(session->log->database, sizeof session->log->database, "%s", PQdb(session->connection));
        if (!session_is_at_rest(session)) {
            db_session_close(session);
        }
    }
    session->log = NULL;
    session_set_state(session, session->connection == NULL ? SESSION_CLOSED : SESSION_IDLE);
}

const char *db_session_sqlstate(const struct db_session *session) {
    return session->sqlstate;
}

bool db_session_is_unreplicated(const struct db_session *session) {
    return session->unreplicated;
}

uint64_t db_deadline(const struct db_session *session) {
    uint64_t deadline_ns = clock_monotonic_ns() + session->timeout_ns;
    return deadline_ns < session->job_deadline_ns ? deadline_ns : session->job_deadline_ns;
}

bool db_wait(struct db_session *session, short events, uint64_t deadline_ns) {
    struct pollfd watched[] = {
        {.fd = PQsocket(session->connection), .events = events},
        {.fd = session->db->abort_fd, .events = POLLIN},
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

// The connection parameters of ours stand before the URL's, so that the URL's win.
static PGconn *connection_start(const char *url) {
    const char *keywords[] = {"fallback_application_name", "client_encoding",  "keepalives_idle", "keepalives_interval",
                              "keepalives_count",          "tcp_user_timeout", "dbname",          NULL};
    const char *values[] = {"bank-api", "UTF8", "30", "10", "3", "60000", url, NULL};
    if (url == NULL) {
        keywords[6] = NULL;
    }
    return PQconnectStartParams(keywords, values, 1);
}

static bool connection_finish(struct db_session *session, uint64_t deadline_ns) {
    if (PQstatus(session->connection) == CONNECTION_BAD) {
        return false;
    }
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED ||
            !db_wait(session, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ns)) {
            return false;
        }
        next = PQconnectPoll(session->connection);
    }
    return PQsetnonblocking(session->connection, 1) == 0;
}

// Once a second for all sessions together: while the database is away, every request tries.
static void log_connect_failure(const struct db_session *session) {
    struct db *db = session->db;
    uint64_t now = clock_monotonic_ns();
    uint64_t last = atomic_load_explicit(&db->complained_ns, memory_order_relaxed);
    if ((last != 0 && now - last < NANOSECONDS_PER_SECOND) ||
        !atomic_compare_exchange_strong(&db->complained_ns, &last, now)) {
        return;
    }
    const char *words = PQerrorMessage(session->connection);
    int length = (int)strcspn(words, "\n");
    log_write(LOG_LEVEL_WARN, NULL, "Database unreachable: %.*s", length, length > 0 ? words : "no answer in time");
}

static enum db_status session_setup(struct db_session *session) {
    char statement_timeout[16];
    char lock_timeout[16];
    (void)snprintf(statement_timeout, sizeof statement_timeout, "%d", DATABASE_STATEMENT_TIMEOUT_MS);
    (void)snprintf(lock_timeout, sizeof lock_timeout, "%d", DATABASE_LOCK_TIMEOUT_MS);
    const char *values[] = {statement_timeout, lock_timeout};
    enum db_status status = db_execute_script(session, sql_session);
    return status == DB_OK ? db_execute(session, STATEMENT_SESSION_SETUP, values, 2, NULL) : status;
}

// Whether the connection still is one. PostgreSQL has nothing to say to a session that asks nothing, but for its end
// (or a notice that the lab can do without): then a new one is the safe choice. Found out later, it would be too late:
// a write could not tell a connection that had died before it from one that died of it.
static bool session_is_alive(struct db_session *session) {
    if (session->connection == NULL || PQstatus(session->connection) != CONNECTION_OK) {
        return false;
    }
    struct pollfd watched = {.fd = PQsocket(session->connection), .events = POLLIN};
    return poll(&watched, 1, 0) == 0;
}

static bool is_aborted(const struct db_session *session) {
    struct pollfd watched = {.fd = session->db->abort_fd, .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

enum db_status db_session_open(struct db_session *session, bool *was_open) {
    *was_open = session_is_alive(session);
    if (*was_open) {
        return DB_OK;
    }
    db_session_close(session);
    if (is_aborted(session)) { // the jobs that are left would ask PostgreSQL for a connection each, and leave
        return DB_AWAY;
    }
    session->connection = connection_start(session->db->url);
    CHECK(session->connection != NULL); // NULL means: out of memory
    uint64_t connect_by_ns = clock_monotonic_ns() + DATABASE_CONNECT_TIMEOUT_MS * NANOSECONDS_PER_MILLISECOND;
    uint64_t deadline_ns = db_deadline(session);
    if (!connection_finish(session, connect_by_ns < deadline_ns ? connect_by_ns : deadline_ns)) {
        log_connect_failure(session);
        db_session_close(session);
        return DB_AWAY;
    }
    (void)PQsetNoticeReceiver(session->connection, db_note_notice, session);
    session_set_state(session, SESSION_IN_USE);
    enum db_status status = session_setup(session);
    if (status != DB_OK) {
        db_session_close(session);
    }
    return status;
}

void db_session_close(struct db_session *session) {
    if (session->connection != NULL) {
        PQfinish(session->connection);
        session->connection = NULL;
    }
    memset(session->prepared, 0, sizeof session->prepared);
    session_set_state(session, SESSION_CLOSED);
}

int db_session_backend(const struct db_session *session) {
    return session->connection == NULL ? 0 : PQbackendPID(session->connection);
}
