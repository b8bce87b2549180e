// What the db*.c files share, and nobody else may include.
#ifndef WORKERS_DATABASE_DATABASE_INTERNAL_H
#define WORKERS_DATABASE_DATABASE_INTERNAL_H

#include "workers/database/database.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#define SQLSTATE_CONNECTION_LIMIT "53300" // too_many_connections: of the role, the database or the server
#define PATH_LENGTH 1024
#define COMPLAINTS_MAX 8

enum session_state { SESSION_CLOSED, SESSION_IDLE, SESSION_IN_USE };

struct db_session {
    struct db *db;
    PGconn *connection;               // NULL: closed
    struct statement_log *log;        // of the running job, or NULL
    uint64_t timeout_ns;              // for one answer
    uint64_t job_deadline_ns;         // monotonic; for all answers of the job
    _Atomic enum session_state state; // written by its worker, read by the loop for a metric
    int backend;                      // the process that PostgreSQL gave the connection
    bool prepared[STATEMENT_COUNT];
    char sqlstate[SQLSTATE_LENGTH];
    bool in_any_schema; // see db_session_open_any_schema()
    bool keeps_words;   // see db_session_keep_words()
    char words[256];
    bool unreplicated;                    // see db_session_is_unreplicated()
    TAILQ_ENTRY(db_session) waiting_link; // guarded by db->mutex: for a connection that is given back
    bool was_woken;                       // guarded by db->mutex
    pthread_cond_t woken;
};

// One place of a host list.
struct db_endpoint {
    char *host;     // NULL: only the address is given, or neither: then it is libpq's own Unix socket
    char *hostaddr; // NULL: the host's name has to be resolved, or is the folder of a Unix socket
    char *port;     // NULL: libpq's own
};

// What DATABASE_URL, the PG* variables and a service file say together, as far as this program acts on it itself.
struct db_parameters {
    struct db_endpoint *endpoints;
    size_t endpoint_count;
    bool prefers_standby;            // target_session_attrs=prefer-standby
    bool in_random_order;            // load_balance_hosts=random
    uint64_t connect_timeout_ns;     // for one address; 0: not set
    char password_file[PATH_LENGTH]; // ""; none is read
};

// What the log has said about the database since the last session was opened.
struct db_complaints {
    uint64_t said[COMPLAINTS_MAX]; // hashes
    unsigned count;
    uint64_t pause_ns; // before any of them is said again
    uint64_t next_ns;  // monotonic
};

struct db_lookup;

struct db {
    char *url;          // or NULL
    const char *schema; // or NULL: see db_use_schema()
    struct db_parameters parameters;
    int abort_fd;                       // readable once db_abort() was called
    _Atomic uint64_t limit_met_ns;      // when PostgreSQL last refused a session for a connection limit; 0: never
    _Atomic bool password_file_was_fit; // or has not been looked at
    unsigned session_count;
    struct db_session *sessions;
    pthread_mutex_t mutex; // guards what is below
    unsigned open_count;
    unsigned closed_count;
    struct db_session **open;         // a stack of free sessions: the one given back last is on top
    struct db_session **closed;       // likewise, of those without a connection
    TAILQ_HEAD(, db_session) waiting; // in the order of arrival
    struct db_lookup **lookups;       // the last of each endpoint, or NULL
    struct db_complaints complaints;
    struct text problem; // see db_problem()
    struct text schema_problem;
    char lab_schema[DATABASE_NAME_LENGTH]; // "" until bank_ensure_schema() has seen to it
};

// --- db_connection.c, the bottom of the folder ---
void db_session_set_state(struct db_session *session, enum session_state state);
// When an answer that is waited for from now on must be there.
MUST_CHECK uint64_t db_deadline(const struct db_session *session);

// Waits until the descriptor is ready for `events` (POLLIN, POLLOUT). False: aborted, timed out, or broken.
MUST_CHECK bool db_wait_for(struct db *db, int descriptor, short events, uint64_t deadline_ns);
// The same for the session's socket.
MUST_CHECK bool db_wait(struct db_session *session, short events, uint64_t deadline_ns);
MUST_CHECK bool db_is_aborted(const struct db *db);

// --- db_error.c ---
// libpq's notice receiver; `session` is the struct db_session. Keeps what a WARNING says about a COMMIT.
void db_note_notice(void *session, const PGresult *notice);

// What a result means; remembers its SQLSTATE in the session, and writes PostgreSQL's words to the log where an
// operator has to know them.
MUST_CHECK enum db_status db_classify(struct db_session *session, const PGresult *result, const char *statement_name);

// --- db_parameters.c ---
// False: `problem` is one line without secrets that names what cannot be used. To be freed in both cases.
MUST_CHECK bool db_parameters_read(const char *url, struct db_parameters *out, struct text *problem);
void db_parameters_free(struct db_parameters *parameters);

// --- db_resolve.c ---
// Begins to resolve the host of an endpoint, or joins the lookup that is under way. NULL: it cannot be begun.
MUST_CHECK struct db_lookup *db_lookup_begin(struct db *db, size_t endpoint);
// False: aborted or timed out. Otherwise `error` is getaddrinfo()'s, and `found` belongs to the lookup.
MUST_CHECK bool db_lookup_await(struct db *db, struct db_lookup *lookup, uint64_t deadline_ns, int *error,
                                const struct addrinfo **found);
void db_lookup_release(struct db_lookup *lookup); // may be NULL

// --- db_connect.c ---
// Tries the hosts and their addresses. False: `reasons` says of each why not, and the session's SQLSTATE is that of a
// server that refused, or "".
MUST_CHECK bool db_connect(struct db_session *session, uint64_t deadline_ns, struct text *reasons);

// --- db_execute.c ---
// Collects the last result of what was sent. NULL: the connection is gone (and closed here).
MUST_CHECK PGresult *db_collect(struct db_session *session, uint64_t deadline_ns);

// --- db_setup.c ---
// Looks at a new connection and sets what the program needs of it.
MUST_CHECK enum db_status db_session_setup(struct db_session *session);
// --- db_complaint.c ---
// Writes a warning to the log: at once if it has not been said since the last session was opened, else with pauses that
// grow from a second to a minute.
void db_complain(struct db *db, const char *words);
void db_forget_complaints(struct db *db);
// Sets what db_problem() gives; "": there is none.
void db_set_problem(struct db *db, const char *words);

// --- db_schema.c ---
// Of a new session: see db_session_open().
MUST_CHECK enum db_status db_session_enter_schema(struct db_session *session);

// --- db_sharing.c ---
// Whether PostgreSQL refused a session for a connection limit within the last `duration_ns`, while others are open.
MUST_CHECK bool db_limit_was_met_within(struct db *db, uint64_t duration_ns);
// PostgreSQL gives no more sessions: waits for one that another job gives back. True: there is one, or a new one may be
// tried again. False: there is none to wait for, or none came in time.
MUST_CHECK bool db_session_take_over(struct db_session *session, uint64_t deadline_ns);

#endif
