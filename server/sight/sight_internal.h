// A connection as the proxy sees it: its prepared statements, portals, and the messages whose answers are to come.
#ifndef SERVER_SIGHT_SIGHT_INTERNAL_H
#define SERVER_SIGHT_SIGHT_INTERNAL_H

#include "server/sight/sight_findings.h"
#include "server/sight/sight_judge.h"

struct sight {
    struct sight_options options;
    struct catalogue *catalogue;
    struct history *history;
    struct findings *findings;
    struct sql_cache *cache;
    struct versions *versions; // NULL: no trigger records row versions
    LIST_HEAD(, sight_session) sessions;
    size_t session_count;
    uint64_t statements, unparsed, reads, writes, dropped;
};

struct description {
    size_t references;
    size_t count;
    struct sight_field fields[];
};

struct prepared {
    LIST_ENTRY(prepared) link; // while it has a name that the client may use
    size_t references;
    struct sql_text *text;
    struct description *description; // NULL: not known yet
    uint32_t *types;
    size_t type_count;
    char name[];
};

enum { BOUND_VALUE_MAX = 256 }; // a longer value is no key

struct portal {
    LIST_ENTRY(portal) link;
    size_t references;
    size_t size;
    struct prepared *prepared;
    struct description *description; // NULL: that of the statement, in `formats`
    struct sight_value *values;      // copies; data NULL: NULL or too long
    size_t value_count;
    int16_t *formats;
    size_t format_count;
    char name[];
};

// The values of parameters, with their types.
struct parameters {
    const struct sight_value *values;
    size_t count;
    const uint32_t *types;
    size_t type_count;
};

// The rows that one column list takes from one table.
struct source {
    struct table *table;
    size_t key_fields[KEY_COLUMNS_MAX];
    bool has_key;
    uint64_t columns;
};
enum { SOURCES_MAX = 8, RETURNED_MAX = 1000 };

// A statement that the server runs.
struct execution {
    const struct sql_text *text;
    const struct sql_statement *statement; // NULL: unknown
    size_t index;                          // the statement's place in its text
    struct parameters parameters;
    uint64_t sent, sent_ns;
    struct quote *quote; // made at first use
    struct source sources[SOURCES_MAX];
    size_t source_count;
    bool is_planned;      // the sources are known
    bool is_fetch;        // the statement is that of a cursor
    struct table *table;  // that the statement names, or reads through a view; NULL: none or ambiguous
    struct table *view;   // the view, or NULL
    char *own_key;        // by the WHERE; NULL: unknown
    struct text returned; // keys of the rows of RETURNING, each with a NUL behind it
    size_t returned_count;
    size_t row_count;
};

// A savepoint or a cursor of the transaction.
struct mark {
    LIST_ENTRY(mark) link;
    uint64_t sent;         // a savepoint's place in the order
    struct sql_text *text; // a cursor's query; NULL: a savepoint
    size_t statement;      // in the text
    char name[];
};
enum { MARKS_MAX = 256 };

struct transaction {
    struct unit *unit; // NULL: none yet
    bool is_explicit, has_failed, is_repeatable;
    bool wants_undo;         // an error has undone writes, and it is not known yet back to which savepoint
    LIST_HEAD(, mark) marks; // the newest first
    size_t mark_count;
    struct transaction_writes writes;
};

enum pending_kind { PENDING_QUERY, PENDING_DESCRIBE, PENDING_EXECUTE, PENDING_SYNC };

struct pending {
    TAILQ_ENTRY(pending) link;
    enum pending_kind kind;
    struct prepared *prepared;       // for a description
    struct portal *portal;           // for a description or an execution
    struct sql_text *text;           // for a query
    struct description *description; // for a query: that of its present result
    size_t statement;                // for a query: the one that runs
    struct execution execution;
    bool is_running; // the execution has begun to answer
    uint64_t sent, sent_ns;
};

