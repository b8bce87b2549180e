// Opening, closing and waiting: the life of a session. Worker threads; db_abort() and the counts from the loop.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <errno.h>
#include <stdio.h>
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
    if (!db_parameters_read(url, &db->parameters, &problem)) { // they were good when the configuration was read
        log_write(LOG_LEVEL_ERROR, NULL, "%s", text_terminated(&problem));
    }
    text_free(&problem);
    db->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(db->abort_fd >= 0);
    atomic_init(&db->password_file_was_fit, true);
    db->lookups = memory_allocate_zeroed((db->parameters.endpoint_count + 1) * sizeof(struct db_lookup *));
    db->session_count = sessions;
    db->sessions = memory_allocate_zeroed(sessions * sizeof *db->sessions);
    db->open = memory_allocate_zeroed(sessions * sizeof(struct db_session *));
    db->closed = memory_allocate_zeroed(sessions * sizeof(struct db_session *));
    CHECK(pthread_mutex_init(&db->mutex, NULL) == 0);
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    for (unsigned i = sessions; i > 0; i--) {
        db->sessions[i - 1].db = db;
        CHECK(pthread_cond_init(&db->sessions[i - 1].woken, &monotonic) == 0);
        db->closed[db->closed_count++] = &db->sessions[i - 1];
    }
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
    return db;
}

void db_free(struct db *db) {
    for (unsigned i = 0; i < db->session_count; i++) {
        db_session_close(&db->sessions[i]);
        CHECK(pthread_cond_destroy(&db->sessions[i].woken) == 0);
    }
    for (size_t i = 0; i < db->parameters.endpoint_count; i++) {
        db_lookup_release(db->lookups[i]);
    }
    (void)close(db->abort_fd);
    CHECK(db->open_count + db->closed_count == db->session_count && pthread_mutex_destroy(&db->mutex) == 0);
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
    for (struct db_session *each = db->waiting_first; each != NULL; each = each->next_waiting) {
        CHECK(pthread_cond_signal(&each->woken) == 0);
    }
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
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

static bool limit_was_met_within(struct db *db, uint64_t duration_ns) {
    uint64_t met_ns = atomic_load(&db->limit_met_ns);
    return met_ns != 0 && clock_monotonic_ns() - met_ns < duration_ns && is_any_open(db);
}

bool db_is_at_connection_limit(struct db *db) {
    return limit_was_met_within(db, (DATABASE_CONNECT_TIMEOUT_MS + DATABASE_WATCH_TIMEOUT_MS) *
                                        NANOSECONDS_PER_MILLISECOND);
}

struct db_session *db_session_take(struct db *db) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    CHECK(db->open_count + db->closed_count > 0);
    struct db_session *session = db->open_count > 0 ? db->open[--db->open_count] : db->closed[--db->closed_count];
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    return session;
}

static void session_set_state(struct db_session *session, enum session_state state) {
    atomic_store_explicit(&session->state, state, memory_order_relaxed);
}

// Under the mutex, between two sessions that no job uses.
static void move_connection(struct db_session *from, struct db_session *to) {
    CHECK(to->connection == NULL);
    to->connection = from->connection;
    to->backend = from->backend;
    memcpy(to->prepared, from->prepared, sizeof to->prepared);
    from->connection = NULL;
    (void)PQsetNoticeReceiver(to->connection, db_note_notice, to);
    session_set_state(to, SESSION_IN_USE);
    session_set_state(from, SESSION_CLOSED);
}

// Under the mutex. The first that waits gets the connection, or may try to open one of its own in place of one that has
// been closed.
static void wake_first_waiting(struct db *db, struct db_session *session) {
    struct db_session *first = db->waiting_first;
    db->waiting_first = first->next_waiting;
    if (db->waiting_first == NULL) {
        db->waiting_last = NULL;
    }
    if (session->connection != NULL) {
        move_connection(session, first);
    }
    first->was_woken = true;
    CHECK(pthread_cond_signal(&first->woken) == 0);
}

void db_session_give(struct db_session *session) {
    struct db *db = session->db;
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    if (db->waiting_first != NULL) {
        wake_first_waiting(db, session);
    }
    if (session->connection != NULL) {
        db->open[db->open_count++] = session;
    } else {
        db->closed[db->closed_count++] = session;
    }
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

// Under the mutex.
static void stop_waiting(struct db_session *session) {
    struct db *db = session->db;
    struct db_session *previous = NULL;
    for (struct db_session *each = db->waiting_first; each != session; each = each->next_waiting) {
        previous = each;
    }
    if (previous == NULL) {
        db->waiting_first = session->next_waiting;
    } else {
        previous->next_waiting = session->next_waiting;
    }
    if (db->waiting_last == session) {
        db->waiting_last = previous;
    }
}

// Under the mutex. False: nobody gave a session back until the deadline, or all was aborted.
static bool wait_to_be_woken(struct db_session *session, uint64_t deadline_ns) {
    struct db *db = session->db;
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / NANOSECONDS_PER_SECOND),
                                .tv_nsec = (long)(deadline_ns % NANOSECONDS_PER_SECOND)};
    session->was_woken = false;
    session->next_waiting = NULL;
    if (db->waiting_last == NULL) {
        db->waiting_first = session;
    } else {
        db->waiting_last->next_waiting = session;
    }
    db->waiting_last = session;
    int error = 0;
    while (!session->was_woken && error != ETIMEDOUT && !db_is_aborted(db)) {
        error = pthread_cond_timedwait(&session->woken, &db->mutex, &deadline);
        CHECK(error == 0 || error == ETIMEDOUT);
    }
    if (!session->was_woken) {
        stop_waiting(session);
    }
    return session->was_woken;
}

