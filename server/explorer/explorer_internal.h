// Shared by the files of the program race-explore. Private to server/explorer.
#ifndef SERVER_EXPLORER_EXPLORER_INTERNAL_H
#define SERVER_EXPLORER_EXPLORER_INTERNAL_H

#include "server/draw/draw.h"
#include "workers/explore/explore.h"

enum exit_status {
    EXIT_CLEAN = 0,
    EXIT_ANOMALY = 1,
    EXIT_WRONG = 2,
    EXIT_INCOMPLETE = 3,
    EXIT_DATABASE = 4,
    EXIT_INTERRUPTED = 130, // as a shell reports a Ctrl-C
};

// Why the program ends early.
struct ending {
    bool is_stopped;     // for one of the reasons below; a signal's callback sets it
    bool is_interrupted; // SIGINT, SIGTERM or SIGHUP has come
    int output_status;   // the standard output could not be written; EXIT_CLEAN: it could
};

// The command line.
struct options {
    struct explore_settings explore;
    bool levels[CASE_LEVELS]; // all false: what the case asks for
    bool as_written;
    const char *json_path, *junit_path, *html_path; // "-": standard output
    bool verifies;
    bool tries_fixes;
    const char *replay;  // the order to run, or NULL
    const char *without; // sessions and steps that are left out, or NULL
    bool keeps_all;      // the smallest order is shown with all of its steps
    const char *setup_path;
    const char **scripts; // --session
    size_t script_count;
    char **files;
    size_t file_count;
    bool is_catalogue;       // the files state what must be found
    const char *only_case;   // --case: the name of the only case to run, or NULL
    bool has_more_cases;     // the file that is read has more than one
    bool as_isolationtester; // write what isolationtester writes, and nothing else
    bool as_stepper;         // answer orders from the standard input, and nothing else
};

// False: the program ends with *status; the reason, or the help, is written.
MUST_CHECK bool options_read(int argc, char **argv, struct options *options, int *status);

// --- explorer_ending.c ---

// The status that says more.
MUST_CHECK int worse_status(int one, int other);
// Opens the standard descriptors that are closed: else the next socket would be the standard output. False: that is
// closed; the reason is written.
MUST_CHECK bool output_is_open(void);
// Writes to the standard output. If that fails, the program ends, and the reason is written unless the reader has gone.
void output_print(struct ending *ending, struct slice content);

// --- explorer_catalogue.c: cases that state what must be found ---

struct catalogue;

// Reads the files and the .sql files of the folders; without any, those of the lab's catalogue. Writes what is wrong
// with them.
MUST_CHECK struct catalogue *explorer_catalogue_read(char *const *paths, size_t count, struct ending *ending);
// The most sessions that a case has; 0: there is no case to run.
MUST_CHECK size_t explorer_catalogue_sessions(const struct catalogue *catalogue);
// Runs what was read. `explorer` is NULL if there is nothing to run. Returns the exit status: EXIT_ANOMALY if a case
// differs.
MUST_CHECK int explorer_catalogue_run(struct catalogue *catalogue, struct explorer *explorer);
void explorer_catalogue_free(struct catalogue *catalogue);

// --- explorer_inputs.c: the files of the command line, read before anything is done with them ---

struct input {
    const char *file;
    struct case_list list;
    struct text problem; // why it cannot be explored; empty: it can
};

struct inputs {
    struct input *items;
    size_t count;
};

void inputs_read(const struct options *options, struct inputs *inputs);
// The most sessions that a case of them has; 0: there is no case to explore.
MUST_CHECK size_t inputs_sessions(const struct inputs *inputs);
void inputs_free(struct inputs *inputs);

// --- explorer_found.c: what an exploration found, in words ---

MUST_CHECK const char *found_level_name(const struct exploration *found);   // "READ COMMITTED"
MUST_CHECK const char *found_level_option(const struct exploration *found); // for --levels: "rc"
MUST_CHECK bool found_is_bad(const struct explore_outcome *outcome);
// The bad outcome that is shown first: with the fewest preemptions, then the fewest steps. NULL: there is none.
MUST_CHECK const struct explore_outcome *found_smallest(const struct exploration *found);
// True if two outcomes have the same kind, name, broken invariants and final rows.
MUST_CHECK bool found_are_alike(const struct exploration *found, const struct explore_outcome *one,
                                const struct explore_outcome *other);
// True if two states of a table have the same rows, but for columns that are not compared.
MUST_CHECK bool found_has_same_rows(const struct exploration *found, const struct explore_table *one,
                                    const struct explore_table *other);
// Appends "not serializable: lost update (P4); invariant x fails".
void found_append_kind(const struct exploration *found, const struct explore_outcome *outcome, struct text *out);
// True if the column, such as "visits.at" or "column 1 of A2", is not compared.
MUST_CHECK bool found_is_masked(const struct exploration *found, const char *column);
MUST_CHECK bool found_masks_table(const struct exploration *found, const struct explore_table *table, int column);
MUST_CHECK bool found_masks_answer(const struct exploration *found, const struct explore_step *step, int column);
// The number of the next answer to the step, from `from` on; the session's count: there is none.
MUST_CHECK size_t found_answer(const struct explore_run *run, const struct explore_step *step, size_t from);
MUST_CHECK bool found_is_error(const struct explore_step *step, const struct explore_answer *answer);
MUST_CHECK bool found_has_order_by(const struct exploration *found, const struct explore_step *step);
// Returns the numbers of the rows in the order in which they are shown: sorted by their values, because the server
// returns them in any order, unless `in_order`. The caller frees it.
MUST_CHECK int *found_row_order(const char **values, int rows, int columns, const bool *is_masked, bool in_order);
// Appends the order of the sessions: "A, then B".
void found_append_sessions(const struct exploration *found, const struct explore_run *run, struct text *out);
// Appends what the server answered to a step in short: "a=1, b=2", "UPDATE 1", "ERROR 40001 ...".
void found_append_answers(const struct exploration *found, const struct explore_run *run,
                          const struct explore_step *step, struct text *out);