struct sight_session {
    LIST_ENTRY(sight_session) link;
    struct sight *sight;
    char *database;
    uint32_t backend_pid;
    LIST_HEAD(, prepared) prepared;
    LIST_HEAD(, portal) portals;
    TAILQ_HEAD(, pending) pending;
    size_t pending_count, memory;
    uint64_t awaited; // ReadyForQuery messages to come
    bool is_blind;    // messages were dropped; until all that were sent are answered
    bool has_temporary_names, default_repeatable;
    uint64_t ended_at;   // when its last transaction has ended
    bool is_unversioned; // it was at work when triggers were created, so its records cannot be counted
    struct transaction transaction;
    struct unit *loose; // for statements outside of transactions; NULL: none yet
    uint64_t loose_ns;
    struct sight_intent asked; // the last answer of sight_ask_query() or sight_ask_execute()
    char asked_label[72];      // the label of that statement's unit; "": none
};

// --- sight_marks.c: the savepoints and the cursors of a transaction ---

void marks_forget(struct sight_session *session); // all of them
// `text`: the query of a cursor; NULL: a savepoint.
void marks_add(struct sight_session *session, const char *name, uint64_t sent, const struct sql_text *text,
               size_t statement);
// ROLLBACK TO: undoes the writes that were sent after the savepoint; all of them if it is unknown.
void marks_undo_to(struct sight_session *session, const char *name);
// The rows of FETCH are those of the cursor's query.
void marks_use_cursor(const struct sight_session *session, struct execution *execution);

// --- sight_versions.c: the records of triggers ---

struct versions;
void versions_free(struct versions *versions); // NULL is allowed
// Whether a trigger records the writes of the session to this table that are sent at this place in the order.
void versions_json(const struct sight *sight, struct json_writer *json); // an object in the open one
void versions_closed(struct sight_session *session);
// A statement has ended. It may have written rows by a function, a trigger or a cascade.
void versions_statement(struct sight_session *session, struct unit *unit, const struct execution *execution);
MUST_CHECK bool versions_record(const struct sight_session *session, const struct table *table, uint64_t sent);

// --- sight_seen.c: the values of a row ---

// A row of a result as the server sends it.
struct data_row {
    const struct description *description;
    const int16_t *formats;
    size_t format_count;
    const struct slice *values;
    size_t count;
};
MUST_CHECK int16_t data_row_format(const struct data_row *row, size_t field);
// Adds the value if it has a canonical text here; of a column that is there already, the value stays.
void seen_add(struct seen *seen, size_t *count, const struct table_column *column, struct sight_value value,
              uint32_t type);
// The values that a row of the result has of this table, at most SEEN_MAX.
MUST_CHECK size_t seen_of_row(const struct data_row *row, const struct table *table, struct seen *seen);

// The canonical key of the row that a record is about, which the caller frees; "": unknown.
MUST_CHECK char *version_key(const struct sight_row_version *version, const struct table *table);
MUST_CHECK uint64_t version_changes(const struct sight_row_version *version, const struct table *table); // columns

// --- sight_effects.c: what an execution reads and writes ---

// The canonical key of the row that a statement names, or NULL. The caller frees it.
MUST_CHECK char *effects_key(const struct sql_statement *statement, const struct table *table,
                             const struct parameters *parameters);
MUST_CHECK struct table *effects_table(struct sight_session *session, const struct sql_statement *statement);
void effects_row(struct sight_session *session, struct unit *unit, struct execution *execution,
                 const struct data_row *row, uint64_t now_ns);
void effects_complete(struct sight_session *session, struct unit *unit, struct execution *execution, uint64_t affected,
                      uint64_t now_ns);
// Calls on_outcome(). An empty `sqlstate`: there was no error.
void effects_report(const struct sight_session *session, const struct execution *execution, struct slice tag,
                    struct slice sqlstate, uint64_t rows, uint64_t now_ns);
void effects_forget(struct sight_session *session, struct execution *execution);
// The columns that a statement sets, and those that its WHERE checks apart from the key.
void effects_columns(const struct sql_statement *statement, const struct table *table, struct write *out);

#endif
