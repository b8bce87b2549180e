// The proxy's knowledge: statements, the rows they read and write, the units of work they belong to, and races between
// these units. This folder knows no socket and no loop. The relay passes it the messages of each connection in
// the order in which it forwards and receives them, and asks it before it forwards a statement. One thread.
//
// Proof rests on that order alone. Call the functions of the client's messages when the message is forwarded to the
// server, not when it is received or held; call the functions of the server's messages when they are received. Then a
// row that came in before a write went out was read before that write, whatever the network does.
#ifndef SERVER_SIGHT_SIGHT_H
#define SERVER_SIGHT_SIGHT_H

#include "observability/base/base.h"

struct sight;         // one for each proxy
struct sight_session; // one for each connection

enum sight_verb {
    SIGHT_OTHER, // a statement without rows of a table
    SIGHT_SELECT,
    SIGHT_INSERT,
    SIGHT_UPDATE,
    SIGHT_DELETE,
};

enum sight_kind {
    SIGHT_STALE_READ,    // a row was read, another unit wrote it, then the unit wrote it
    SIGHT_LOST_UPDATE,   // a stale read whose write replaced what the other unit had written
    SIGHT_CHECK_LOST,    // a stale read whose write is relative, so a check of the old value was not repeated
    SIGHT_WRITE_SKEW,    // each of two units read the row that the other one wrote
    SIGHT_PHANTOM,       // an aggregate or an empty result was read, then rows of that table were inserted
    SIGHT_LOCK_TOO_LATE, // a row was read without a lock, locked later and written
};

enum sight_level {
    SIGHT_REFUTED,  // the proxy tried to force it, and it did not happen
    SIGHT_POSSIBLE, // one unit alone shows the pattern, or the order of two units is unknown
    SIGHT_FORCED,   // it happened because the proxy held the sessions
    SIGHT_PROVED,   // it happened, by the order of the messages
};

enum sight_scope {
    SIGHT_SCOPE_TRACE,       // a traceparent or a request id in the comments of the statements
    SIGHT_SCOPE_TRANSACTION, // one transaction
    SIGHT_SCOPE_SESSION,     // the statements of a session; a pool may have given them to several requests
};

// One of the two units of a finding. `sql_read` and `sql_write` are "" if there is none; all texts are UTF-8 or not, as
// the client sent them, and end after SIGHT_SQL_SHOWN bytes. Times are those that the relay passed.
#define SIGHT_SQL_SHOWN 400
struct sight_side {
    uint64_t unit; // 0: the finding has one unit only
    enum sight_scope scope;
    char label[72]; // the trace id or the request id, else ""
    uint32_t backend_pid;
    uint64_t read_ns, write_ns; // when the row came in, and when the write went out
    const char *sql_read, *sql_write;
};

struct sight_finding {
    uint64_t id;
    enum sight_kind kind;
    enum sight_level level;
    const char *database, *table; // the table with its schema
    const char *row;              // the key, its columns separated by ", "; "" if the rows are unknown
    struct sight_side first;      // the unit that acted on what it had read
    struct sight_side second;     // the unit whose write it missed
    const char *sentence;
    bool by_versions; // the records of triggers prove it
    uint64_t count;   // how often the same two statements did this, at this level or above
    uint64_t pair;    // the same for the same two statements on the same table, whatever the kind
};

// A unit has committed a write of a row or a table that it had read before, or an INSERT behind a check. Unlike a
// finding it may be one that nothing can race with: the members say what protects it.
struct sight_pattern {
    uint64_t pair;  // the same for the same two statements on the same table, as in a finding
    uint64_t write; // the same for the same writing statement
    enum sight_kind kind;
    // The read and the write are in one transaction or request, and the row is known: then a race is always proved.
    bool is_certain;
    bool is_locked;      // the first read took a lock
    bool is_locked_late; // a later read took it
    bool is_guarded;     // the WHERE repeats a condition on a column that the statement sets
    bool is_repeatable;  // REPEATABLE READ or above
    enum sight_scope scope;
    uint32_t backend_pid;
    const char *database, *table, *row; // as in a finding
    const char *sql_read, *sql_write;
};

// A statement has ended.
struct sight_outcome {
    uint32_t backend_pid;
    enum sight_verb verb;
    uint64_t fingerprint;      // `write` of a pattern, if the statement writes
    const char *sql, *row;     // row: the canonical key in its WHERE; "": unknown
    struct slice tag;          // CommandComplete's; empty after an error
    struct slice sqlstate;     // empty: no error
    uint64_t rows;             // returned or affected
    uint64_t sent_ns, done_ns; // when the statement went out, and when its end came in
};

// --- Row versions: what AFTER ROW triggers record (see sight_add_version()) ---

enum sight_version_verdict {
    SIGHT_VERSION_UNREAD,  // the unit had not read the row, or not by columns that are known
    SIGHT_VERSION_FRESH,   // it replaced the version that it had read
    SIGHT_VERSION_STALE,   // it replaced a newer one
    SIGHT_VERSION_LOOSE,   // the same, but the read may have been another request's
    SIGHT_VERSION_UNKNOWN, // neither the order nor the values say which version had been read
    SIGHT_VERSION_UNSEEN,  // the messages do not show this write, nor a statement that made it
};

