// Sessions with PostgreSQL: opened lazily, every statement prepared once a session, every wait bounded.
//
// A worker thread takes a session for a job and gives it back: between the two it is used by that thread alone. All
// calls block that thread (never the loop), but for db_abort(), which any thread may call. Only the db*.c files know
// libpq.
#ifndef WORKERS_DATABASE_DATABASE_H
#define WORKERS_DATABASE_DATABASE_H

#include "observability/base/base.h"
#include "sql/statements.h"
#include "workers/database/database_clock.h"
#include "workers/database/money_column.h"
#include "workers/database/sql_array.h"
#include "workers/database/statement_log.h"

#include <stdbool.h>
#include <stdint.h>

enum db_status {
    DB_OK,
    DB_AWAY,              // no session can be opened, or it broke: whether the statement took effect is not known
    DB_NOT_SENT,          // the session was closed, or broke before the statement was sent: no effect
    DB_UNAVAILABLE,       // the server cannot do this now (read-only, disk full): no effect, the session is closed
    DB_STALE,             // a prepared statement no longer fits the tables: no effect, the session is closed
    DB_CONFLICT,          // 40001 or 40P01: the transaction lost against another and may be tried again
    DB_TIMED_OUT,         // 55P03 or 57014: waited too long, the statement had no effect
    DB_OUT_OF_RANGE,      // 22003: a number does not fit its column
    DB_CONDITION_FAILED,  // 22012: a statement's own condition did not hold; it divides by zero to undo itself
    DB_NULL_REFUSED,      // 23502: likewise, where an account was deleted since it was read
    DB_NOT_REPRESENTABLE, // 22021 or 22P05: the database's encoding has no character for what was sent
    DB_NOT_ASKED,         // the pool did not run the job: its queue was full, or the program is stopping
    DB_ROLLED_BACK,       // COMMIT answered ROLLBACK: the transaction had failed before
    DB_FAILED,            // anything else; the log has PostgreSQL's words
};

struct db; // what all sessions share
struct db_session;
struct pg_result;

// Whether a new session may do better: this one is closed, or its server has changed.
MUST_CHECK bool db_status_wants_new_session(enum db_status status);

// The rows of an answer. Values are NUL-terminated text, owned by the rows until db_rows_free().
struct db_rows {
    struct pg_result *result; // NULL: none
};

#define DATABASE_NAME_LENGTH 64 // PostgreSQL's NAMEDATALEN: with the NUL

struct db_counts {
    uint32_t idle;   // open, nothing running
    uint32_t in_use; // running a job
};

// `url` is DATABASE_URL or NULL, then libpq's own PG* variables decide.
// False: `problem` is one line, without secrets, that names the parameter that cannot be used.
MUST_CHECK bool db_url_check(const char *url, struct text *problem);
MUST_CHECK struct db *db_new(const char *url, unsigned sessions);
void db_free(struct db *db); // closes all sessions; no worker may be at work
// BANK_API_SCHEMA, or NULL: then the search_path decides. Before any session is opened.
void db_use_schema(struct db *db, const char *schema);

// From now on nobody waits for PostgreSQL: running statements end with DB_AWAY. Any thread.
void db_abort(struct db *db);
MUST_CHECK struct db_counts db_count_sessions(struct db *db);

// Appends what makes this database unusable until somebody changes the configuration or the server, as the last session
// found it (a pooler, a setting that is refused, another program's tables); nothing where there is no such problem. Any thread.
void db_problem(struct db *db, struct text *out);
// PostgreSQL has lately refused a session for a connection limit, while others are open and work. Any thread.
MUST_CHECK bool db_is_at_connection_limit(struct db *db);

// The open session that was given back last: its backend is warm, and no more are opened than work at once. A closed one
// where none is open. There are as many as db_new() was told; asking for more breaks a rule. Any thread.
MUST_CHECK struct db_session *db_session_take(struct db *db);
void db_session_give(struct db_session *session);

// Brackets the work of one job: statements in between are written to `log`, each is given at most `answer_ms`, and all
// together at most `job_ms`.
void db_session_begin_job(struct db_session *session, struct statement_log *log, unsigned answer_ms, unsigned job_ms);
void db_session_end_job(struct db_session *session);

