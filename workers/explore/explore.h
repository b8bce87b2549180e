// Runs the sessions of a case in every order on a real PostgreSQL, and judges each order.
//
// An order is the sequence in which the sessions' steps are launched. Its outcome is what every session was answered,
// which work committed, and the rows of all tables at the end. An outcome is anomalous if no serial order of the
// committed work, started from the same rows, gives the same outcome (observational serializability; Papadimitriou,
// "The serializability of concurrent database updates", JACM 26(4), 1979).
//
// All functions belong to the thread of the loop.
#ifndef WORKERS_EXPLORE_EXPLORE_H
#define WORKERS_EXPLORE_EXPLORE_H

#include "observability/base/base.h"
#include "workers/case/case.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum explore_unit {
    EXPLORE_UNIT_SESSION,     // a whole session must look atomic
    EXPLORE_UNIT_TRANSACTION, // each of its transactions must; a session's transactions keep their order
};

struct explore_settings {
    const char *server;       // URL of a server on which the explorer makes databases of its own
    const char *database_url; // or: the URL of the only database to use, whose name begins with explore_
    unsigned cells;           // databases that run orders side by side; 1 with database_url
    enum explore_unit unit;
    bool reduces;              // runs one of the orders that differ only in steps that do not conflict
    bool whole_statements;     // the COMMIT of an autocommit statement is no step of its own
    int preemptions_max;       // -1: no limit
    uint64_t orders_max;       // 0: no limit
    uint64_t milliseconds_max; // 0: no limit
    size_t sessions_max;       // the most sessions that a case has: the connections that a database needs
    // When it becomes true, everything that runs is cancelled, and the functions below return. A signal's callback may
    // set it. NULL: this never happens.
    const bool *is_stopped;
};

struct explorer;

// Connects and makes the databases. False: `problem` says why in one line.
MUST_CHECK struct explorer *explorer_open(uv_loop_t *loop, const struct explore_settings *settings,
                                          struct text *problem);
// A line about the databases that the user should know; NULL: there is none. It lives as long as the explorer.
MUST_CHECK const char *explorer_note(struct explorer *explorer);
// Drops the databases and closes all connections. The caller runs the loop once more to free the memory.
void explorer_close(struct explorer *explorer);
// Call it before a case that was explored is freed: another case at the same address is not the one that the databases
// were made for.
void explorer_forget_case(struct explorer *explorer);
// The next explorations run without these instructions: of that case alone. NULL: all of them run again.
void explorer_leave_out(struct explorer *explorer, const struct case_left_out *left_out);
// How far the running exploration is.
struct explore_progress {
    uint64_t orders, bad; // that were run; that have an anomaly, a broken invariant or a new error
    size_t waiting;       // orders that are known and not run yet
    uint64_t elapsed_ns;
};

// False: no exploration runs. A timer's callback may call it.
MUST_CHECK bool explorer_progress(const struct explorer *explorer, struct explore_progress *progress);
// True if the server has gone: no exploration is possible any more.
MUST_CHECK bool explorer_is_lost(const struct explorer *explorer);
MUST_CHECK bool explorer_is_stopped(const struct explorer *explorer);

// --- The result of an exploration ---

// One launched step of an order.
struct explore_step {
    uint8_t session;
    bool is_commit;       // the COMMIT of an autocommit statement
    bool is_check;        // the check of deferred constraints and triggers, before a COMMIT
    uint16_t instruction; // its number in the session
    uint16_t blocked_by;  // sessions (bits) that held it up; 0: it did not wait
    uint16_t asleep;      // sessions that other orders stand for
    uint16_t enabled;     // sessions that could have gone instead, this one included
    char sqlstate[6];     // its error; "": none
    uint32_t completed;   // number of steps that were launched when it was complete; this step's number + 1: at once
    const char *sql;      // as it was sent, with its variables filled in; it lives as long as the run
};

// The server's answer to a statement. The texts live as long as the run.
struct explore_answer {
    uint16_t instruction;
    bool is_dropped;  // it was part of a transaction that the server aborted, or of an attempt that is forgotten
    char sqlstate[6]; // "": no error
    const char *tag;
    const char *message;
    int rows, columns;
    const char **names;  // the names of the columns
    const char **values; // row by row; NULL is SQL's NULL
    bool *from_sequence; // by column: a sequence gives its values
    bool *is_generated;  // row by row: the setup has not made the value, so a sequence has given it in this run
};

struct explore_session_run {
    struct explore_answer *answers;
    size_t count;
    bool is_aborted;  // the server aborted one of its transactions or refused a statement
    char sqlstate[6]; // the first error
};

struct explore_table {
    const char *name;
    int rows, columns;
    const char **names;
    const char **values;
    bool *from_sequence, *is_generated;
};

