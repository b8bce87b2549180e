// A try of the shrinker runs its order first. Most tries end there, or behind the serial orders, which say that the
// order does not go wrong as it should: then nothing is run a second time, and no footprint is taken.
#include "workers/explore/explore_search.h"

#include <stdlib.h>

void screen_begin(struct search *search, const struct prefix *given) {
    search->screening = SCREEN_ORDER;
    search->held_prefix = memory_allocate(sizeof *given + given->count);
    memcpy(search->held_prefix, given, sizeof *given + given->count);
    search->plans_before = search->explorer->plans_learned;
}

void screen_hold(struct search *search, struct explore_run *run) {
    search->held = memory_resize(search->held, (search->held_count + 1) * sizeof(void *));
    search->held[search->held_count++] = run;
}

void screen_end(struct search *search) {
    for (size_t i = 0; i < search->held_count; i++) {
        run_free(search->held[i]);
    }
    free(search->held);
    free(search->held_prefix);
    search->held = NULL;
    search->held_prefix = NULL;
    search->held_count = 0;
}

// Columns that are not to be compared are not known yet. Outcomes that are equal in all columns are equal without some.
static bool is_serial(const struct search *search, const struct explore_run *run) {
    char *outcome = search_outcome(search, run);
    bool is_found = false;
    for (size_t i = 0; i < search->serial_count && !is_found; i++) {
        char *serial = search_outcome(search, search->serial[i].run);
        is_found = strcmp(serial, outcome) == 0;
        free(serial);
    }
    free(outcome);
    return is_found;
}

static bool may_go_wrong_alike(const struct search *search, const struct explore_run *run) {
    const struct explore_outcome *wanted = search->screen->wanted;
    if (search->screening == SCREEN_ORDER) {
        return search->screen->may_do(search->screen->user, run);
    }
    struct text dropped = {0};
    outcome_append_dropped(run, &dropped);
    bool can_be_anomalous = !wanted->is_anomalous || dropped.length > 0 || !is_serial(search, run);
    text_free(&dropped);
    return can_be_anomalous && wanted->has_new_error == outcome_has_new_error(search->explorer->cells[0], run,
                                                                              search->serial, search->serial_count);
}

static void keep_hopeful(struct search *search) {
    size_t kept = 0;
    for (size_t i = 0; i < search->held_count; i++) {
        if (may_go_wrong_alike(search, search->held[i])) {
            search->held[kept++] = search->held[i];
        } else {
            run_free(search->held[i]);
        }
    }
    search->held_count = kept;
}

bool screen_take_job(struct search *search, struct job *job) {
    bool is_serial_order = search->screening == SCREEN_SERIAL;
    job->prefix = frontier_take(is_serial_order ? &search->full->frontier : &search->frontier);
    if (job->prefix != NULL) {
        job->reference = is_serial_order ? search->full : NULL;
        return true;
    }
    if (search->running > 0) {
        return false;
    }
    keep_hopeful(search);
    if (search->held_count == 0) {
        return false; // and no job is left: the search ends
    }
    if (!is_serial_order) {
        search->screening = SCREEN_SERIAL;
        return screen_take_job(search, job);
    }
    search->screening = SCREEN_OFF;
    if (search->plans_before != search->explorer->plans_learned) { // a COMMIT may be a step of its own now
        struct prefix *again = search->held_prefix;
        search->held_prefix = NULL;
        screen_end(search);
        frontier_put(&search->frontier, again);
    }
    return false;
}

void screen_release(struct search *search) {
    size_t count = search->held_count;
    search->held_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct explore_run *run = search->held[i];
        for (size_t j = 0; j < run->step_count; j++) {
            const struct explore_step *step = &run->steps[j];
            if (explore_has_answers(step)) {
                footprint_note_text(search->explorer, step->session, step->instruction, step->sql, false);
            }
        }
        search_take_order(search, run);
    }
}
