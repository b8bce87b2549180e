// A case: the SQL sessions that the explorer runs in every order, with their setup and invariants.
//
// case_read() reads a file of one of five kinds:
//   .spec           PostgreSQL's isolationtester (case_spec.c)
//   .sql            psql's dialect with markers in comments (case_sql.c)
//   .md             Hermitage's page for PostgreSQL: one case for each heading (case_hermitage.c)
//   .pgbench        scripts of pgbench, one for each session (case_pgbench.c)
//   .json, .csv     PostgreSQL's jsonlog or csvlog with log_statement=all (case_log.c)
//
// A session is a list of instructions. A statement is a step of an order; the other instructions run on the client at
// no cost in steps. Nothing here talks to a database. Any thread; one thread at a time uses a list of cases.
#ifndef WORKERS_CASE_CASE_H
#define WORKERS_CASE_CASE_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CASE_SESSIONS_MAX = 16,
    CASE_INSTRUCTIONS_MAX = 1000,           // a session's
    CASE_FILE_BYTES_MAX = 16 * 1024 * 1024, // larger files are refused
};

// The part of a statement's text that a variable gives, in psql's notation.
enum case_piece_kind {
    CASE_PIECE_TEXT,       // plain text
    CASE_PIECE_VALUE,      // :name   the value as it is
    CASE_PIECE_LITERAL,    // :'name' quoted as an SQL literal
    CASE_PIECE_IDENTIFIER, // :"name" quoted as an SQL identifier
    CASE_PIECE_IS_SET,     // :{?name} TRUE or FALSE
};

struct case_piece {
    enum case_piece_kind kind;
    const char *text; // the text, or the name of the variable
};

// A text with variables: the pieces one after another.
struct case_template {
    struct case_piece *pieces;
    size_t count;
};

enum case_operation {
    CASE_STATEMENT,   // sends `text`: a step
    CASE_SET,         // variable `name` becomes `text`
    CASE_CALCULATE,   // variable `name` becomes the value of the pgbench expression `text`
    CASE_SKIP_UNLESS, // continues at `target` unless `text` is true: psql's \if and \elif
    CASE_SKIP,        // continues at `target`
};

struct case_instruction {
    enum case_operation operation;
    int line;                  // in the file, from 1
    const char *name;          // the step's ("A1", or its name in a .spec), or the variable's
    struct case_template text; // SQL without the final semicolon, a value, or a condition
    const char *source;        // the statement as it is written in the file, for the report
    const char *gset_prefix;   // "" or \gset's prefix: the columns of the only row become variables; NULL: no \gset
    size_t target;             // index into the instructions; `count` is the end of the session
    bool null_is_empty;        // \gset of a NULL sets an empty value (pgbench); else it unsets the variable (psql)
    bool is_block;             // a block of a .spec: sent as it is, as one simple query, and never split
    // A recorded statement (case_log.c): its bound parameters, or NULL. `parameters[i]` may be NULL (SQL's NULL).
    const char *const *parameters;
    size_t parameter_count;
};

// SQL that is sent as one simple query.
struct case_block {
    const char *sql;
    int line;
    const char *file; // that has it; NULL: the case's
};

struct case_blocks {
    struct case_block *items;
    size_t count;
};

struct case_variable {
    const char *name;
    const char *value;
};

struct case_session {
    const char *name;
    int line;
    struct case_blocks setup;    // run on the session's connection before the steps
    struct case_blocks teardown; // run on it afterwards, also when a step has failed
    struct case_instruction *instructions;
    size_t count;
    struct case_variable *variables; // set when the session begins
    size_t variable_count;
};

struct case_invariant {
    const char *name;
    const char *sql; // a query whose first column of its only row is true while the invariant holds
    int line;
};

// A step of an order that the file states.
struct case_order_step {
    size_t session;
    size_t instruction; // index into the session's
    // Conditions that delay only the report that the step has completed, as isolationtester's README describes them.
    bool reports_wait_at_once; // (*)
    struct case_condition {
        size_t session;     // the session of the step that must be complete, or that must have received the notices
        size_t instruction; //
        unsigned notices;   // 0: the step must be complete; else so many notices of that session
    } * conditions;
    size_t condition_count;
};

struct case_order {
    struct case_order_step *steps;
    size_t count;
    int line;
};

enum case_level {
    CASE_READ_COMMITTED,
    CASE_REPEATABLE_READ,
    CASE_SERIALIZABLE,
    CASE_LEVELS,
};

