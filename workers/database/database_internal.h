// The private header of this folder: the session, the data that sessions share, and the functions of each file.
#ifndef WORKERS_DATABASE_DATABASE_INTERNAL_H
#define WORKERS_DATABASE_DATABASE_INTERNAL_H

#include "workers/database/database.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#define SQLSTATE_CONNECTION_LIMIT "53300" // too_many_connections: a limit of the role, the database or the server
#define PATH_LENGTH 1024
#define COMPLAINTS_MAX 8

enum session_state { SESSION_CLOSED, SESSION_IDLE, SESSION_IN_USE };

#define DB_NO_ENDPOINT SIZE_MAX

// The state of a session behind a connection pooler; see db_pooled.c.
struct db_pooled {
    bool is_on;                        // a pooler stands between the program and PostgreSQL
    bool is_unnamed;                   // statements travel with their text, because a prepared one could be lost
    bool is_pinned;                    // see db_session_pin_backend()
    uint32_t tag;                      // ends the names of the prepared statements, so that no other client has them
    struct text settings;              // the commands that each transaction begins with
    char schema[DATABASE_NAME_LENGTH]; // the schema of the transactions; "": the search_path of the role
};

struct db_session {
    struct db *db;
    PGconn *connection;               // NULL: closed
    size_t endpoint;                  // the server, in db_parameters; DB_NO_ENDPOINT while it is opened
    struct statement_trace *trace;    // statement trace of the running job, or NULL
    uint64_t timeout_ns;              // for one answer
    uint64_t job_deadline_ns;         // monotonic; for all answers of the job
    _Atomic enum session_state state; // written by its worker, read by the loop for a metric
    int backend;                      // process id of the PostgreSQL backend; 0: closed
    bool prepared[STATEMENT_COUNT];
    struct db_pooled pooled;
    char sqlstate[SQLSTATE_LENGTH];
    bool in_any_schema;                   // see db_session_open_any_schema()
    bool keeps_words;                     // see db_session_keep_words()
    struct text words;                    // see db_session_words()
    bool unreplicated;                    // see db_session_is_unreplicated()
    TAILQ_ENTRY(db_session) waiting_link; // guarded by db->mutex; in db->waiting
    bool was_woken;                       // guarded by db->mutex
    pthread_cond_t woken;
};

// One element of a list of hosts.
struct db_endpoint {
    char *host;     // NULL: only the address is given; if both are NULL, libpq's default Unix socket
    char *hostaddr; // NULL: the host is a name to resolve, or the folder of a Unix socket
    char *port;     // NULL: libpq's default
};

// The merged parameters of DATABASE_URL, the PG* variables and a service file that this program itself acts on. libpq
// acts on the others.
struct db_parameters {
    struct db_endpoint *endpoints;
    size_t endpoint_count;
    bool prefers_standby;        // target_session_attrs=prefer-standby
    bool follows_leader;         // several hosts of which one takes writes: target_session_attrs=read-write, primary
    bool in_random_order;        // load_balance_hosts=random
    uint64_t connect_timeout_ns; // for one address; 0: no limit of its own
    char password_file[PATH_LENGTH]; // "": libpq reads none
};

// The warnings about the database that were logged since the last session was opened.
struct db_complaints {
    uint64_t said[COMPLAINTS_MAX]; // hashes of their texts; the oldest is overwritten
    unsigned count;                // warnings so far; may exceed COMPLAINTS_MAX
    uint64_t attempts;             // failures since the last warning that was logged, this one included
    uint64_t next_ns;              // monotonic; no warning is repeated before this time
};

