// Shared by the files of the explorer. Private to workers/explore.
//
// explore() (explore.c) decides which orders to run and what their outcomes mean. A cell (explore_cell.c) is one
// database with its connections; it runs one order at a time (explore_run.c). The frontier (explore_frontier.c) holds
// the orders that are still to be run.
#ifndef WORKERS_EXPLORE_EXPLORE_INTERNAL_H
#define WORKERS_EXPLORE_EXPLORE_INTERNAL_H

#include "sql/explore.h"
#include "workers/case/case.h"
#include "workers/database/database.h"
#include "workers/explore/explore.h"
#include "workers/explore/explore_dependency.h"
#include "workers/explore/explore_frontier.h"
#include "workers/explore/explore_program.h"
#include "workers/explore/explore_touch.h"

enum { EXPLORE_CELLS_MAX = 8 };

struct cell;

// --- explore_settle.c: who waits for whom ---

enum settled { SETTLED, NOT_SETTLED, DEADLOCKED };

// `running`: sessions whose statement is unanswered. blocked_by[i]: the sessions that session i waits for, or
// OUTSIDE if it waits for another process. Writes the sessions that wait for an idle session, directly or through
// others, to `stable`; if the answer is DEADLOCKED, the members of the circle to `circle`.
#define OUTSIDE ((uint32_t)1 << 31)
MUST_CHECK enum settled settle(uint16_t running, const uint32_t *blocked_by, uint16_t *stable, uint16_t *circle);

// --- explore_ask.c ---

// Runs a simple query and the loop until it is answered. False: `problem` has the server's message.
MUST_CHECK bool explore_ask(uv_loop_t *loop, struct db_async *connection, const char *sql, struct text *problem);

// The words of the last send's error, or of a lost connection; NULL: it went well.
MUST_CHECK const char *cell_error_words(const struct db_async *connection);
// Ends the run because of the case. The first problem is kept.
void cell_fail(struct cell *cell, int line, const char *what, const char *words);

// --- explore_cell.c: a database and its connections ---

enum {
    CELL_TABLES_MAX = 64, // bits of `dirty`
    CELL_SEQUENCES_MAX = 128,
    CELL_INVARIANTS_MAX = 64, // bits of broken_invariants
};

// The values that a column has after the setup, in order.
struct first_values {
    int column; // its number in the table
    const char **values;
    size_t count;
};

struct cell_table {
    unsigned oid;
    const char *name;
    const char *read, *copy, *clear, *restore, *truncate; // SQL
    const char *from_sequence;                            // "1,4": columns whose values a sequence gives
    struct first_values *first_values;                    // the values of these columns; NULL: not known
    size_t first_value_count;
    uint64_t first_rows; // a hash of the rows after the setup
    int first_row_count;
    bool has_unique; // two new rows may exclude each other
};

// A unique index on plain columns, without a condition.
struct cell_key {
    const char *index;
    int columns;
};

enum session_activity {
    SESSION_READY,   // it may have a next step
    SESSION_RUNNING, // its statement is unanswered, and it is not known to wait for a session that stands still
    SESSION_WAITING, // it waits for a session that stands still
    SESSION_ENDED,   // it has no next step
};

// Whether a cell runs orders of the case.
enum cell_use {
    CELL_UNPREPARED, // it does not hold the case
    CELL_COMPARES,   // it runs the serial orders, whose outcomes must be those of the first cell
    CELL_RUNS,
    CELL_DIFFERS, // it does not: a statement shows in which database it runs, or the setup cannot run twice
};

struct cell_session {
    struct cell *cell;
    struct db_async *connection;
    uint8_t index;
    enum session_activity activity;
    size_t at; // the next instruction, or the one that runs
    struct case_variables variables;
    const struct case_instruction *missed_gset; // the last \gset that set nothing, or NULL
    int missed_rows;                            // the rows that it had instead of one
    bool is_split;                              // the running statement was sent behind a BEGIN
    bool owes_commit;                           // the next step is the COMMIT of an autocommit statement
    bool has_checked;                           // the deferred constraints were checked, so only the COMMIT is left
    bool checks;                                // the running step checks the deferred constraints
    bool has_written;                           // the open transaction may have changed a row
    bool has_committed_write;                   // a transaction that may have changed a row was committed
    bool in_transaction;                        // before the running statement
    bool in_failed_transaction;                 // likewise
    bool continues;                             // after the ROLLBACK that the explorer sends
    bool begins_late;                           // its BEGIN is sent with the statement behind it
    size_t transaction_began;                   // the answer that began the open transaction
    size_t late_begin;                          // the index in the run of that BEGIN
    struct footprint written;                   // by the open transaction, while footprints are taken
    size_t measured;                            // the instruction whose footprint is taken
    size_t launched;                            // the index in the run of its running or last step
    enum explore_sql deadlock_timeout;          // the setting it has
    int level;                                  // that its transactions have by default; -1: not set yet
};

