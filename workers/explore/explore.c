// The search: which orders are run, and what their outcomes mean.
//
// explore() > give_work() > cell_run() ... on_run_end() > explore_judge.c > give_work() ...
// First every serial order of all sessions runs twice: the columns that differ are masked. Then the orders of the
// frontier run. An outcome is judged against the serial orders of the work that it committed; those run when the first
// such outcome is seen.
#include "workers/explore/explore_search.h"

#include <stdio.h>
#include <stdlib.h>

enum { REPEATS_MAX = 5 };

// Two sessions that one COMMIT releases go on at the same time, and either may come first: the order is run again.
static void repeat(struct frontier *frontier, const struct prefix *prefix) {
    struct prefix *added = memory_allocate(sizeof *added + prefix->count);
    memcpy(added, prefix, sizeof *added + prefix->count);
    added->misses = (uint8_t)(prefix->misses + 1);
    frontier_put(frontier, added);
}

// Adds an order that was cut once more, up to the place of the cut.
static struct prefix *add_again(struct frontier *frontier, const struct cell *cell) {
    const struct explore_run *run = cell->job.run;
    if (cell->prefix->is_repeat) { // it goes behind the place as well
        struct prefix *added = memory_allocate(sizeof *added + cell->prefix->count);
        memcpy(added, cell->prefix, sizeof *added + cell->prefix->count);
        frontier_put(frontier, added);
        return added;
    }
    struct prefix *added = frontier_add(frontier, run->steps, run->step_count, NO_SESSION, run->preemptions);
    added->victims = cell->prefix->victims;
    added->asleep = cell->asleep;
    return added;
}

// A run that did not reach its end. A deadlock is run again once for each victim.
static void take_cut(struct search *search, struct cell *cell, struct frontier *frontier) {
    struct explore_run *run = cell->job.run;
    if (cell->problem.length > 0) {
        if (!search->has_failed) {
            text_append_slice(search->problem, text_slice(&cell->problem));
        }
        text_clear(&cell->problem);
        search->has_failed = true;
    } else if (cell->circle != 0) {
        for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
            if (cell->circle >> i & 1) {
                add_again(frontier, cell)->victims |= (uint16_t)(1U << i);
            }
        }
    } else if (cell->missed_deadlock && cell->prefix->misses < REPEATS_MAX) {
        add_again(frontier, cell)->misses = (uint8_t)(cell->prefix->misses + 1);
    } else if (run->is_redundant) {
        search->result->is_reduced = true;
    } else if (run->is_stuck) {
        search->result->stuck++;
        search_note_incomplete(search, "an order has no end: a session waits for one that has ended and kept a lock");
    } else if (search->is_replay && cell->job.reference == NULL) {
        order_complain(cell, search->problem);
        search->has_failed = true;
    } else if (cell->prefix->misses < REPEATS_MAX) {
        repeat(frontier, cell->prefix);
    } else {
        search->result->diverged++;
        search_note_incomplete(search, "an order went another way when its first steps were repeated");
    }
    run_free(run);
}

static void give_work(struct search *search);

static bool steps_of_run_conflict(const void *user, const struct explore_run *run, size_t place, uint8_t one,
                                  uint8_t other) {
    const struct search *search = user;
    return next_steps_conflict(search->explorer, search->explored, search->level, run, place, one, other);
}

static bool sleeps_to_the_end(const void *user, const struct explore_run *run, size_t place, uint16_t asleep) {
    const struct search *search = user;
    return sleep_is_endless(search->explorer, search->explored, search->level, run, place, asleep);
}

// Its statements may have been cancelled, so nothing is learned from it.
static void drop_run(struct search *search, struct cell *cell) {
    text_clear(&cell->problem);
    run_free(cell->job.run);
    free(cell->job.prefix);
    cell->job = (struct job){0};
    search_note_incomplete(search, "it was interrupted");
}

