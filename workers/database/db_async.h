// A connection to PostgreSQL that never blocks the loop: for programs that run several sessions in one thread.
// It takes any SQL. The sessions of the bank (database.h) run the statements of sql/statements.sql on worker threads.
//
// All functions belong to the thread of the loop. Only db_async_open(), db_async_await() and db_async_cancel() wait for
// the server.
#ifndef WORKERS_DATABASE_DB_ASYNC_H
#define WORKERS_DATABASE_DB_ASYNC_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <uv.h>

struct db_async;

enum db_async_transaction {
    DB_ASYNC_NO_TRANSACTION,
    DB_ASYNC_IN_TRANSACTION,
    DB_ASYNC_FAILED_TRANSACTION, // only ROLLBACK or COMMIT is accepted
    DB_ASYNC_BROKEN,             // the connection is lost
};

// The answer to one statement. It is valid until the next send.
struct db_async_answer;

// Called once when all answers to a send have arrived, or when the connection is lost.
typedef void db_async_done(void *user);
// Called for each notice or warning, in the order of its arrival. `text` is what psql shows, such as
// "NOTICE:  table is empty\n": it ends with a line feed, and may have more lines, such as a hint.
typedef void db_async_notice(void *user, const char *text);
// Called for each notification that arrives.
typedef void db_async_notification(void *user, const char *channel, const char *payload, int backend);

enum { DB_ASYNC_CANCEL_MS = 50 }; // the pause between two requests to cancel one statement

// Connects, and runs the loop meanwhile. NULL: `problem` is libpq's message in one line. `conninfo` is a URL or a list
// of keyword=value. `is_stopped`: when it becomes true, a wait ends early; NULL: it never does.
MUST_CHECK struct db_async *db_async_open(uv_loop_t *loop, const char *conninfo, const bool *is_stopped,
                                          struct text *problem);
// Closes the connection. The memory is freed by a callback of the loop.
void db_async_close(struct db_async *connection);

void db_async_on_notice(struct db_async *connection, db_async_notice *notice, db_async_notification *notification,
                        void *user);

// Sends one simple query, which may hold several statements.
// Only one send may be unanswered at a time. `done` may be called before the function returns.
void db_async_query(struct db_async *connection, const char *sql, db_async_done *done, void *user);
// Sends statements in order, in one round trip, each prepared at its first use. A statement after one that failed is
// not run. `sql` is borrowed during the call.
void db_async_execute(struct db_async *connection, const char *const *sql, size_t count, db_async_done *done,
                      void *user);
// A statement with text parameters; NULL is the NULL of SQL.
struct db_async_call {
    const char *sql;
    const char *const *values;
    size_t value_count;
};
// The same for statements with parameters. PostgreSQL runs them in one transaction, unless one of them is BEGIN.
void db_async_execute_calls(struct db_async *connection, const struct db_async_call *calls, size_t count,
                            db_async_done *done, void *user);
// The same for one statement with text parameters; NULL is the NULL of SQL.
void db_async_execute_with(struct db_async *connection, const char *sql, const char *const *values, size_t value_count,
                           db_async_done *done, void *user);
// The same behind the statement `before`, which has no parameters; NULL: there is none.
void db_async_execute_behind(struct db_async *connection, const char *before, const char *sql,
                             const char *const *values, size_t value_count, db_async_done *done, void *user);
// Runs the loop until the last send is answered. If `is_stopped` becomes true, the statement is cancelled.
void db_async_await(uv_loop_t *loop, struct db_async *connection);
MUST_CHECK bool db_async_is_stopped(const struct db_async *connection);
// Later statements are run to their end: they clean up.
void db_async_ignore_stop(struct db_async *connection);
// Runs what is due in the loop, and waits for more: at most so long, or until the descriptor (-1: none) has an event of
// poll().
void db_async_run_loop(uv_loop_t *loop, int descriptor, short events, int milliseconds);
// Forgets the prepared statements: after DISCARD or DEALLOCATE, or when the tables have changed.
void db_async_forget_prepared(struct db_async *connection);

// True between a send and its `done`.
MUST_CHECK bool db_async_is_busy(const struct db_async *connection);
MUST_CHECK enum db_async_transaction db_async_transaction(const struct db_async *connection);
// The number of the backend process; it stays the same until the connection is closed.
MUST_CHECK int db_async_backend(const struct db_async *connection);
MUST_CHECK int db_async_server_version(const struct db_async *connection); // 150018 for 15.18
// Asks the server to cancel the running statement. Blocks for one connection attempt.
void db_async_cancel(struct db_async *connection);

// The answers to the last send that have arrived, in order. A statement that was not run has none.
MUST_CHECK size_t db_async_answer_count(const struct db_async *connection);
MUST_CHECK const struct db_async_answer *db_async_answer(const struct db_async *connection, size_t index);
// The last answer of the last send, or NULL.
MUST_CHECK const struct db_async_answer *db_async_last_answer(const struct db_async *connection);
// The first error of the last send, or NULL. A lost connection gives SQLSTATE 08006.
MUST_CHECK const struct db_async_answer *db_async_error(const struct db_async *connection);

MUST_CHECK bool db_async_has_rows(const struct db_async_answer *answer); // false: a command without a table of rows
MUST_CHECK const char *db_async_sqlstate(const struct db_async_answer *answer); // "": no error
MUST_CHECK const char *db_async_severity(const struct db_async_answer *answer); // "ERROR", "FATAL"
MUST_CHECK const char *db_async_message(const struct db_async_answer *answer);  // the primary message
// All lines of an error as psql shows them: "ERROR:  ...\nDETAIL:  ...\n". For a lost connection: the text of the
// error that the server sent before, if any, and then libpq's words.
MUST_CHECK const char *db_async_error_text(const struct db_async_answer *answer);
// True if the server sent the error; false: libpq made it, because the connection was lost.
MUST_CHECK bool db_async_is_from_server(const struct db_async_answer *answer);
MUST_CHECK const char *db_async_tag(const struct db_async_answer *answer);       // "UPDATE 1"
MUST_CHECK const char *db_async_row_count(const struct db_async_answer *answer); // "1" of "UPDATE 1"; "": it has none
MUST_CHECK int db_async_rows(const struct db_async_answer *answer);
MUST_CHECK int db_async_columns(const struct db_async_answer *answer);
MUST_CHECK const char *db_async_column_name(const struct db_async_answer *answer, int column);
// The table and the number of the column that this column shows; 0 if it is an expression.
MUST_CHECK unsigned db_async_column_table(const struct db_async_answer *answer, int column);
MUST_CHECK int db_async_column_number(const struct db_async_answer *answer, int column);
MUST_CHECK const char *db_async_value(const struct db_async_answer *answer, int row, int column); // NULL: SQL's NULL

#endif