// The work of a cell.
struct job {
    struct prefix *prefix;
    struct reference *reference; // NULL: an order of the exploration
    struct explore_run *run;
    bool measures;                  // footprints are taken
    const struct explore_run *like; // a serial order whose sessions come in the same order; or NULL
    struct explore_run *repeats;    // the serial order that is run for the second time, or NULL
    bool compares;                  // on another cell
};

struct explorer;
typedef void cell_done(struct cell *cell);

// A timerfd: uv_timer_t counts in milliseconds. It is set again only for an earlier time and is never stopped, because
// each of that is a system call: a ring that comes too early sets it again.
struct cell_timer {
    uv_poll_t poll;
    int descriptor;
    uint64_t due_ns;   // when `ring` is to be called; 0: it is not
    uint64_t rings_ns; // when the timerfd rings, which is no later; 0: it does not
    cell_done *ring, *closed;
};

struct cell {
    struct explorer *explorer;
    uv_loop_t *loop;
    struct text conninfo;
    struct db_async *control;
    struct cell_session sessions[CASE_SESSIONS_MAX];
    size_t session_count;
    struct cell_timer timer;
    bool has_timer;

    // The case that the database holds
    const struct sql_case *explored;
    enum cell_use use;
    size_t compared;     // serial orders
    struct arena memory; // has the tables and the texts below
    struct cell_table *tables;
    size_t table_count;
    const char *truncate, *vacuum; // all tables
    const char **sequences;
    size_t sequence_count;
    struct case_statement_shape *shapes[CASE_SESSIONS_MAX]; // by instruction
    struct cell_key *keys;                                  // the unique indexes
    size_t key_count;
    bool has_deferred_code; // triggers of the user's may run at the COMMIT
    bool has_deferrable;    // constraints or triggers may be checked at the COMMIT
    bool ends_inside;       // a procedure or a DO ends transactions
    bool has_hidden_code, changes_schema, keeps_session_state, has_session_blocks;
    bool has_read_only;       // transactions whose reads are not shown
    bool may_show_begin;      // a statement may show when its transaction began
    bool ran_before;          // an order
    uint64_t dirty;           // tables (bits) whose rows differ from the first ones
    uint64_t was_dirty;       // likewise, after the last order that came to its end
    uint64_t put_back;        // tables that are put back in the round trip that reads them
    bool puts_sequences_back; // likewise
    unsigned resets;          // since the last VACUUM
    const char *ask_room;     // SQL: the bytes that are free on the fullest page; NULL: it cannot be asked
    long room;                // the answer after the last order; 0: not known
    long used;                // the most that a reset and its order have used of it
    bool was_truncated;       // the running order began with rows on new pages

    // The running order
    struct explore_run *run;
    const struct prefix *prefix;
    const struct reference *reference; // NULL: an order of the exploration; else a serial order
    bool measures;                     // takes the footprint of each statement
    uint16_t asleep;                   // sessions whose next step leads to orders that other prefixes stand for
    enum case_level level;
    cell_done *done;      // NULL: no order runs
    cell_done *prepared;  // the parameter of reset_begin()
    unsigned waiting_for; // answers, before and behind the steps
    uint16_t was_set;     // sessions whose settings were sent
    size_t setup_session, setup_block;
    uint8_t last;                           // session of the last step, or NO_SESSION
    uint64_t changes;                       // statements that were answered
    uint64_t looked_changes;                // the same when the running look was sent
    uint32_t blocked_by[CASE_SESSIONS_MAX]; // as the last look found it
    uint64_t armed_ns;                      // when the first look was planned
    size_t passed;                          // entries of a repeated order that have gone or were passed over
    cell_done *rows_read;                   // the parameter of repeat_read_rows()
    bool rows_are_due;                      // the rows are read when the running look is answered
    bool end_is_due;                        // the tables are read when the running look is answered
    struct cell_session *plan_is_due;       // likewise, its statement is explained; or NULL
    bool is_cut;                            // the run ends before its end
    bool missed_deadlock;                   // the order must be run again with a longer deadlock_timeout
    uint16_t circle;                   // members of a deadlock that has no victim: the order must be run again for each
    struct text problem;               // why the case cannot be run, in one line
    struct job job;                    // given by explore.c
    void *search;                      // the search that gave the job
    struct explore_position *position; // the order stops at the end of its prefix, and this says where; or NULL
};