struct explore_run {
    struct arena memory;
    struct explore_step *steps;
    size_t step_count, step_capacity;
    struct explore_session_run sessions[CASE_SESSIONS_MAX];
    struct explore_table *tables;
    size_t table_count;
    // After explore_repeat(): the committed rows of the tables before the first step and after each step; NULL: a table
    // was locked. None: there were too many rows.
    struct explore_table **snapshots;
    size_t snapshot_count;
    uint64_t broken_invariants; // bits
    uint16_t victims;           // sessions that a deadlock's victim was chosen from
    uint32_t preemptions;
    bool is_blocked, is_deadlocked, has_retryable_abort;
    struct explore_pending {
        bool is_known, is_commit, is_check;
        uint16_t instruction;
    } pending[CASE_SESSIONS_MAX]; // the next step of each session when the run was ended before its end
    bool is_redundant;            // it was ended: every way on is part of another order
    bool is_stuck;                // a session waits for one that has ended, so the order has no end
    uint32_t diverged_at;         // the number of the step of the asked order that could not be launched; 0: none
};

// A dependency of two sessions: any serial order with the same answers and rows would have `from` before `to`.
enum explore_dependency {
    EXPLORE_RW, // `from` read a row before `to` changed it
    EXPLORE_WR, // `to` read a row that `from` had changed
    EXPLORE_WW, // `to` changed a row that `from` had changed
};

struct explore_edge {
    uint8_t from, to; // sessions
    enum explore_dependency kind;
    uint32_t from_step, to_step; // the steps of the run, by their number from 0
    const char *table;
    const char *row; // such as "id=alice", or "a new row"; NULL: the rows that a condition selects
    bool in_cycle;
};

enum { EXPLORE_CYCLE_MAX = 3 };

struct explore_graph {
    struct explore_edge *edges;
    size_t count; // 0: the graph is not known
    uint8_t cycle[EXPLORE_CYCLE_MAX];
    size_t cycle_length; // 0: no cycle of two or three sessions
};

// All orders with one outcome.
struct explore_outcome {
    char *key;          // equal outcomes of two explorations of one case have equal keys
    bool is_anomalous;  // no serial order of the committed work gives it
    bool has_new_error; // errors, not 40001 or 40P01, that no serial order of all sessions raises together
    const char *name;   // the anomaly in the field's words, such as "lost update (P4)"; NULL: it has none
    uint64_t broken;    // invariants (bits) that fail, but hold after every serial order of the same work
    uint64_t orders;
    struct explore_graph graph; // that of the order below; empty unless the outcome is anomalous
    struct explore_run *first;  // the first of them in the order of the search: it has the fewest preemptions
};

struct exploration {
    const struct sql_case *explored;
    enum case_level level;
    bool as_written;               // the levels are those that the statements name
    struct case_left_out left_out; // the part of the case that was not run
    // explore_shrink() sets these: a wrong order without the steps that it does not need (NULL: it needs all), and why
    // the search for a smaller one was ended early (NULL: it was not).
    struct explore_small *smallest;
    const char *shrink_ended_because;
    bool is_complete; // every order was run
    const char *incomplete_because;
    bool is_reduced;                        // some orders were not run: another one stands for them
    uint64_t orders;                        // that were run to their end, or that such an order stands for
    uint64_t runs;                          // with those of the serial orders
    uint64_t anomalous, broken, new_errors; // orders; one order may count in several
    uint64_t blocked, aborted, deadlocked;  // likewise
    bool has_key_writes;                    // lone UPDATEs or DELETEs of a row by its key, which are one step
    uint64_t stuck;           // orders without an end: a session waits for one that has ended and kept a lock
    uint64_t diverged;        // orders that went another way when they were to be repeated
    uint64_t broken_serially; // invariants (bits) that fail after a serial order too
    struct explore_outcome *outcomes;
    size_t outcome_count;
    struct explore_run **serial; // the serial orders of all sessions, one for each outcome
    size_t serial_count;
    struct text masked;                              // names of the columns that are not compared, separated by ", "
    uint64_t started_ns, first_anomaly_ns, ended_ns; // monotonic; 0: there was none
};

// A wrong order without the steps that it does not need.
struct explore_small {
    struct exploration replay;             // replay.left_out: the steps that it does not need
    const struct explore_outcome *outcome; // one of replay.outcomes
};

