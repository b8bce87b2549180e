// The state of one exploration, which explore.c and explore_judge.c share. Private to workers/explore.
#ifndef WORKERS_EXPLORE_EXPLORE_SEARCH_H
#define WORKERS_EXPLORE_EXPLORE_SEARCH_H

#include "workers/explore/explore_internal.h"

struct class {
    const struct reference *reference;
    bool is_judged;
    struct explore_outcome outcome;
};

// The order of a try must do this, or the search ends before it is judged.
struct screen {
    bool (*may_do)(const void *user, const struct explore_run *run);
    const void *user;
    const struct explore_outcome *wanted;
};

enum screening {
    SCREEN_OFF,
    SCREEN_ORDER,  // the order runs
    SCREEN_SERIAL, // the serial orders run, once
};

struct search {
    struct explorer *explorer;
    const struct sql_case *explored;
    enum case_level level;
    struct exploration *result;
    struct text *problem;
    struct frontier frontier;
    SLIST_HEAD(, reference) references;
    struct reference *full; // the one of all work
    struct serial_run *serial;
    size_t serial_count;
    struct masks masks;
    struct class *classes;
    size_t class_count;
    size_t running; // cells
    bool knows_masks, has_failed;
    bool measures; // footprints are to be taken
    bool reduces;
    size_t measured;               // serial orders whose footprints were taken
    const char *incomplete_anyway; // why the search would not be complete if it began anew
    bool is_replay;                // only the given order runs
    const struct screen *screen;   // or NULL
    enum screening screening;
    struct explore_run **held; // runs of the given order that wait to be judged
    size_t held_count;
    struct prefix *held_prefix; // the given order
    unsigned plans_before;      // explorer->plans_learned when it ran
};

// --- explore_cells.c: the databases that run orders ---

// Gives the case to the first cell, unless it holds it. False: `problem` says why.
MUST_CHECK bool cells_begin(struct explorer *explorer, const struct sql_case *explored, struct text *problem);
// Makes another cell, or gives it the case, if the search takes long. Runs the loop until that is done. True: it did
// something.
MUST_CHECK bool cells_grow(struct search *search);

// --- explore_screen.c: the order of a try runs before the orders that judge it ---

void screen_begin(struct search *search, const struct prefix *given);
// While search->screening is not SCREEN_OFF: the next order. False: there is none before the running ones have ended,
// or SCREEN_OFF is set, or the search ends.
MUST_CHECK bool screen_take_job(struct search *search, struct job *job);
// Takes over a run of the given order.
void screen_hold(struct search *search, struct explore_run *run);
// The runs can be judged.
void screen_release(struct search *search);
// Frees what is held.
void screen_end(struct search *search);

// Runs the given order and judges it. It frees the prefix.
MUST_CHECK bool explore_given(struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                              bool as_written, struct prefix *given, const struct screen *screen,
                              struct exploration *result, struct text *problem);

// --- explore_judge.c ---

// The outcome of a run as a text. The caller frees it.
MUST_CHECK char *search_outcome(const struct search *search, const struct explore_run *run);

MUST_CHECK struct reference *search_add_reference(struct search *search, const char *dropped,
                                                  const struct explore_run *run);
// The exploration is not complete; the first reason counts.
void search_note_incomplete(struct search *search, const char *because);
// Takes over the run of an order that has reached its end, or of a serial order.
void search_take_order(struct search *search, struct explore_run *run);
void search_take_serial(struct search *search, struct job *job);
// Takes over a serial order that another cell has repeated.
void search_take_comparison(struct search *search, struct cell *cell);
// The serial orders have all run twice, so it is known which columns are not compared.
void search_finish_masks(struct search *search);
// Judges the outcomes whose serial orders are known by now.
void search_judge_all(struct search *search);
// Forgets all orders that were run, because some were left out wrongly.
void search_begin_anew(struct search *search);
// Hands the outcomes over to the result, and frees the rest.
void search_finish(struct search *search);

#endif