static void on_run_end(struct cell *cell) {
    struct search *search = cell->search;
    struct job *job = &cell->job;
    struct frontier *frontier = job->reference == NULL ? &search->frontier : &job->reference->frontier;
    search->running--;
    search->result->runs += job->compares ? 0 : 1;
    bool is_given = search->is_replay && job->reference == NULL;
    bool is_again = job->repeats != NULL || job->measures; // a serial order whose ways on are known
    if (explorer_is_stopped(search->explorer)) {
        drop_run(search, cell);
        return;
    }
    if (!is_again && job->run->diverged_at == 0 && !search->has_failed && !is_given) {
        bool reduces = search->reduces && job->reference == NULL;
        struct frontier_rules rules = {steps_of_run_conflict, sleeps_to_the_end, search};
        search->result->is_reduced |= frontier_branch(frontier, job->prefix, job->run, reduces ? &rules : NULL);
    }
    struct reference *reference = job->reference;
    if (job->compares) {
        search_take_comparison(search, cell);
    } else if (cell->is_cut) {
        take_cut(search, cell, frontier);
    } else if (reference == NULL && search->screening == SCREEN_ORDER) {
        screen_hold(search, job->run);
    } else if (reference == NULL) {
        search_take_order(search, job->run);
    } else {
        search_take_serial(search, job);
    }
    free(job->prefix);
    if (reference != NULL && --reference->running == 0 && reference->frontier.count == 0 && search->knows_masks) {
        reference->is_complete = true;
        search_judge_all(search);
    }
    *job = (struct job){0};
    give_work(search);
}

// --- The next order ---

static bool must_stop(struct search *search) {
    uint64_t most = search->explorer->settings.milliseconds_max;
    if (explorer_is_stopped(search->explorer)) {
        search_note_incomplete(search, "it was interrupted");
    } else if (most > 0 && clock_monotonic_ns() - search->result->started_ns > most * 1000000) {
        search_note_incomplete(search, "the limit of time was reached");
    } else {
        return false;
    }
    return true;
}

static bool may_run_more(struct search *search) {
    uint64_t most = search->explorer->settings.orders_max;
    if (most > 0 && add_orders(search->result->orders, search->running) >= most) {
        search_note_incomplete(search, "the limit of orders was reached");
        return false;
    }
    return true;
}

static void repeat_serial(struct search *search, struct explore_run *run, struct job *job) {
    struct frontier once;
    frontier_begin(&once);
    (void)frontier_add(&once, run->steps, run->step_count, NO_SESSION, 0);
    job->prefix = frontier_take(&once);
    job->reference = search->full;
    job->repeats = run;
}

static bool take_reference_job(struct search *search, struct job *job) {
    struct reference *each;
    SLIST_FOREACH(each, &search->references, next) {
        job->prefix = frontier_take(&each->frontier);
        if (job->prefix != NULL) {
            job->reference = each;
            return true;
        }
    }
    for (size_t i = 0; i < search->serial_count; i++) {
        struct serial_run *serial = &search->serial[i];
        if (!serial->was_repeated) {
            serial->was_repeated = true;
            repeat_serial(search, serial->run, job);
            return true;
        }
    }
    return false;
}

// A serial order is run a third time to take footprints, on the first cell alone.
static bool take_measure_job(struct search *search, const struct cell *cell, struct job *job) {
    if (cell != search->explorer->cells[0] || search->measured == search->serial_count ||
        !search->explorer->can_inspect || search->serial[search->measured].run->step_count == 0) {
        return false;
    }
    struct frontier once;
    frontier_begin(&once);
    const struct explore_run *run = search->serial[search->measured++].run;
    (void)frontier_add(&once, NULL, 0, run->steps[0].session, 0);
    job->prefix = frontier_take(&once);
    job->reference = search->full;
    job->measures = true;
    job->like = run;
    return true;
}