struct db {
    char *url;          // DATABASE_URL, or NULL
    const char *schema; // see db_use_schema(); or NULL
    struct db *standby; // see db_use_standby(); or NULL
    struct db *primary; // the database that this one is the standby of; or NULL
    struct db_parameters parameters;
    int abort_fd; // an eventfd that is readable after db_abort()
    // Monotonic; when PostgreSQL last refused a session because of a connection limit. 0: never.
    _Atomic uint64_t limit_met_ns;
    // The endpoint that accepted the last session. Sessions with another one are given up if the program follows the
    // leader (see db_session_is_left_behind()). DB_NO_ENDPOINT: none yet.
    _Atomic size_t leader;
    _Atomic bool password_file_was_fit; // as of the last check; true before the first check
    // Monotonic; until then, new sessions behind a pooler send their statements without names. 0: never.
    _Atomic uint64_t pooler_unnamed_until_ns;
    pthread_mutex_t pooler_mutex; // held while one session examines the pooler; guards the next field
    uint64_t pooler_fit_until_ns; // monotonic; until then, new sessions rely on the last examination
    unsigned session_count;
    struct db_session *sessions;
    pthread_mutex_t mutex; // guards the fields below
    unsigned open_count;
    unsigned closed_count;
    // Two stacks of free sessions, with and without a connection. The session that was given back last is on top.
    struct db_session **open;
    struct db_session **closed;
    // Sessions of running jobs that wait for a connection, in order of arrival. db_session_take_over() adds one,
    // wake_first_waiting() removes it, and a session that was not woken before its deadline removes itself.
    TAILQ_HEAD(, db_session) waiting;
    struct db_lookup **lookups; // the last lookup of each endpoint, or NULL
    struct db_complaints complaints;
    struct text problem; // see db_problem(), which returns it rather than schema_problem
    struct text schema_problem;
    char lab_schema[DATABASE_NAME_LENGTH]; // set by bank_ensure_schema(); "" before
};

// --- db_connection.c, the bottom of the folder ---
void db_session_set_state(struct db_session *session, enum session_state state);
// Returns the deadline (monotonic) of an answer that is awaited from now on.
MUST_CHECK uint64_t db_deadline(const struct db_session *session);

// True while the server of an open session replays. PostgreSQL reports the end of it with the next answer (since 14).
MUST_CHECK bool db_session_is_in_recovery(const struct db_session *session);
// True if a later session was accepted by another of the hosts, of which one takes writes. The server of this session
// is then no longer the leader. If its machine hangs, nothing else says so before the timeouts of TCP.
MUST_CHECK bool db_session_is_left_behind(const struct db_session *session);

// Waits until the descriptor is ready for `events` (POLLIN, POLLOUT). False: db_abort() was called, the deadline is
// over, or poll() failed.
MUST_CHECK bool db_wait_for(struct db *db, int descriptor, short events, uint64_t deadline_ns);
// The same for the session's socket. False also if the session is left behind.
MUST_CHECK bool db_wait(struct db_session *session, short events, uint64_t deadline_ns);
MUST_CHECK bool db_is_aborted(const struct db *db);

// --- db_error.c ---
// libpq's notice receiver; `session` is the struct db_session. Notes and logs the WARNING of a COMMIT that did not
// reach the synchronous standby.
void db_note_notice(void *session, const PGresult *notice);

// Returns the meaning of a result; NULL is a lost connection. Stores its SQLSTATE in the session, and logs PostgreSQL's
// message if an operator needs it.
MUST_CHECK enum db_status db_classify(struct db_session *session, const PGresult *result, const char *statement_name);

// --- db_parameters.c ---
// Reads and checks the parameters. False: see db_url_check(). The caller frees `out` in both cases.
MUST_CHECK bool db_parameters_read(const char *url, struct db_parameters *out, struct text *problem);
void db_parameters_free(struct db_parameters *parameters);
// Returns the parameters as libpq merges them; the caller frees them. NULL: libpq refused one of them.
MUST_CHECK PQconninfoOption *db_parameters_merge(const char *url, struct text *problem);
// The value of a parameter; NULL: it is not set.
MUST_CHECK const char *db_parameter(const PQconninfoOption *options, const char *keyword);
// Writes the path of a file in the user's home folder.
void db_in_home_folder(char *out, size_t size, const char *file);