MUST_CHECK bool cell_open(struct cell *cell, struct explorer *explorer, uv_loop_t *loop, const char *conninfo,
                          struct text *problem);
void cell_close(struct cell *cell);
// Runs the setup of a case and opens a connection for each session. Runs the loop until that is done; other cells may
// run orders meanwhile. Sets cell->use.
MUST_CHECK bool cell_prepare(struct cell *cell, const struct sql_case *explored, struct text *problem);

// --- explore_reset.c: the state that every order begins with ---

// `prepared` is called when the rows, the sessions' settings and their setups are as at the first order. If that has
// failed, cell->is_cut is set and cell->problem says why.
void reset_begin(struct cell *cell, cell_done *prepared);
// Appends what puts back the rows that the order has probably changed, for the round trip that reads them. The number
// of statements behind the `count` ones that `sql` has.
MUST_CHECK size_t reset_append_early(struct cell *cell, const char **sql, size_t count);
// Takes the answer to these statements, when record_end() has compared the rows.
void reset_take_early(struct cell *cell);
// True if cell->ask_room is the last query at the end of the order.
MUST_CHECK bool reset_asks_room(const struct cell *cell);
// Takes its answer. False: the rows did not fit the pages that the reset gave the order, so it must be run again.
MUST_CHECK bool reset_was_enough(struct cell *cell);

// --- explore_timer.c: the time of the next look ---

// Calls `ring` once, after so many microseconds. It replaces what was planned before.
void timer_arm(struct cell *cell, unsigned microseconds, cell_done *ring);
void timer_disarm(struct cell *cell);
void timer_open(struct cell *cell);
// Closes it, and calls `closed` from a callback of the loop.
void timer_close(struct cell *cell, cell_done *closed);

// --- explore_waits.c: who waits for whom ---

// Asks for the waits of the running sessions (bits).
void waits_ask(struct cell *cell, uint16_t running, db_async_done *done);
// Takes the answer into cell->blocked_by.
void waits_read(struct cell *cell);
// PostgreSQL ends one wait of a deadlock, and then the others go on. Which answer comes first is chance, so the cell
// waits for all of them, also for a session whose wait was stable before the circle closed.
void waits_wake_circle(struct cell *cell, uint16_t circle);
enum {
    WAITS_FIRST_LOOK_US = 100, // most statements are answered before that
    WAITS_LATE_LOOK_US = 5000, // for a statement that hardly can wait
};
// When to look whether the next statement of the session waits, if it is not answered before.
MUST_CHECK unsigned waits_look_after_us(const struct cell_session *session);
// The same for the running statements of all sessions.
MUST_CHECK unsigned waits_look_at_all_after_us(const struct cell *cell);
// True if sessions that wait for this one may go on, now that its statement `instruction` is answered.
MUST_CHECK bool waits_may_have_ended(const struct cell_session *session, size_t instruction);

// --- explore_run.c: one order ---

// Runs an order in a cell that runs none. `done` is called when it has ended. Then cell->is_cut says that it did not
// reach its end: because of cell->problem, of cell->circle, or of run->is_stuck or run->diverged_at.
void cell_run(struct cell *cell, struct explore_run *run, const struct prefix *prefix,
              const struct reference *reference, enum case_level level, cell_done *done);

// --- explore_repeat.c: an order that is repeated for a reader ---

// Chooses the session that goes next; `otherwise`: behind the end of the order.
MUST_CHECK uint8_t repeat_next(struct cell *cell, uint16_t ready, uint8_t otherwise);
// Reads the rows if the order is a repeated one and they were not read since the last step. Then, or at once, `done` is
// called.
void repeat_read_rows(struct cell *cell, cell_done *done);

// --- explore_choose.c: which session goes next ---

// The sessions (bits) with this activity.
MUST_CHECK uint16_t choose_among(const struct cell *cell, enum session_activity activity);
// The sessions that may go next. A serial order leaves a session only where its unit ends.
MUST_CHECK uint16_t choose_ready(const struct cell *cell);
MUST_CHECK uint8_t choose_lowest(uint16_t sessions);
// `awake`: the ready sessions that no other prefix stands for. NO_SESSION: the one that the prefix names is not ready.
MUST_CHECK uint8_t choose_next(struct cell *cell, uint16_t ready, uint16_t awake);

// --- explore_record.c: what a run keeps ---

