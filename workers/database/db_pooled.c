// Transactions behind a connection pooler. Between two transactions a session there may get another backend, so it
// keeps neither settings nor a backend. Each transaction therefore begins with all settings that the program relies on,
// and a statement outside a transaction gets one of its own. Worker threads.
//
// db_pooled_run() > db_pooled_begin(), db_run_calls(), and COMMIT if the caller has begun no transaction.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <stdlib.h>
#include <string.h>

#define BEGINS_MAX 20
#define UNNAMED_NS (60 * NANOSECONDS_PER_SECOND) // for new sessions, after a prepared statement was lost

// These act only on a later transaction or on a session without one, or have another value.
static bool is_left_out(const char *setting) {
    return strncmp(setting, "default_transaction_", strlen("default_transaction_")) == 0 ||
           strncmp(setting, "idle_session_timeout", strlen("idle_session_timeout")) == 0 ||
           strncmp(setting, "statement_timeout", strlen("statement_timeout")) == 0 ||
           strncmp(setting, "lock_timeout", strlen("lock_timeout")) == 0;
}

static void append_limit(struct text *out, const char *name, unsigned ms) {
    text_append_format(out, "SET LOCAL %s = %u;", name, ms);
}

// SET LOCAL takes no snapshot, as session.sql says, so the first statement of the caller takes it.
void db_pooled_take_settings(struct db_session *session, const PGresult *known) {
    struct text *out = &session->pooled.settings;
    text_clear(out);
    append_limit(out, "statement_timeout", DATABASE_STATEMENT_TIMEOUT_MS);
    append_limit(out, "lock_timeout", DATABASE_LOCK_TIMEOUT_MS);
    for (const char *line = sql_session; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *setting = line + strlen("SET ");
        if (strncmp(line, "SET ", strlen("SET ")) == 0 && !is_left_out(setting)) {
            text_append_string(out, "SET LOCAL ");
            text_append(out, setting, strcspn(setting, "\n"));
        }
    }
    for (int row = 0; row < PQntuples(known); row++) {
        text_append_format(out, "SET LOCAL %s = '%s';", PQgetvalue(known, row, 0), PQgetvalue(known, row, 1));
    }
}

static void append_path(const struct db_session *session, struct text *out) {
    const char *schema = session->pooled.schema;
    if (schema[0] == '\0') {
        text_append_string(out, "SET LOCAL search_path TO DEFAULT;");
        return;
    }
    char *quoted = PQescapeIdentifier(session->connection, schema, strlen(schema));
    CHECK(quoted != NULL); // NULL means: out of memory, or a schema's name that PostgreSQL itself would not have given
    text_append_format(out, "SET LOCAL search_path = %s, pg_temp;", quoted);
    PQfreemem(quoted);
}

// Sends a command, and keeps what the session knows of the error before it.
static bool run_quietly(struct db_session *session, const char *command) {
    uint64_t deadline_ns = db_deadline(session);
    PGresult *result = PQsendQuery(session->connection, command) == 1 ? db_collect(session, deadline_ns) : NULL;
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return done;
}

// Undoes a transaction that the caller does not know of.
static void end_own(struct db_session *session) {
    bool is_open = session->connection != NULL && PQtransactionStatus(session->connection) != PQTRANS_IDLE;
    if (is_open && !run_quietly(session, "ROLLBACK")) {
        db_session_close(session);
    }
}

static void append_begin(const struct db_session *session, enum statement begin, struct text *out) {
    const char *sql = statement_texts[begin].sql;
    text_append(out, sql, strcspn(sql, ";"));
    // The defaults of the backend are not ours to know.
    text_append_string(out, begin == STATEMENT_BEGIN_READING ? " NOT DEFERRABLE;" : " READ WRITE NOT DEFERRABLE;");
    text_append_slice(out, text_slice(&session->pooled.settings));
    append_path(session, out);
    // Under another level it would take the snapshot of the whole transaction.
    text_append_string(out, begin == STATEMENT_BEGIN ? "SELECT pg_catalog.pg_backend_pid()" : "");
}