// Opens the session unless it is open. Where PostgreSQL refuses it for a connection limit, it waits for a session that
// another job gives back. `was_open` says whether the connection is an old one: it may have died unnoticed, and a first
// statement that fails is worth a second try on a new one.
// The session works in the schema of db_session_set_schema() only: DB_UNAVAILABLE until that is known, and where the
// lab's tables are not there.
MUST_CHECK enum db_status db_session_open(struct db_session *session, bool *was_open);
// The same without a look at the schema, for bank_ensure_schema().
MUST_CHECK enum db_status db_session_open_any_schema(struct db_session *session, bool *was_open);
void db_session_close(struct db_session *session);

// Runs one of the statements with text parameters (a NULL is SQL's NULL). `rows` may be NULL; when the answer is
// DB_OK the caller frees it, otherwise it is empty. Leaves a failed transaction open: the caller rolls back.
MUST_CHECK enum db_status db_execute(struct db_session *session, enum statement statement, const char *const *values,
                                     int value_count, struct db_rows *rows);

// A statement among several that travel together.
struct db_call {
    enum statement statement;
    const char *const *values;
    int value_count;
    struct db_rows rows; // out: as of db_execute(); to be freed when the answer is DB_OK and `keep_rows` was set
    bool keep_rows;
};

#define DB_CALLS_MAX 8

// Runs up to DB_CALLS_MAX statements in order, in one round trip (libpq's pipeline mode). The first that fails keeps
// those behind it from being run and gives the status of all; outside a transaction it undoes those before it as well.
MUST_CHECK enum db_status db_execute_all(struct db_session *session, struct db_call *calls, size_t count);

// Runs a script of many statements (schema.sql and the like), unprepared.
MUST_CHECK enum db_status db_execute_script(struct db_session *session, const char *script);

// The process that PostgreSQL gave the session; 0 while it is closed.
MUST_CHECK int db_session_backend(const struct db_session *session);

// Whether a COMMIT since db_session_begin_job() stands only on this server: its wait for the synchronous standby was
// cancelled (WARNING 01000), so a failover may lose what was committed.
MUST_CHECK bool db_session_is_unreplicated(const struct db_session *session);

// Of db_use_schema().
MUST_CHECK const char *db_session_wanted_schema(const struct db_session *session);
// Names in the statements mean the objects of this schema from now on. `has_tables`: the lab's tables are there.
MUST_CHECK enum db_status db_session_work_in(struct db_session *session, const char *schema, bool *has_tables);
// The schema has all that belongs to it: sessions opened from now on work in it.
void db_session_set_schema(struct db_session *session, const char *schema);
// Why the lab must not or cannot use the database: for db_problem(). "": it can.
void db_session_set_schema_problem(struct db_session *session, const char *words);

// A limit for the next of `statements` statements of the running job, in milliseconds: at most `most`, and so that
// PostgreSQL ends each of them before the job's time is over. At least 1, because 0 is no limit to PostgreSQL.
MUST_CHECK unsigned db_session_limit_ms(const struct db_session *session, unsigned statements, unsigned most);

// More time for the running job, and for each of its answers, counted from now.
void db_session_allow(struct db_session *session, unsigned ms);

// The caller reports the errors that remain when the statement is run again; the log does not repeat them.
void db_session_keep_words(struct db_session *session, bool keep);
// PostgreSQL's words to the last statement if it ended in such an error, else "". Valid until the next.
MUST_CHECK const char *db_session_words(const struct db_session *session);

// SQLSTATE of the last statement, "" when it went well. Valid until the next.
MUST_CHECK const char *db_session_sqlstate(const struct db_session *session);

MUST_CHECK int db_rows_count(const struct db_rows *rows);
MUST_CHECK const char *db_rows_value(const struct db_rows *rows, int row, int column);
MUST_CHECK bool db_rows_is_null(const struct db_rows *rows, int row, int column);
void db_rows_free(struct db_rows *rows);

#endif