// False for a column whose values change from run to run, such as now(): they would hide the rows that differ. The
// first column is shown, because it may name the row.
MUST_CHECK bool found_shows_column(const struct exploration *found, const struct explore_table *table, int column);
// Appends the values of the columns that are shown.
void found_append_row(const struct exploration *found, const struct explore_table *table, int row, struct text *out);
// Appends names of sessions and steps: "session C, A2, A4 to A7".
void found_append_left_out(const struct exploration *found, const struct case_left_out *except, struct text *out);
// Appends the command that repeats an order.
void found_append_replay(const struct exploration *found, const struct options *options, const struct explore_run *run,
                         struct text *out);

// --- explorer_story.c: the drawing of a run, and its answers and rows beside those of the serial orders ---

void story_append_run(const struct exploration *found, const struct explore_run *run, struct canvas canvas,
                      struct text *out);

// --- explorer_compare.c ---

void compare_append(const struct exploration *found, const struct explore_run *run, struct canvas canvas,
                    bool is_anomalous, struct text *out);

// --- explorer_report.c: the report of a case at some levels, for a terminal ---

enum { REPORT_NOTES, REPORT_STORY, REPORT_OTHERS, REPORT_TEXTS };

// Starts as zeroes but for `options` and `canvas`. Use it for one case.
struct report {
    const struct options *options;
    struct canvas canvas;
    struct {
        const char *level;
        struct text texts[REPORT_TEXTS];
    } earlier[CASE_LEVELS]; // the same text is written once
    size_t earlier_count;
};

void report_exploration(struct report *report, const struct exploration *found, struct text *out);
// The table with a line for each exploration of one case.
void report_table(const struct report *report, const struct exploration *found, size_t count, struct text *out);
void report_free(struct report *report);

// --- explorer_beside.c: one order, at each level ---

struct beside {
    const struct explore_outcome *shown;    // the outcome whose order it is; NULL: none
    struct exploration levels[CASE_LEVELS]; // without outcomes: the order was not run there
};

// Runs the order that is shown first once more: to read the rows after each step, and at the other levels.
void beside_run(struct explorer *explorer, const struct exploration *found, const struct options *options,
                struct beside *beside);
void beside_free(struct beside *beside);

// --- explorer_json.c ---

void json_begin_document(struct json_writer *json, const struct options *options);
// `explored`: NULL if the file cannot be read.
void json_begin_case(struct json_writer *json, const char *file, const struct sql_case *explored);
void json_add_exploration(struct json_writer *json, const struct exploration *found, const struct options *options,
                          const struct beside *beside);
// Between the explorations and the end of a case: fixes, if some were tried.
void json_begin_fixes(struct json_writer *json);
void json_end_case(struct json_writer *json, const char *problem); // NULL: none
// Adds the members "order", "steps" and "state" to the open object.
void json_add_run_members(struct json_writer *json, const struct exploration *found, const struct explore_run *run);
// Adds an array of the names of the invariants (bits).
void json_add_invariants(struct json_writer *json, const char *name, const struct sql_case *explored, uint64_t broken);
void json_end_document(struct json_writer *json);

// --- explorer_junit.c ---

struct junit {
    struct text tests;
    size_t count, failures, errors;
    double seconds;
};

void junit_add_exploration(struct junit *junit, const struct exploration *found, const struct options *options);
void junit_add_problem(struct junit *junit, const char *file, const char *name, const char *problem);
void junit_write(const struct junit *junit, struct text *out);

// --- explorer_output.c ---

// False: the file of this option could not be written; the reason is written. NULL is possible.
MUST_CHECK bool output_is_possible(const char *option, const char *path);
MUST_CHECK bool output_write(const char *option, const char *path, struct slice content); // likewise

// --- explorer_progress.c ---

struct progress {
    uv_timer_t timer;
    struct explorer **explorer; // shows this one's search; it points to NULL while there is none
    const char *what;           // the case and the level
    bool is_shown;
};

void progress_begin(struct progress *progress, uv_loop_t *loop, struct explorer **explorer);
void progress_hide(struct progress *progress);
void progress_end(struct progress *progress); // closes the timer

// --- explorer_fix.c: changes that end what was found ---

// Explores changed copies of the case, and appends what each does to the report and, as elements, to an array of JSON.
void fix_report(struct explorer *explorer, struct case_list *list, const struct sql_case *explored,
                const struct exploration *found, size_t count, struct canvas canvas, struct json_writer *json,
                struct text *out);

// --- explorer_stepper.c: --stepper ---

// Answers the orders that come in on the standard input until its end. Returns the exit status.
MUST_CHECK int stepper_run(uv_loop_t *loop, const struct options *options);

// --- explorer_tester.c: --isolationtester ---

// Runs the files in the database that --url, --server or the PG* variables name. Returns the exit status.
MUST_CHECK int isolationtester_run(uv_loop_t *loop, const struct options *options, const struct inputs *inputs,
                                   struct ending *ending);

#endif