// --- db_resolve.c ---
// Begins to resolve the host of an endpoint, or joins the running lookup. NULL: no thread or descriptor is left.
MUST_CHECK struct db_lookup *db_lookup_begin(struct db *db, size_t endpoint);
// False: aborted or timed out. True: `error` is the result of getaddrinfo(), and the lookup owns `found`.
MUST_CHECK bool db_lookup_await(struct db *db, struct db_lookup *lookup, uint64_t deadline_ns, int *error,
                                const struct addrinfo **found);
// The result of getaddrinfo(), of a lookup that is done. The lookup owns `found`.
MUST_CHECK int db_lookup_result(const struct db_lookup *lookup, const struct addrinfo **found);

// --- db_connect.c ---
// Tries the hosts and their addresses. False: `reasons` has the error of each attempt. The session's SQLSTATE is that
// of a server that refused the connection, or "".
MUST_CHECK bool db_connect(struct db_session *session, uint64_t deadline_ns, struct text *reasons);

// --- db_round_trip.c ---
// Waits for all results of the last command, and returns its first error or its last result. The caller clears it.
// NULL: the connection broke, and the session was closed. If it broke after an error, the error is returned.
MUST_CHECK PGresult *db_collect(struct db_session *session, uint64_t deadline_ns);
// Adds the statement to the trace of the job. It has just been answered.
void db_log_run(struct db_session *session, enum statement statement, uint64_t started_ns);
// Runs the statements as they are, in one round trip.
MUST_CHECK enum db_status db_run_calls(struct db_session *session, struct db_call *calls, size_t count);

// --- db_setup.c ---
// Checks a new connection (of a standby, that it is one) and applies the settings that the program needs.
MUST_CHECK enum db_status db_session_setup(struct db_session *session);

// --- db_pooled.c: transactions behind a pooler ---
// Keeps the settings that each transaction begins with. `known` has a name and a value in each row: settings that not
// every version of PostgreSQL has, or whose value depends on the server.
void db_pooled_take_settings(struct db_session *session, const PGresult *known);
// Begins a transaction with one of the STATEMENT_BEGINs. DB_NOT_SENT: the connection broke.
MUST_CHECK enum db_status db_pooled_begin(struct db_session *session, enum statement begin);
// Runs statements outside a transaction, or statements that begin one: see db_execute_all().
MUST_CHECK enum db_status db_pooled_run(struct db_session *session, struct db_call *calls, size_t count);
// Runs a script in a transaction of its own.
MUST_CHECK enum db_status db_pooled_script(struct db_session *session, const char *script);
// From now on the session sends its statements with their text.
void db_pooled_forget_names(struct db_session *session);

// --- db_pooler.c ---
// Finds out whether the pooler can serve this program. DB_CONNECTION_LOST: it cannot, and db_problem() says why, or the
// connection broke.
MUST_CHECK enum db_status db_pooler_examine(struct db_session *session);

// --- db_complaint.c ---
// Logs a warning: at once if it is new since the last session was opened, else after pauses that grow from a second to
// a minute. Any thread.
void db_complain(struct db *db, const char *words);
void db_forget_complaints(struct db *db);
// Sets the problem that db_problem() returns; "": there is no problem.
void db_set_problem(struct db *db, const char *words);
// Appends the words of a problem, with the variable of the standby in place of those of the primary.
void db_append_standby_words(struct text *out, const char *words);

// --- db_schema.c ---
// Makes a new session work in the lab's schema. DB_UNAVAILABLE: see db_session_open().
MUST_CHECK enum db_status db_session_enter_schema(struct db_session *session);

// --- db_sharing.c ---
// True if PostgreSQL refused a session because of a connection limit within the last `duration_ns`, and others are
// open.
MUST_CHECK bool db_limit_was_met_within(struct db *db, uint64_t duration_ns);
// PostgreSQL refuses more sessions: takes the connection of a free session, or waits for one that a job gives back.
// True: the session has a connection, or may try again to open one. False: no session is open, or none was given back
// in time.
MUST_CHECK bool db_session_take_over(struct db_session *session, uint64_t deadline_ns);

#endif