struct sql_case {
    const char *file;
    const char *name; // the file's base name without its suffix, or the title of a part of a page
    int line;
    struct case_blocks setup;    // run one by one on a connection of their own
    struct case_blocks teardown; // likewise
    struct case_session *sessions;
    size_t session_count;
    struct case_invariant *invariants;
    size_t invariant_count;
    struct case_order *orders; // permutations of a .spec, the order that Hermitage's page shows
    size_t order_count;
    // A statement names an isolation level, so a level that the explorer sets would not be the level of every
    // transaction. The case is explored as it is written.
    bool names_levels;
    bool stops_at_error;  // a session ends at its first error (a program); a .spec's session goes on with its next step
    bool is_recording;    // a branch may have been taken on data that another order does not show
    bool is_serializable; // false: the case says that its outcomes need not be serial ("-- serializable: no")
    enum case_level level; // Hermitage: the level of the order that the page shows
    bool has_level;
};

struct case_list {
    struct sql_case *cases;
    size_t count;
    struct case_memory *memory; // owns everything that the cases point to
};

// Reads a file. The kind is chosen by the file's suffix. False: `problem` is one line "FILE:LINE: what is wrong, and
// what is expected". The caller frees the list in both cases.
MUST_CHECK bool case_read(const char *path, struct case_list *list, struct text *problem);

// The same for a file that was read already; `path` is used in problems, and its suffix says the kind.
MUST_CHECK bool case_read_text(const char *path, struct slice content, struct case_list *list, struct text *problem);

// Reads a file of SQL that runs before the own setup of each case of the list: a log does not show what made its
// tables. False: as case_read().
MUST_CHECK bool case_add_setup(const char *path, struct case_list *list, struct text *problem);

// Makes one case of pgbench scripts, a session each, and of a file of SQL that sets up the tables (NULL: none).
// `seed` gives the values of random().
MUST_CHECK bool case_read_pgbench(const char *setup_path, const char *const *script_paths, size_t script_count,
                                  uint64_t seed, struct case_list *list, struct text *problem);

void case_list_free(struct case_list *list);

// --- Variables and templates: what the explorer needs when it runs a session ---

// The variables of one run of a session. Starts as zeroes. A statement may read the variables that psql sets itself,
// such as ROW_COUNT: the reader accepts their names, and the caller must set them.
struct case_variables {
    struct case_variable_slot {
        char *name;
        char *value;
    } * slots;
    size_t count, capacity;
};

void case_variables_set(struct case_variables *variables, const char *name, const char *value);
// Sets the variables that psql sets when it starts, and after each statement. `row_count`: "" if it has none.
void case_variables_begin(struct case_variables *variables);
void case_variables_succeed(struct case_variables *variables, const char *row_count);
void case_variables_fail(struct case_variables *variables, const char *sqlstate, const char *message);
void case_variables_unset(struct case_variables *variables, const char *name);
MUST_CHECK const char *case_variables_get(const struct case_variables *variables, const char *name); // NULL: not set
void case_variables_free(struct case_variables *variables); // the struct can be used again

// Appends the template with its variables filled in. False: `problem` says which variable is not set.
MUST_CHECK bool case_render(const struct case_template *text, const struct case_variables *variables, struct text *out,
                            struct text *problem);
// psql's reading of a boolean: unique prefixes of true, false, yes, no, and on, off, 1, 0; any case.
// False: the text is none of them.
MUST_CHECK bool case_parse_boolean(const char *text, bool *value);
// Evaluates an expression of pgbench: its operators, CASE, and its functions but random...(), which are drawn when the
// script is read, and permute(). False: `problem` says what is not understood.
MUST_CHECK bool case_calculate(const char *expression, struct text *value, struct text *problem);

// --- How a statement begins: what the explorer must know about its text ---