// Explores one case at one level. `as_written`: no level is set. False: the case cannot be run, and `problem` is one
// line "FILE:LINE: ...". The caller frees the result with exploration_free() in both cases.
MUST_CHECK bool explore(struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                        bool as_written, struct exploration *result, struct text *problem);
// Runs one order, such as "A1 B1 B2 A2", and judges it: the names of steps, or of sessions. Behind its last step the
// order goes on as the search would. If it ends in a deadlock there is an outcome for each victim. False: `problem`
// says which step cannot be launched, and which session it waits for, or which name is unknown.
MUST_CHECK bool explore_replay(struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                               bool as_written, const char *order, struct exploration *result, struct text *problem);
// Leaves out of the smallest order of a wrong outcome what it does not need: sessions, transactions, steps, and then
// preemptions. The rest goes wrong in the same way: the same name, the same invariants, the same errors. Each try
// is a replay of the same order without some steps, so that the order with these steps in it goes wrong too. `like`: a
// result for another level, whose smallest order is tried first, or NULL. Sets found->smallest.
void explore_shrink(struct explorer *explorer, struct exploration *found, const struct explore_outcome *outcome,
                    const struct exploration *like);
// Runs the order of a run again for a reader, perhaps at another level: the sessions go in the same sequence, but one
// that cannot go is passed over. Behind the end the order goes on as the search would. The result is as that of
// explore_replay(), with snapshots.
MUST_CHECK bool explore_repeat(struct explorer *explorer, const struct exploration *found,
                               const struct explore_run *run, enum case_level level, struct exploration *result,
                               struct text *problem);
// False: the order names what the case does not have; `problem` says what.
MUST_CHECK bool explore_check_order(const struct sql_case *explored, const char *order, struct text *problem);
// Runs all orders of a reduced exploration, and appends a line for each outcome whose number of orders differs. False:
// they cannot be compared, and `problem` says why. `runs`: the orders that were run for it.
MUST_CHECK bool explore_verify(struct explorer *explorer, const struct exploration *reduced, uint64_t *runs,
                               struct text *differences, struct text *problem);

enum explore_tester_end {
    EXPLORE_TESTER_COMPLETE,
    EXPLORE_TESTER_FAILED,      // the file was not run to its end
    EXPLORE_TESTER_NO_DATABASE, // a connection cannot be opened
};

// Runs the orders that a .spec states, or all of them if it states none, as PostgreSQL's isolationtester does, and
// appends what isolationtester would write to its two outputs. `conninfo`: "" stands for the PG* variables. The file's
// own setup and teardown make and drop its tables. Runs the loop. The reason of a failure is in `problem`, or at the
// end of `out`.
// When `is_stopped` becomes true, the running statements are cancelled, and the file's teardown runs.
MUST_CHECK enum explore_tester_end explore_as_tester(uv_loop_t *loop, const char *conninfo,
                                                     const struct sql_case *explored, const bool *is_stopped,
                                                     struct text *out, struct text *problem);

// Where the sessions stand between two steps of an order.
struct explore_position {
    struct explore_run *run; // its steps and answers, and the rows that a new session reads now
    struct explore_stand {
        enum explore_standing {
            EXPLORE_STANDS_READY,
            EXPLORE_STANDS_WAITING,
            EXPLORE_STANDS_ENDED,
        } standing;
        uint16_t waits_for;   // sessions (bits)
        uint16_t instruction; // the statement that is next, or that waits; the number of instructions: it has ended
        bool is_commit;       // the COMMIT of an autocommit statement is next
        const char *sql;      // the same with its variables filled in; it lives as long as the run; NULL: it has ended
    } stands[CASE_SESSIONS_MAX];
};

enum explore_position_end {
    EXPLORE_POSITION_KNOWN,
    EXPLORE_POSITION_IMPOSSIBLE, // a step cannot be launched: its session waits, or has ended
    EXPLORE_POSITION_FAILED,     // the case cannot be run, or the server failed
};

// Runs the first steps of an order, one for each of the given sessions, and stops there. Transactions that are open
// then are rolled back when the position is known. Runs the loop. If the position is not known, `problem` says why in
// one line. The caller frees the position with explore_position_free() in all cases.
MUST_CHECK enum explore_position_end explore_position(struct explorer *explorer, const struct sql_case *explored,
                                                      enum case_level level, const uint8_t *sessions, size_t count,
                                                      struct explore_position *position, struct text *problem);
void explore_position_free(struct explore_position *position);

void exploration_free(struct exploration *exploration);

// False: a step that the explorer adds. If it fails, the answer of its statement has the error.
static inline bool explore_has_answers(const struct explore_step *step) {
    return !step->is_commit && !step->is_check;
}

// Appends the order of a run, such as "A1 B1 B2 A2".
void explore_append_order(const struct sql_case *explored, const struct explore_run *run, struct text *out);
void explore_append_step(const struct sql_case *explored, const struct explore_step *step, struct text *out);

#endif