// A cell that has just got the case repeats the serial orders.
static bool take_comparison_job(struct search *search, struct cell *cell, struct job *job) {
    if (cell->use != CELL_COMPARES || !search->knows_masks) {
        return false;
    }
    if (cell->compared == search->serial_count) {
        cell->use = CELL_RUNS;
        return false;
    }
    repeat_serial(search, search->serial[cell->compared++].run, job);
    job->compares = true;
    return true;
}

static bool take_job(struct search *search, struct cell *cell, struct job *job) {
    *job = (struct job){0};
    if (search->has_failed || must_stop(search)) {
        return false;
    }
    if (take_comparison_job(search, cell, job)) {
        return true;
    }
    if (cell->use != CELL_RUNS) {
        return false;
    }
    if (search->screening != SCREEN_OFF && (screen_take_job(search, job) || search->screening != SCREEN_OFF)) {
        return job->prefix != NULL;
    }
    if (take_reference_job(search, job)) {
        return true;
    }
    if (!search->knows_masks) {
        if (search->running > 0) {
            return false;
        }
        search_finish_masks(search);
    }
    if (search->has_failed) {
        return false;
    }
    if (search->measures && !search->explorer->knows_footprints) {
        if (take_measure_job(search, cell, job)) {
            return true;
        }
        if (search->running > 0) {
            return false;
        }
        search->explorer->knows_footprints = search->explorer->can_inspect;
        search->measures = false;
        search->reduces &= search->explorer->can_inspect;
    }
    if (search->explorer->learned_late && search->reduces) {
        if (search->running > 0) {
            return false;
        }
        search->explorer->learned_late = false;
        search_begin_anew(search);
    }
    if (search->held_count > 0) {
        if (search->running > 0) {
            return false;
        }
        screen_release(search);
        return take_reference_job(search, job);
    }
    if (search->frontier.count == 0 || !may_run_more(search)) {
        return false;
    }
    job->prefix = frontier_take(&search->frontier);
    int preemptions_max = search->explorer->settings.preemptions_max;
    if (preemptions_max >= 0 && job->prefix->preemptions > (uint32_t)preemptions_max) {
        free(job->prefix); // the prefixes behind it have no fewer
        frontier_free(&search->frontier);
        search_note_incomplete(search, "the limit of preemptions was reached");
        return false;
    }
    return true;
}

static void give_work(struct search *search) {
    for (size_t i = 0; i < search->explorer->cell_count; i++) {
        struct cell *cell = search->explorer->cells[i];
        struct job job;
        if (cell->done != NULL || !take_job(search, cell, &job)) {
            continue;
        }
        job.run = memory_allocate_zeroed(sizeof *job.run);
        cell->job = job;
        cell->search = search;
        search->running++;
        if (job.reference != NULL) {
            job.reference->running++;
        }
        cell_run(cell, job.run, job.prefix, job.reference, job.measures ? CASE_SERIALIZABLE : search->level,
                 on_run_end);
    }
}

// --- The whole ---

bool explorer_progress(const struct explorer *explorer, struct explore_progress *progress) {
    const struct search *search = explorer->search;
    if (search == NULL) {
        return false;
    }
    *progress = (struct explore_progress){
        .orders = search->result->orders,
        .waiting = search->frontier.count + search->running,
        .elapsed_ns = clock_monotonic_ns() - search->result->started_ns,
    };
    for (size_t i = 0; i < search->class_count; i++) {
        const struct explore_outcome *outcome = &search->classes[i].outcome;
        bool is_bad = outcome->is_anomalous || outcome->has_new_error || outcome->broken != 0;
        progress->bad += is_bad ? outcome->orders : 0;
    }
    return true;
}

// A cancel request that arrives before its statement does nothing, so the caller repeats this.
static void cancel_cells(const struct explorer *explorer) {
    for (size_t i = 0; i < explorer->cell_count; i++) {
        const struct cell *cell = explorer->cells[i];
        if (db_async_is_busy(cell->control)) {
            db_async_cancel(cell->control);
        }
        for (size_t j = 0; j < cell->session_count; j++) {
            if (db_async_is_busy(cell->sessions[j].connection)) {
                db_async_cancel(cell->sessions[j].connection);
            }
        }
    }
}

