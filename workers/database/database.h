// Sessions with PostgreSQL. A session opens its connection when a job first needs it, prepares each statement once, and
// limits the time of every wait.
//
// A worker takes a session for a job and gives it back; between the two only that thread uses it. Functions that wait
// for PostgreSQL block the worker, so the loop calls only those that are marked "Any thread". Only this folder uses
// libpq.
#ifndef WORKERS_DATABASE_DATABASE_H
#define WORKERS_DATABASE_DATABASE_H

#include "observability/base/base.h"
#include "sql/statements.h"
#include "workers/database/database_clock.h"
#include "workers/database/db_address.h"
#include "workers/database/db_async.h"
#include "workers/database/db_tls.h"
#include "workers/database/money_column.h"
#include "workers/database/sql_array.h"
#include "workers/database/statement_trace.h"

#include <stdbool.h>
#include <stdint.h>

enum db_status {
    DB_OK,
    // no session can be opened, or it broke: it is not known whether the statement had an effect
    DB_CONNECTION_LOST,
    DB_NOT_SENT,          // the session was closed, or broke before the statement was sent: no effect
    DB_UNAVAILABLE,       // the server cannot do this now (read-only, disk full): no effect, the session was closed
    DB_STALE,             // a prepared statement no longer fits the tables: no effect, the session was closed
    DB_CONFLICT,          // 40001 or 40P01: the transaction lost against another one and may be retried
    DB_TIMED_OUT,         // 55P03 or 57014: the statement waited too long and had no effect
    DB_OUT_OF_RANGE,      // 22003: a number does not fit its column
    DB_CONDITION_FAILED,  // 22012: the statement divided by zero on purpose, to fail when its condition does not hold
    DB_DUPLICATE,         // 23505: another transaction has inserted this key
    DB_NULL_REFUSED,      // 23502: the same, because an account was deleted after it was read
    DB_NOT_REPRESENTABLE, // 22021 or 22P05: the database's encoding cannot write a character of the parameters
    DB_NOT_ASKED,         // the pool did not run the job: the queue was full, or the program is stopping
    DB_ROLLED_BACK,       // the answer to COMMIT was ROLLBACK: the transaction had failed before
    DB_FAILED,            // any other error; PostgreSQL's message is in the log
};

struct db; // the data that all sessions share
struct db_session;
struct pg_result;

// True if the work may succeed on a new session: this one is closed, or its server has changed.
MUST_CHECK bool db_status_wants_new_session(enum db_status status);

// The rows of an answer. Values are NUL-terminated text that stays valid until db_rows_free().
struct db_rows {
    struct pg_result *result; // NULL: no rows
};

struct db_counts {
    uint32_t idle;   // open, and no job uses it
    uint32_t in_use; // open, and a job uses it
};

// `url` is DATABASE_URL. If it is NULL, libpq's PG* variables name the database.
// False: `problem` is one line without secrets that names the parameter that cannot be used.
MUST_CHECK bool db_url_check(const char *url, struct text *problem);
MUST_CHECK struct db *db_new(const char *url, unsigned sessions);
void db_free(struct db *db); // closes all sessions; no job may be running
// `schema` is BANK_API_SCHEMA, or NULL to use the search_path. It is borrowed. Call it before the workers start.
void db_use_schema(struct db *db, const char *schema);

// `url` is BANK_API_STANDBY_URL, which names a hot standby of `db`. Call it before the workers start. The standby has a
// session for each session of `db`, and shares its end: db_abort() and db_free() mean both.
void db_use_standby(struct db *db, const char *url);
MUST_CHECK bool db_has_standby(const struct db *db);
// The same as db_url_check(), for the standby.
MUST_CHECK bool db_standby_url_check(const char *url, struct text *problem);

// Ends all waits for PostgreSQL, now and later: running statements end with DB_CONNECTION_LOST. Any thread.
void db_abort(struct db *db);
// Any thread.
MUST_CHECK struct db_counts db_count_sessions(struct db *db);

// Appends the problem that makes this database unusable until its configuration changes, as the last session found it:
// another engine, a pooler that loses sessions, a refused setting, or tables of another program. Appends nothing if
// there is no such problem. Any thread.
void db_problem(struct db *db, struct text *out);
// True if PostgreSQL has refused a session lately because of a connection limit, while other sessions are open.
// Any thread.
MUST_CHECK bool db_is_at_connection_limit(struct db *db);

// Takes the open session that was given back last, or a closed one if no free session is open. So the backend's caches
// are warm, and the lab opens no more sessions than jobs run at once. At most the number of sessions of db_new() may be
// taken at a time. Any thread.
MUST_CHECK struct db_session *db_session_take(struct db *db);
void db_session_give(struct db_session *session);

// Begins and ends the work of one job. The statements in between are recorded in `trace`. The answer to each may take
// `answer_ms`, and all of them together `job_ms`.
void db_session_begin_job(struct db_session *session, struct statement_trace *trace, unsigned answer_ms,
                          unsigned job_ms);
void db_session_end_job(struct db_session *session);