// Copies the answers to a session's send, from the number `from` on and at most up to `end`, into the run, as those of
// an instruction.
void record_answers(struct cell_session *asked, size_t instruction, size_t from, size_t end);
// Copies the rows of the tables, and what the invariants say. False: an invariant is none.
MUST_CHECK bool record_end(struct cell *cell);
// Keeps the rows of all tables as they are between two steps.
void record_snapshot(struct cell *cell);
// Reads the answer to EXPLORE_TABLES into the cell, in the memory of the run, and appends the queries of the tables.
void record_table_list(struct cell *cell, struct text *reads);
// Keeps the values of the columns that sequences give, in the cell's memory. `answer` has all rows of the table.
void record_first_values(struct cell *cell, struct cell_table *table, const struct db_async_answer *answer);
// A hash of the rows that does not depend on their order.
MUST_CHECK uint64_t record_hash_rows(const struct db_async_answer *answer);
void run_free(struct explore_run *run);
// Forgets everything but the memory of the run itself.
void run_clear(struct explore_run *run);

// --- explore_stand.c ---

// Keeps where each session stands in cell->position, before the order is cut.
void stand_take(struct cell *cell);

// --- explore_footprint.c: which rows a statement reads and writes ---

// Asks the cell's control connection for what the session has touched, and adds it to its statement's footprint.
void footprint_ask(struct cell_session *session, db_async_done *done);
void footprint_take(struct cell_session *session);
void footprint_add(struct footprint *footprint, struct touch touch);
// Notes the text that a statement is sent with. `measures`: its footprint is about to be taken.
void footprint_note_text(struct explorer *explorer, uint8_t session, size_t instruction, const char *sql,
                         bool measures);

// --- explore_commute.c: which steps may change places ---

// True unless it is certain that the two steps of different sessions, one after the other, give the same in both
// orders.
MUST_CHECK bool steps_conflict(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                               struct step_place one, struct step_place other);
// The same for the next steps of two sessions at a place of a run. A step that is not known conflicts.
MUST_CHECK bool next_steps_conflict(const struct explorer *explorer, const struct sql_case *explored,
                                    enum case_level level, const struct explore_run *run, size_t place, uint8_t one,
                                    uint8_t other);
// The next step of a session at a place of the run. False: it is not known.
MUST_CHECK bool find_next_step(const struct explore_run *run, size_t place, uint8_t session, struct step_place *next);
// False: the statement needs nothing that the transaction of the other session has locked up to its step `holder`, as
// far as the serial orders have shown.
MUST_CHECK bool step_may_wait(const struct explorer *explorer, const struct sql_case *explored, struct step_place step,
                              struct step_place holder);
// The number of orders that differ from the run only in the order of steps that do not conflict. It is 1 if it cannot
// be counted. UINT64_MAX stands for all larger numbers.
MUST_CHECK uint64_t count_alike(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                                const struct explore_run *run);

// --- explore_sleep.c: sessions whose next step leads to orders that other prefixes stand for ---

// True if one of the sessions that are asleep at a place of the run never wakes.
MUST_CHECK bool sleep_is_endless(const struct explorer *explorer, const struct sql_case *explored,
                                 enum case_level level, const struct explore_run *run, size_t place, uint16_t asleep);
// The same for the place that the running order has come to.
MUST_CHECK bool sleep_is_endless_here(const struct cell *cell);

// --- explore_outcome.c: what two runs have in common ---

// A column that is not compared.
struct mask {
    bool of_table;
    uint16_t session, instruction; // the place of an answer
    uint16_t table;                // number in the run
    int column;
};

struct masks {
    struct mask *items;
    size_t count;
};

// Appends what a serial order must have in common with the run. `reference`: the work that a serial order leaves out.
void outcome_append(const struct cell *cell, const struct explore_run *run, const struct masks *masks,
                    struct text *out);
// Appends the work of a run that was not committed: statements of transactions that the server aborted.
void outcome_append_dropped(const struct explore_run *run, struct text *out);
// The serial orders of all sessions that ended alike.
struct serial_run {
    struct explore_run *run;
    bool was_repeated;
};

// True if the run raises an error, other than the retryable ones, that no serial order of all sessions raises.
MUST_CHECK bool outcome_has_new_error(const struct cell *cell, const struct explore_run *run,
                                      const struct serial_run *serial, size_t serial_count);
// True if a statement fails in every serial order because it is wrong. `problem` says which one.
MUST_CHECK bool outcome_fails_always(const struct sql_case *explored, const struct serial_run *serial,
                                     size_t serial_count, struct text *problem);
// Appends the names of the columns that are not compared. `run`: one of the serial orders.
void masks_append_names(const struct masks *masks, const struct sql_case *explored, const struct explore_run *run,
                        struct text *out);
