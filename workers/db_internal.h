// What the db*.c files share, and nobody else may include.
#ifndef WORKERS_DB_INTERNAL_H
#define WORKERS_DB_INTERNAL_H

#include "db.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

enum session_state { SESSION_CLOSED, SESSION_IDLE, SESSION_IN_USE };

struct db_session {
    struct db *db;
    PGconn *connection;               // NULL: closed
    struct statement_log *log;        // of the running job, or NULL
    uint64_t timeout_ns;              // for one answer
    uint64_t job_deadline_ns;         // monotonic; for all answers of the job
    _Atomic enum session_state state; // written by its worker, read by the loop for a metric
    bool prepared[STATEMENT_COUNT];
    char sqlstate[SQLSTATE_LENGTH];
    bool unreplicated; // see db_session_is_unreplicated()
};

struct db {
    char *url;                      // or NULL
    int abort_fd;                   // readable once db_abort() was called
    _Atomic uint64_t complained_ns; // when the log last said that the database is unreachable
    unsigned session_count;
    struct db_session *sessions;
    pthread_mutex_t mutex; // guards what is below
    unsigned free_count;
    struct db_session **free; // a stack: the one given back last is on top
};

// When an answer that is waited for from now on must be there.
MUST_CHECK uint64_t db_deadline(const struct db_session *session);

// Waits until the socket is ready for `events` (POLLIN, POLLOUT). False: aborted, timed out, or broken.
MUST_CHECK bool db_wait(struct db_session *session, short events, uint64_t deadline_ns);

// Collects the last result of what was sent. NULL: the connection is gone (and closed here).
MUST_CHECK PGresult *db_collect(struct db_session *session, uint64_t deadline_ns);

// libpq's notice receiver; `session` is the struct db_session. Keeps what a WARNING says about a COMMIT.
void db_note_notice(void *session, const PGresult *notice);

// What a result means; remembers its SQLSTATE in the session, and writes PostgreSQL's words to the log where an
// operator has to know them.
MUST_CHECK enum db_status db_classify(struct db_session *session, const PGresult *result, const char *statement_name);

#endif