// PostgreSQL gives no more sessions: waits for one that another job gives back. True: there is one, or a new one may be
// tried again. False: there is none to wait for, or none came in time.
static bool session_take_over(struct db_session *session, uint64_t deadline_ns) {
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

void db_session_allow(struct db_session *session, unsigned ms) {
    session->timeout_ns = ms * NANOSECONDS_PER_MILLISECOND;
    session->job_deadline_ns = clock_monotonic_ns() + session->timeout_ns;
}

unsigned db_session_limit_ms(const struct db_session *session, unsigned statements, unsigned most) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t left_ms = session->job_deadline_ns <= now_ns
                           ? 0
                           : (session->job_deadline_ns - now_ns) / NANOSECONDS_PER_MILLISECOND;
    uint64_t margin_ms = DATABASE_ANSWER_TIMEOUT_MS - DATABASE_STATEMENT_TIMEOUT_MS; // for the answers' way
    uint64_t limit_ms = left_ms <= margin_ms + statements ? 1 : (left_ms - margin_ms) / statements;
    return limit_ms < most ? (unsigned)limit_ms : most;
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

bool db_wait(struct db_session *session, short events, uint64_t deadline_ns) {
    return db_wait_for(session->db, PQsocket(session->connection), events, deadline_ns);
}

bool db_is_aborted(const struct db *db) {
    struct pollfd watched = {.fd = db->abort_fd, .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
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

static void note_failure(struct db_session *session, struct text *reasons) {
    struct db *db = session->db;
    const char *state = session->sqlstate;
    struct text words = {0};
    if (strcmp(state, SQLSTATE_CONNECTION_LIMIT) == 0) {
        atomic_store(&db->limit_met_ns, clock_monotonic_ns());
    }
    // The server does not know a parameter, or not its value: of options=, for one. The second is PgBouncer.
    if (strcmp(state, "42704") == 0 || strcmp(state, "42601") == 0 || strcmp(state, "22023") == 0 ||
        strstr(text_terminated(reasons), "unsupported startup parameter") != NULL) {
        text_append_format(&words, "PostgreSQL refuses the parameters of DATABASE_URL or the PG* variables: %s",
                           text_terminated(reasons));
        db_set_problem(db, text_terminated(&words));
        text_clear(&words);
    }
    text_append_format(&words, "Database %s: %s",
                       db_is_at_connection_limit(db) ? "gives no more sessions, those there are go on" : "unreachable",
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
    session_set_state(session, SESSION_IN_USE);
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

// Each host may take as long as connect_timeout says; all of them are still bounded by the job.
static uint64_t connect_deadline(const struct db_session *session) {
    const struct db_parameters *parameters = &session->db->parameters;
    uint64_t longest_ns = parameters->connect_timeout_ns * parameters->endpoint_count *
                          (parameters->prefers_standby ? 2 : 1);
    uint64_t budget_ns = DATABASE_CONNECT_TIMEOUT_MS * NANOSECONDS_PER_MILLISECOND;
    uint64_t connect_by_ns = clock_monotonic_ns() + (longest_ns > budget_ns ? longest_ns : budget_ns);
    uint64_t deadline_ns = db_deadline(session);
    return connect_by_ns < deadline_ns ? connect_by_ns : deadline_ns;
}

static enum db_status session_reopen(struct db_session *session, bool *was_open) {
    uint64_t deadline_ns = connect_deadline(session);
    bool may_connect = !limit_was_met_within(session->db, NANOSECONDS_PER_SECOND);
    for (;;) {
        db_session_close(session);
        // After an abort, the jobs that are left would ask PostgreSQL for a connection each, and leave.
        if (db_is_aborted(session->db)) {
            return DB_AWAY;
        }
        if (may_connect && session_connect(session, deadline_ns)) {
            return session_begin(session);
        }
        bool is_limited = !may_connect || strcmp(session->sqlstate, SQLSTATE_CONNECTION_LIMIT) == 0;
        if (!is_limited || !session_take_over(session, deadline_ns)) {
            return DB_AWAY;
        }
        *was_open = session_is_alive(session);
        if (*was_open) {
            return DB_OK;
        }
        may_connect = true; // the session that was given back is closed
    }
}

enum db_status db_session_open(struct db_session *session, bool *was_open) {
    *was_open = session_is_alive(session);
    return *was_open ? DB_OK : session_reopen(session, was_open);
}

enum db_status db_session_open_any_schema(struct db_session *session, bool *was_open) {
    session->in_any_schema = true;
    enum db_status status = db_session_open(session, was_open);
    session->in_any_schema = false;
    return status;
}

void db_session_close(struct db_session *session) {
    if (session->connection != NULL) {
        PQfinish(session->connection);
        session->connection = NULL;
    }
    session->backend = 0;
    memset(session->prepared, 0, sizeof session->prepared);
    session_set_state(session, SESSION_CLOSED);
}

int db_session_backend(const struct db_session *session) {
    return session->backend;
}