// Adds masks for the columns in which two runs of the same order differ.
void masks_add_differences(struct masks *masks, const struct explore_run *one, const struct explore_run *other);

// True if `one` shows the same outcome better: with fewer preemptions, fewer steps, or sessions in order. Thus the run
// that is shown does not depend on which cell was faster.
MUST_CHECK bool run_is_smaller(const struct explore_run *one, const struct explore_run *other);

// --- explore_reference.c: the outcomes of serial orders ---

// Serial orders of one selection of the work.
struct reference {
    SLIST_ENTRY(reference) next;
    char *dropped;                     // outcome_append_dropped() of the orders it judges; "" if all work was committed
    bool *left_out[CASE_SESSIONS_MAX]; // by instruction
    struct frontier frontier;
    size_t running; // orders in cells
    char **outcomes;
    size_t outcome_count;
    uint64_t broken; // invariants (bits) that fail after one of the orders
    bool is_complete;
};

// `run`: an order that dropped the same work; NULL: none was dropped. The caller frees it.
MUST_CHECK struct reference *reference_make(const struct sql_case *explored, const char *dropped,
                                            const struct explore_run *run);
void reference_free(struct reference *reference);
MUST_CHECK bool reference_has(const struct reference *reference, const char *outcome);
// False: the reference has it already.
bool reference_add(struct reference *reference, const char *outcome);

// --- explore_order.c: an order that a person gives ---

// The caller frees it with free(). NULL: `problem` says which name is unknown.
MUST_CHECK struct prefix *order_read(const struct sql_case *explored, const char *order, struct text *problem);
// The first session of a run that is ready.
MUST_CHECK uint8_t order_next(const struct explore_run *like, uint16_t ready);
// Says which step of the asked order could not be launched.
void order_complain(const struct cell *cell, struct text *problem);

// Whether an UPDATE or DELETE names its rows by a unique key.
enum pinned { NOT_EXPLAINED, PINNED, NOT_PINNED };

struct explorer {
    uv_loop_t *loop;
    struct explore_settings settings;
    struct cell *cells[EXPLORE_CELLS_MAX];           // the first one runs the serial orders
    size_t cell_count;                               // that were made; settings.cells is the most
    uint64_t open_ns, prepare_ns;                    // the time that it took to make the first one, and to prepare it
    uint64_t searched_ns;                            // the time of the searches of the case that it holds
    struct case_left_out left_out;                   // the part of the case that is not run
    const struct search *search;                     // that runs, or NULL
    enum pinned *pinned[CASE_SESSIONS_MAX];          // by instruction, of the case that the cells hold
    struct footprint *footprints[CASE_SESSIONS_MAX]; // likewise
    size_t footprint_count[CASE_SESSIONS_MAX];
    bool has_lost_server;                 // see explore_note_loss()
    unsigned plans_learned;               // how often one of `pinned` has changed
    bool learned_late;                    // a statement was sent with a text that no serial order had
    bool knows_footprints;                // every statement that a serial order ran has one
    bool has_pageinspect;                 // the server's extension
    bool can_inspect;                     // footprints can be taken of this case
    bool mixes_levels;                    // statements name levels, so transactions may have any
    int named_level[CASE_SESSIONS_MAX];   // then: see levels_of_session()
    struct text note;                     // see explorer_note()
    struct db_async *admin;               // makes and drops the databases
    struct text drops[EXPLORE_CELLS_MAX]; // the statements that drop them; empty: not made
};

// --- explore_level.c: levels that statements name ---

// Finds the levels of a case that is run as it is written. False: a level is set in a way that is not understood.
MUST_CHECK bool levels_find(struct explorer *explorer, const struct sql_case *explored);
// Appends the text without the levels that it names: footprints are taken at SERIALIZABLE.
void levels_append_without(const char *sql, struct text *out);
// The level of a session's transactions; -1: it has several.
MUST_CHECK int levels_of_session(const struct explorer *explorer, uint8_t session, enum case_level level);

// Numbers of orders grow beyond 64 bits.
static inline uint64_t add_orders(uint64_t one, uint64_t other) {
    return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

// Makes one more database. False: `problem` says why, and nothing has changed.
MUST_CHECK bool explore_open_cell(struct explorer *explorer, struct text *problem);
// Forgets what was learned of the case that the cells hold.
void explore_forget_case(struct explorer *explorer);
// Finds out, after a failure, whether the server has gone: a session can see the end of its connection before the other
// connections see theirs, and a session that was ended alone leaves a server that goes on.
void explore_note_loss(struct explorer *explorer);
// Makes room for what is found out about the statements of the case.
void explore_expect_case(struct explorer *explorer, const struct sql_case *explored);

#endif