// Opens the session unless it is open. If PostgreSQL refuses it because of a connection limit, the call waits for a
// session that another job gives back. `was_open`: the connection is an old one. It may be broken without our
// knowledge, so the caller may retry on a new connection if the first statement fails.
// Statements work in the schema of db_session_set_schema(). The result is DB_UNAVAILABLE until that schema is known,
// and when the lab's tables are missing in it.
MUST_CHECK enum db_status db_session_open(struct db_session *session, bool *was_open);
// The same without the schema, for bank_ensure_schema().
MUST_CHECK enum db_status db_session_open_any_schema(struct db_session *session, bool *was_open);
void db_session_close(struct db_session *session);
// Closes the session if DATABASE_URL names several hosts and wants the one that takes writes: db_session_open() then
// looks which one it is. An open session may be one with a former leader that hangs.
void db_session_doubt_leader(struct db_session *session);

// Runs one of the statements with text parameters (NULL is the NULL of SQL). `rows` may be NULL. The caller frees the
// rows if the result is DB_OK; otherwise there are none. A failed transaction stays open: the caller rolls it back.
MUST_CHECK enum db_status db_execute(struct db_session *session, enum statement statement, const char *const *values,
                                     int value_count, struct db_rows *rows);

// One of several statements that are sent in one round trip.
struct db_call {
    enum statement statement;
    const char *const *values;
    int value_count;
    struct db_rows rows; // out: the caller frees them if the result is DB_OK and `keep_rows` is set
    bool keep_rows;
};

#define DB_CALLS_MAX 8

// Runs up to DB_CALLS_MAX statements in order, in one round trip (libpq's pipeline mode). The status is that of the
// first statement that fails. PostgreSQL skips the statements behind it. Outside a transaction it also undoes those
// before it.
MUST_CHECK enum db_status db_execute_all(struct db_session *session, struct db_call *calls, size_t count);

// Runs a read at the standby, within the time of the job of `session`. The database must have a standby. The status
// says what happened there, and nothing of the primary. `traced`: it is recorded in the statement trace of the job.
MUST_CHECK enum db_status db_execute_at_standby(struct db_session *session, bool traced, enum statement statement,
                                                const char *const *values, int value_count, struct db_rows *rows);
// Opens a session of the standby if there is one, so that db_problem() knows whether it can be used.
void db_check_standby(struct db_session *session);

// Sends ROLLBACK. If that fails, closes the session, which ends the transaction too.
void db_roll_back(struct db_session *session);

// Runs a script of many statements, such as schema.sql, without preparing them.
MUST_CHECK enum db_status db_execute_script(struct db_session *session, const char *script);

// The process id of the session's PostgreSQL backend; 0 while the session is closed. Behind a pooler it is the backend
// of the running transaction, or of the last one.
MUST_CHECK int db_session_backend(const struct db_session *session);
// Behind a pooler, outside a transaction: begins the next one (READ COMMITTED) now, so that its backend is known. The
// next STATEMENT_BEGIN does nothing. Elsewhere the backend is always known.
MUST_CHECK enum db_status db_session_pin_backend(struct db_session *session);

// True if a COMMIT since db_session_begin_job() is only on this server: its wait for the synchronous standby was
// cancelled (WARNING 01000), so a failover may lose the commit.
MUST_CHECK bool db_session_is_unreplicated(const struct db_session *session);

// Returns the schema that db_use_schema() got, or NULL.
MUST_CHECK const char *db_session_wanted_schema(const struct db_session *session);
// From now on the names in statements mean the objects of this schema. `has_tables`: it has the lab's tables.
MUST_CHECK enum db_status db_session_work_in(struct db_session *session, const char *schema, bool *has_tables);
// Copies the schema of db_session_set_schema(). False: it is not known yet. Any thread.
MUST_CHECK bool db_lab_schema(struct db *db, char out[static DATABASE_NAME_LENGTH]);
// The schema is complete: sessions that are opened from now on work in it.
void db_session_set_schema(struct db_session *session, const char *schema);
// Sets why the lab cannot use the schema, for db_problem(). "": there is no problem.
void db_session_set_schema_problem(struct db_session *session, const char *words);

// Returns the timeout in milliseconds for each of the next `statements` statements of the running job. It is at most
// `most`, and so short that PostgreSQL ends all of them before the job's time is over. It is at least 1, because 0
// means no limit to PostgreSQL.
MUST_CHECK unsigned db_session_limit_ms(const struct db_session *session, unsigned statements, unsigned most);

// Gives the running job, and each of its answers, this much time from now on.
void db_session_allow(struct db_session *session, unsigned ms);

// While `keep` is set, errors that a retry would not change are not logged: the caller reports them. See
// db_session_words().
void db_session_keep_words(struct db_session *session, bool keep);
// PostgreSQL's message if the last statement ended in such an error, else "". Valid until the next statement.
MUST_CHECK const char *db_session_words(struct db_session *session);

// SQLSTATE of the last statement, or "" if it succeeded. Valid until the next statement.
MUST_CHECK const char *db_session_sqlstate(const struct db_session *session);

MUST_CHECK int db_rows_count(const struct db_rows *rows);
MUST_CHECK const char *db_rows_value(const struct db_rows *rows, int row, int column);
// Returns the value of a column of an integer type. SQL's NULL reads as 0.
MUST_CHECK int64_t db_rows_integer(const struct db_rows *rows, int row, int column);
MUST_CHECK bool db_rows_is_null(const struct db_rows *rows, int row, int column);
void db_rows_free(struct db_rows *rows);

#endif