struct sight_cell {
    int16_t column;
    const char *old_value, *new_value; // text; NULL: SQL's NULL, or there is no such version
};

struct sight_row_version {
    uint32_t backend_pid, table;
    uint64_t xid;
    char operation; // 'I', 'U' or 'D'
    uint32_t old_xmin, new_xmin;
    const char *sql; // the beginning of the client's statement
    const struct sight_cell *cells;
    size_t cell_count;
};

// Row writes that the messages did not show, by a function, a trigger, a cascade, or another client.
struct sight_unseen {
    const char *table, *sql;
    char operation;
    bool is_other_client;
    uint64_t count;
};

struct sight_version_counters {
    uint64_t rows, unread, fresh, stale, loose, unknown, unseen;
    uint64_t order_proved;  // stale, and the order of the messages proves it as well
    uint64_t order_refuted; // the order of the messages proves it, the row versions do not: an error of this program
};

struct sight_options {
    size_t memory_max;         // bytes of history; 0: 64 MiB
    size_t session_memory_max; // bytes of prepared statements and pending messages of a session; 0: 1 MiB
    size_t findings_max;       // 0: 1000
    bool announces_all;        // on_finding() is also called when a finding happens again
    // A finding is new, or its level has risen. The finding is valid during the call.
    void (*on_finding)(const struct sight_finding *finding, void *user_data);
    // A table was seen of which nothing is known. `name` may have its schema before a dot; oid 0: unknown.
    void (*on_unknown_table)(const char *database, uint32_t oid, struct slice name, void *user_data);
    // Both may be NULL.
    void (*on_pattern)(const struct sight_pattern *pattern, void *user_data);
    void (*on_outcome)(const struct sight_outcome *outcome, void *user_data);
    // NULL is allowed. A record was judged; `key` is the canonical one.
    void (*on_version)(const struct sight_row_version *version, const char *table, const char *key,
                       enum sight_version_verdict verdict, void *user_data);
    // NULL is allowed. The first of its kind.
    void (*on_unseen)(const struct sight_unseen *unseen, void *user_data);
    void *user_data;
};

struct sight_counters {
    uint64_t statements, unparsed, units, reads, writes;
    uint64_t dropped; // messages, reads, writes, units and findings that a limit has dropped
    size_t memory;
};

MUST_CHECK struct sight *sight_new(const struct sight_options *options);
void sight_free(struct sight *sight); // after the last session was closed
MUST_CHECK struct sight_counters sight_counters(const struct sight *sight);
// True if the build has PostgreSQL's grammar. Without it statements are known by verb and table only.
MUST_CHECK bool sight_has_grammar(void);

// --- The catalogue: comes from outside. A row is known only if its table is. ---
// Add every ordinary and partitioned table of the database, so that a name without a schema is unambiguous.

struct sight_column {
    int16_t number;
    const char *name;
    uint32_t type; // for a domain, the type below it
    bool in_key;   // belongs to the primary key
};

// Forgets every table and view of the database. A table that is added again, and has not changed, keeps its history.
void sight_forget_tables(struct sight *sight, const char *database);
// Replaces what is known of the oid. Leave in_key false if rows of child tables may share a key (inheritance).
void sight_add_table(struct sight *sight, const char *database, uint32_t oid, const char *schema, const char *name,
                     const struct sight_column *columns, size_t count);
struct sight_view_column {
    int16_t number;
    uint32_t table; // the column that it shows, of a table or of another view
    int16_t column;
};

struct sight_view {
    uint32_t oid;
    const char *schema, *name;
    const uint32_t *tables; // that it reads
    size_t table_count;
    const struct sight_view_column *columns; // only if each of its rows is a row of one table
    size_t column_count;
    bool has_names; // all columns of the view are such, and named as those that they show
};
void sight_add_view(struct sight *sight, const char *database, const struct sight_view *view);

// --- The records of triggers: they come from outside, too ---

// Triggers record the row writes of one database. Stale reads, lost updates and lost checks of their tables are then
// judged by the versions of rows.
void sight_versions_begin(struct sight *sight, const char *database);
// The trigger of this table was created after `asked` (see sight_mark()) and is there now. A session that was at work
// in between is judged by the order of its messages from now on.
void sight_versions_of(struct sight *sight, uint32_t oid, uint64_t asked);
// The triggers record no more.
void sight_versions_end(struct sight *sight);
// The present place in the order. Take it before the records are asked for.
MUST_CHECK uint64_t sight_mark(struct sight *sight);
// A record, in the order of the row's versions. All of it is copied.
void sight_add_version(struct sight *sight, const struct sight_row_version *version);
// All records that were visible at `mark` were added. `is_last`: no more will come.
void sight_settle(struct sight *sight, uint64_t mark, bool is_last);
MUST_CHECK struct sight_version_counters sight_version_counters(const struct sight *sight);

// --- The messages of a connection ---