static enum db_status send_begin(struct db_session *session, enum statement begin, const char *script) {
    uint64_t started_ns = clock_monotonic_ns();
    uint64_t deadline_ns = db_deadline(session);
    PGresult *result = PQsendQuery(session->connection, script) == 1 ? db_collect(session, deadline_ns) : NULL;
    enum db_status status = db_classify(session, result, statement_texts[begin].name);
    db_log_run(session, begin, started_ns);
    session->backend = status == DB_OK && PQntuples(result) == 1 ? atoi(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    return status;
}

// One message begins the transaction and sets all it needs. A connection that breaks here has begun nothing else. A
// statement_timeout that another client has left on the backend may end it; then it had no effect, and is sent again.
enum db_status db_pooled_begin(struct db_session *session, enum statement begin) {
    struct text script = {0};
    append_begin(session, begin, &script);
    enum db_status status = DB_TIMED_OUT;
    for (unsigned i = 0; i < BEGINS_MAX && status == DB_TIMED_OUT && session->connection != NULL; i++) {
        status = send_begin(session, begin, text_terminated(&script));
        if (status != DB_OK) {
            end_own(session);
        }
    }
    text_free(&script);
    if (status == DB_CONNECTION_LOST || session->connection == NULL) {
        db_session_close(session);
        return DB_NOT_SENT;
    }
    return status;
}

// The statements commit by themselves, so they get a transaction with nothing else in it.
static enum db_status run_and_commit(struct db_session *session, struct db_call *calls, size_t count) {
    struct db_call all[DB_CALLS_MAX + 1];
    memcpy(all, calls, count * sizeof calls[0]);
    all[count] = (struct db_call){.statement = STATEMENT_COMMIT};
    enum db_status status = db_run_calls(session, all, count + 1);
    memcpy(calls, all, count * sizeof calls[0]);
    if (status != DB_OK) {
        end_own(session);
    }
    return status;
}

enum db_status db_pooled_script(struct db_session *session, const char *script) {
    enum db_status status = db_pooled_begin(session, STATEMENT_BEGIN);
    const char *const commands[] = {script, "COMMIT"};
    for (size_t i = 0; i < 2 && status == DB_OK; i++) {
        uint64_t deadline_ns = db_deadline(session);
        PGresult *result = PQsendQuery(session->connection, commands[i]) == 1 ? db_collect(session, deadline_ns) : NULL;
        status = db_classify(session, result, "script");
        PQclear(result);
    }
    if (status != DB_OK) {
        end_own(session);
    }
    return status;
}

static bool begins_transaction(enum statement statement) {
    return strcmp(statement_texts[statement].operation, "BEGIN") == 0;
}

enum db_status db_pooled_run(struct db_session *session, struct db_call *calls, size_t count) {
    enum statement first = calls[0].statement;
    bool begins = begins_transaction(first);
    if (first == STATEMENT_SCHEMA_PATH_RESET) { // the next transactions have the role's search_path
        session->pooled.schema[0] = '\0';
        return DB_OK;
    }
    if (first == STATEMENT_ROLLBACK || first == STATEMENT_COMMIT) { // the transaction has ended with an error
        return first == STATEMENT_ROLLBACK ? DB_OK : DB_ROLLED_BACK;
    }
    enum db_status status = db_pooled_begin(session, begins ? first : STATEMENT_BEGIN);
    if (status != DB_OK) {
        return status;
    }
    if (!begins) {
        return run_and_commit(session, calls, count);
    }
    return count == 1 ? DB_OK : db_run_calls(session, calls + 1, count - 1);
}

// A server connection of the pooler may keep a stale plan under the text of the statement, and a pooler whose mode was
// changed may lose the statement. A statement without a name has neither problem.
void db_pooled_forget_names(struct db_session *session) {
    struct db *db = session->db;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t before_ns = atomic_exchange(&db->pooler_unnamed_until_ns, now_ns + UNNAMED_NS);
    if (before_ns < now_ns) {
        log_write(LOG_LEVEL_WARN, NULL,
                  "A prepared statement is lost or stale behind the pooler (%s): sessions send the statements with "
                  "their text for a minute",
                  session->sqlstate);
    }
    session->pooled.is_unnamed = true;
    end_own(session);
}

enum db_status db_session_pin_backend(struct db_session *session) {
    bool needs_it = session->pooled.is_on && session->connection != NULL &&
                    PQtransactionStatus(session->connection) == PQTRANS_IDLE;
    if (!needs_it) {
        return DB_OK;
    }
    enum db_status status = db_pooled_begin(session, STATEMENT_BEGIN);
    session->pooled.is_pinned = status == DB_OK;
    return status;
}