// `given`: the only order to run, or NULL; the search frees it. `screen`: see explore_given(); or NULL.
static bool run_search(struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                       bool as_written, struct prefix *given, const struct screen *screen, struct exploration *result,
                       struct text *problem) {
    *result = (struct exploration){
        .explored = explored, .level = level, .as_written = as_written, .left_out = explorer->left_out};
    if (!cells_begin(explorer, explored, problem)) {
        explore_note_loss(explorer);
        free(given);
        return false;
    }
    explorer->mixes_levels = explored->names_levels;
    bool shows_reads = (!explorer->mixes_levels || levels_find(explorer, explored)) &&
                       !explorer->cells[0]->has_read_only;
    struct search search = {.explorer = explorer,
                            .explored = explored,
                            .level = level,
                            .result = result,
                            .problem = problem,
                            .is_replay = given != NULL,
                            .screen = screen,
                            .measures = explorer->can_inspect && shows_reads && !explorer->cells[0]->changes_schema,
                            .reduces = explorer->settings.reduces && given == NULL && explorer->can_inspect &&
                                       shows_reads && !explorer->cells[0]->changes_schema &&
                                       !(explorer->cells[0]->has_deferrable && !explored->stops_at_error)};
    frontier_begin(&search.frontier);
    if (given == NULL) {
        (void)frontier_add(&search.frontier, NULL, 0, NO_SESSION, 0);
    } else {
        frontier_put(&search.frontier, given);
    }
    if (screen != NULL) {
        screen_begin(&search, given);
    }
    SLIST_INIT(&search.references);
    search.full = search_add_reference(&search, "", NULL);
    result->started_ns = clock_monotonic_ns();
    explorer->search = &search;
    give_work(&search);
    while (search.running > 0) {
        if (explorer_is_stopped(explorer)) {
            cancel_cells(explorer);
            db_async_run_loop(explorer->loop, -1, 0, DB_ASYNC_CANCEL_MS);
        } else if (cells_grow(&search)) {
            give_work(&search);
        } else {
            (void)uv_run(explorer->loop, UV_RUN_ONCE);
        }
    }
    explorer->search = NULL;
    screen_end(&search);
    search_finish(&search);
    explorer->searched_ns += search.is_replay ? 0 : result->ended_ns - result->started_ns;
    if (search.has_failed) {
        explore_note_loss(explorer);
    }
    return !search.has_failed;
}

bool explore(struct explorer *explorer, const struct sql_case *explored, enum case_level level, bool as_written,
             struct exploration *result, struct text *problem) {
    return run_search(explorer, explored, level, as_written, NULL, NULL, result, problem);
}

bool explore_given(struct explorer *explorer, const struct sql_case *explored, enum case_level level, bool as_written,
                   struct prefix *given, const struct screen *screen, struct exploration *result,
                   struct text *problem) {
    return run_search(explorer, explored, level, as_written, given, screen, result, problem);
}

bool explore_replay(struct explorer *explorer, const struct sql_case *explored, enum case_level level, bool as_written,
                    const char *order, struct exploration *result, struct text *problem) {
    struct prefix *given = order_read(explored, order, problem);
    if (given == NULL) {
        *result = (struct exploration){.explored = explored, .level = level, .as_written = as_written};
        return false;
    }
    return run_search(explorer, explored, level, as_written, given, NULL, result, problem);
}

bool explore_repeat(struct explorer *explorer, const struct exploration *found, const struct explore_run *run,
                    enum case_level level, struct exploration *result, struct text *problem) {
    struct frontier once;
    frontier_begin(&once);
    (void)frontier_add(&once, run->steps, run->step_count, NO_SESSION, 0);
    struct prefix *given = frontier_take(&once);
    given->is_repeat = true;
    given->victims = level == found->level ? run->victims : 0;
    return run_search(explorer, found->explored, level, found->as_written, given, NULL, result, problem);
}