MUST_CHECK struct sight_session *sight_session_open(struct sight *sight, const char *database, uint32_t backend_pid);
MUST_CHECK void *sight_session_user(const struct sight_session *session); // `user_data` of the options
MUST_CHECK uint32_t sight_session_backend(const struct sight_session *session);
void sight_session_close(struct sight_session *session);

// The whole body of a message, without its type and length. A body that was cut at its end is understood up to there.
// Unknown types are ignored. These decode the message and call the functions below.
void sight_client_message(struct sight_session *session, char type, struct slice body, uint64_t now_ns);
void sight_server_message(struct sight_session *session, char type, struct slice body, uint64_t now_ns);

struct sight_value {
    struct slice data; // data NULL: NULL
    int16_t format;    // 0 text, 1 binary
};

struct sight_field {
    uint32_t table;
    int16_t column;
    uint32_t type;
    int16_t format;
};

enum { SIGHT_VALUES_MAX = 512 }; // columns and parameters beyond this number are not looked at

void sight_query(struct sight_session *session, struct slice sql, uint64_t now_ns);
void sight_parse(struct sight_session *session, struct slice name, struct slice sql, const uint32_t *types,
                 size_t type_count);
void sight_bind(struct sight_session *session, struct slice portal, struct slice name, const struct sight_value *values,
                size_t value_count, const int16_t *result_formats, size_t result_format_count);
void sight_describe(struct sight_session *session, char kind, struct slice name);      // 'S' or 'P'
void sight_execute(struct sight_session *session, struct slice name, uint64_t now_ns); // the portal's name
void sight_close(struct sight_session *session, char kind, struct slice name);
void sight_sync(struct sight_session *session); // also for FunctionCall, which ends with ReadyForQuery too

void sight_parameter_types(struct sight_session *session, const uint32_t *types, size_t count);
void sight_row_description(struct sight_session *session, const struct sight_field *fields, size_t count);
void sight_no_data(struct sight_session *session);
void sight_data_row(struct sight_session *session, const struct slice *values, size_t count, uint64_t now_ns);
void sight_command_complete(struct sight_session *session, struct slice tag, uint64_t now_ns);
void sight_portal_suspended(struct sight_session *session); // also for EmptyQueryResponse
void sight_error(struct sight_session *session, struct slice sqlstate, uint64_t now_ns);
void sight_ready(struct sight_session *session, char status, uint64_t now_ns);

// --- The question before a statement is forwarded ---

enum sight_read_before {
    SIGHT_NOT_READ,
    SIGHT_READ_TABLE, // the unit has read the table; the rows of one of the two are unknown
    SIGHT_READ_ROW,   // the unit has read the very row
};

// About the first statement that writes; if there is none, about the first statement.
struct sight_intent {
    enum sight_verb verb;
    uint64_t fingerprint; // as in sight_outcome
    uint32_t table;       // oid; 0: unknown
    char name[132];       // schema.table if the table is known, else as the statement names it; "": none
    char row[128];        // the canonical key, the same for all sessions; "": unknown
    enum sight_read_before read_before;
    // False: the statement is not understood, or the catalogue got its table after the unit had begun, so the unit may
    // have read it all the same.
    bool is_certain;
    bool locks;       // a SELECT with a lock clause
    bool read_locked; // the first read of the unit took a lock
    bool is_guarded;  // the WHERE repeats a condition on a column that the statement sets
};

void sight_ask_query(struct sight_session *session, struct slice sql, struct sight_intent *intent);
void sight_ask_execute(struct sight_session *session, struct slice name, struct sight_intent *intent);

enum sight_meeting {
    SIGHT_APART,      // neither unit has read the row that the other is about to write
    SIGHT_MEET_TABLE, // both are about to write the same table, and which rows they have read or write is unknown
    SIGHT_MEET_ROW,   // one unit has read the row that the other is about to write
};
// About the statements that the two sessions were last asked about.
MUST_CHECK enum sight_meeting sight_meeting(const struct sight_session *one, const struct sight_session *other);
// The row of the statement that the session was last asked about, as in an intent.
MUST_CHECK const char *sight_asked_row(const struct sight_session *session);

// --- Findings ---

MUST_CHECK size_t sight_finding_count(const struct sight *sight);
// By position, oldest first; NULL beyond the end. Valid until the next message.
MUST_CHECK const struct sight_finding *sight_finding_at(const struct sight *sight, size_t position);
// The relay records the result of forcing a possible finding. A proved finding stays proved.
void sight_set_level(struct sight *sight, uint64_t id, enum sight_level level);
// Appends the unit of a side as the sentences name it, such as "transaction 7".
void sight_append_unit(const struct sight_side *side, struct text *out);
// Writes one finding as a JSON object, or all as {"findings":[...]}.
void sight_finding_json(const struct sight_finding *finding, struct json_writer *json, const char *name);
void sight_findings_json(const struct sight *sight, struct json_writer *json);

MUST_CHECK const char *sight_verb_name(enum sight_verb verb);
MUST_CHECK const char *sight_operation_name(char operation); // "insert" for 'I'
MUST_CHECK const char *sight_kind_name(enum sight_kind kind);
MUST_CHECK const char *sight_level_name(enum sight_level level);
MUST_CHECK const char *sight_scope_name(enum sight_scope scope);

#endif