struct case_statement_shape {
    bool begins_transaction; // BEGIN, START TRANSACTION
    bool ends_transaction;   // COMMIT, END, ROLLBACK, ABORT (without TO SAVEPOINT), PREPARE TRANSACTION
    bool ends_inside;        // a DO with COMMIT or ROLLBACK in its text
    bool commits;            // COMMIT, END
    bool names_level;        // ISOLATION LEVEL, or an assignment to (default_)transaction_isolation
    bool is_read_only; // SELECT, TABLE, VALUES, SHOW, EXPLAIN without FOR UPDATE/SHARE and without a data-changing WITH
    bool is_simple_insert; // INSERT ... VALUES without a sub-select and without ON CONFLICT
    bool
        is_single_table; // UPDATE or DELETE of one table, without FROM, USING, WITH, sub-select or a call of a function
    bool has_order_by;   // at the outermost level
    bool takes_lock;     // only to lock: FOR UPDATE/SHARE, LOCK, an advisory lock or its release
    bool skips_locked;   // SKIP LOCKED or NOWAIT
    bool is_several;     // statements
    bool writes_nothing; // no row: a query without a change, also with row locks; BEGIN, SET, LOCK, FETCH, ...
    bool is_command;     // BEGIN, SET, LOCK, DECLARE, FETCH, ...: by itself it neither reads nor writes rows
    bool opens_cursor;   // DECLARE: its snapshot is the one that FETCH reads
    bool is_deferrable;  // BEGIN or SET TRANSACTION ... DEFERRABLE: it waits for all that write
    bool is_indivisible; // it cannot run inside a transaction, or nothing that it does depends on other rows
    bool changes_schema; // CREATE, ALTER, DROP, TRUNCATE, COMMENT, GRANT, ...
};

MUST_CHECK struct case_statement_shape case_shape_of(const char *sql);

enum case_named_level {
    CASE_NO_LEVEL,
    CASE_ONE_LEVEL,   // the level of a transaction that begins: it can be taken out
    CASE_OTHER_LEVEL, // two of them, or a level that is set in another way
};

// Finds the isolation level that one or several statements name. Appends them without it to `kept`.
MUST_CHECK enum case_named_level case_take_level(const char *sql, enum case_level *level, struct text *kept);

// --- A part of a case that is left out ---

enum { CASE_LEFT_OUT_WORDS = (CASE_INSTRUCTIONS_MAX + 63) / 64 };

// The instructions that are not run, bit by bit. Starts as zeroes. Two of them that leave the same out are equal bytes.
struct case_left_out {
    uint64_t bits[CASE_SESSIONS_MAX][CASE_LEFT_OUT_WORDS];
};

MUST_CHECK bool case_is_left_out(const struct case_left_out *left_out, size_t session, size_t instruction);
MUST_CHECK bool case_leaves_out_session(const struct sql_case *explored, const struct case_left_out *left_out,
                                        size_t session);
MUST_CHECK bool case_leaves_out_any(const struct case_left_out *left_out);
void case_leave_out(struct case_left_out *left_out, size_t session, size_t instruction);
// Puts back the statements that the rest needs, and leaves out the branches and variables that it does not need.
void case_settle_left_out(const struct sql_case *explored, struct case_left_out *left_out);
// Reads names of sessions and steps, such as "C,A2". False: `problem` says which name is unknown or must stay.
MUST_CHECK bool case_read_left_out(const struct sql_case *explored, const char *names, struct case_left_out *left_out,
                                   struct text *problem);
void case_append_left_out(const struct sql_case *explored, const struct case_left_out *left_out, const char *separator,
                          struct text *out);
// True if the names that case_append_left_out() writes are read as what they stand for.
MUST_CHECK bool case_has_named_left_out(const struct sql_case *explored, const struct case_left_out *left_out);
// True for a statement that neither begins nor ends a transaction, takes no explicit lock and names no level.
MUST_CHECK bool case_may_leave_out(const struct case_session *session, size_t instruction);
// The statement that ends the transaction which the statement `begin` begins, in the same branch; 0: there is none.
MUST_CHECK size_t case_transaction_end(const struct case_session *session, size_t begin);

// --- Fixes that can be placed mechanically ---

enum case_variant {
    CASE_IN_TRANSACTION, // BEGIN and COMMIT around each session that has no transaction
    CASE_LOCKS_READS,    // that, and FOR UPDATE at each SELECT ... FROM
    CASE_GUARDS_UPDATE,  // the check that a branch depends on, in the WHERE of the UPDATE in that branch
};

// Makes a changed copy of a case, in the list's memory, and appends the changed lines as a diff: "@@ session A, B @@",
// then lines that begin with "+", "-" or " ". False: the variant changes nothing.
MUST_CHECK bool case_make_variant(struct case_list *list, const struct sql_case *from, enum case_variant variant,
                                  struct sql_case *made, struct text *diff);

#endif
