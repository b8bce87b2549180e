// Judges outcomes: a serial order of the same committed work must give the outcome too. Orders with equal outcomes are
// counted together.
#include "workers/explore/explore_search.h"

#include <stdlib.h>

// --- References ---

static struct reference *find_reference(const struct search *search, const char *dropped) {
    struct reference *each;
    SLIST_FOREACH(each, &search->references, next) {
        if (strcmp(each->dropped, dropped) == 0) {
            return each;
        }
    }
    return NULL;
}

struct reference *search_add_reference(struct search *search, const char *dropped, const struct explore_run *run) {
    struct reference *added = reference_make(search->explored, dropped, run);
    SLIST_INSERT_HEAD(&search->references, added, next);
    return added;
}

char *search_outcome(const struct search *search, const struct explore_run *run) {
    struct text text = {0};
    outcome_append(search->explorer->cells[0], run, &search->masks, &text);
    char *copy = strdup(text_terminated(&text));
    CHECK(copy != NULL);
    text_free(&text);
    return copy;
}

// --- Judging ---

static void judge(struct search *search, struct class *class) {
    struct explore_outcome *outcome = &class->outcome;
    char *text = search_outcome(search, outcome->first);
    class->is_judged = true;
    outcome->is_anomalous = search->explored->is_serializable && !reference_has(class->reference, text);
    outcome->has_new_error = outcome_has_new_error(search->explorer->cells[0], outcome->first, search->serial,
                                                   search->serial_count);
    // The rest of the work may be to be repeated, so it is compared with serial orders of the same work.
    outcome->broken = outcome->first->broken_invariants & ~search->result->broken_serially & ~class->reference->broken;
    free(text);
    if (outcome->is_anomalous) {
        outcome->name = explore_name(search->explorer, search->explored, search->level, outcome->first, NULL);
    }
    bool is_bad = outcome->is_anomalous || outcome->has_new_error || outcome->broken != 0;
    if (is_bad && search->result->first_anomaly_ns == 0) {
        search->result->first_anomaly_ns = clock_monotonic_ns();
    }
}

void search_judge_all(struct search *search) {
    for (size_t i = 0; i < search->class_count; i++) {
        if (!search->classes[i].is_judged && search->classes[i].reference->is_complete) {
            judge(search, &search->classes[i]);
        }
    }
}

// --- Runs that have ended ---

void search_note_incomplete(struct search *search, const char *because) {
    if (search->result->incomplete_because == NULL) {
        search->result->incomplete_because = because;
    }
}

static struct class *find_class(struct search *search, const char *key) {
    for (size_t i = 0; i < search->class_count; i++) {
        if (strcmp(search->classes[i].outcome.key, key) == 0) {
            return &search->classes[i];
        }
    }
    return NULL;
}

static struct class *add_class(struct search *search, const char *key, const char *dropped, struct explore_run *run) {
    struct reference *reference = find_reference(search, dropped);
    if (reference == NULL) {
        reference = search_add_reference(search, dropped, run);
    }
    if ((search->class_count & (search->class_count - 1)) == 0) { // the room is a power of two
        size_t room = search->class_count == 0 ? 1 : search->class_count * 2;
        search->classes = memory_resize(search->classes, room * sizeof *search->classes);
    }
    struct class *added = &search->classes[search->class_count++];
    *added = (struct class){.reference = reference, .outcome = {.key = strdup(key), .first = run}};
    CHECK(added->outcome.key != NULL);
    return added;
}

void search_take_order(struct search *search, struct explore_run *run) {
    struct exploration *result = search->result;
    uint64_t alike = search->reduces ? count_alike(search->explorer, search->explored, search->level, run) : 1;
    result->orders = add_orders(result->orders, alike);
    result->is_reduced |= alike > 1;
    result->blocked = add_orders(result->blocked, run->is_blocked ? alike : 0);
    result->aborted = add_orders(result->aborted, run->has_retryable_abort ? alike : 0);
    result->deadlocked = add_orders(result->deadlocked, run->is_deadlocked ? alike : 0);
    struct text dropped = {0};
    struct text key = {0};
    outcome_append_dropped(run, &dropped);
    char *outcome = search_outcome(search, run);
    text_append_format(&key, "%s/%s/", text_terminated(&dropped), outcome);
    for (size_t i = 0; i < search->explored->session_count; i++) {
        text_append_format(&key, "%s ", run->sessions[i].sqlstate);
    }
    free(outcome);
    struct class *class = find_class(search, text_terminated(&key));
    bool is_new = class == NULL;
    if (is_new) {
        class = add_class(search, text_terminated(&key), text_terminated(&dropped), run);
    }
    class->outcome.orders = add_orders(class->outcome.orders, alike);
    if (!is_new && run_is_smaller(run, class->outcome.first)) {
        run_free(class->outcome.first);
        class->outcome.first = run;
        if (class->outcome.is_anomalous) {
            class->outcome.name = explore_name(search->explorer, search->explored, search->level, run, NULL);
        }
    } else if (!is_new) {
        run_free(run);
    }
    text_free(&dropped);
    text_free(&key);
    search_judge_all(search);
}

static void keep_serial(struct search *search, struct explore_run *run) {
    search->serial = memory_resize(search->serial, (search->serial_count + 1) * sizeof *search->serial);
    search->serial[search->serial_count++] = (struct serial_run){.run = run};
}

void search_take_serial(struct search *search, struct job *job) {
    if (job->measures) {
        run_free(job->run);
    } else if (job->repeats != NULL) {
        masks_add_differences(&search->masks, job->repeats, job->run);
        run_free(job->run);
    } else if (job->reference == search->full && !search->knows_masks) {
        keep_serial(search, job->run);
    } else {
        char *outcome = search_outcome(search, job->run);
        job->reference->broken |= job->run->broken_invariants;
        (void)reference_add(job->reference, outcome);
        free(outcome);
        run_free(job->run);
    }
}

void search_take_comparison(struct search *search, struct cell *cell) {
    struct job *job = &cell->job;
    if (cell->is_cut) {
        cell->use = CELL_DIFFERS;
    } else {
        char *first = search_outcome(search, job->repeats);
        char *again = search_outcome(search, job->run);
        cell->use = strcmp(first, again) == 0 ? cell->use : CELL_DIFFERS;
        free(first);
        free(again);
    }
    text_clear(&cell->problem);
    run_free(job->run);
}

static int compare_serial(const void *one, const void *other) {
    const struct explore_run *a = ((const struct serial_run *)one)->run;
    const struct explore_run *b = ((const struct serial_run *)other)->run;
    return run_is_smaller(a, b) ? -1 : run_is_smaller(b, a) ? 1 : 0;
}

// The masks are known: the serial orders of all work can be compared.
void search_finish_masks(struct search *search) {
    search->knows_masks = true;
    if (search->serial_count > 0) {
        qsort(search->serial, search->serial_count, sizeof *search->serial, compare_serial);
    }
    for (size_t i = 0; i < search->serial_count; i++) {
        struct explore_run *run = search->serial[i].run;
        char *outcome = search_outcome(search, run);
        search->result->broken_serially |= run->broken_invariants;
        if (reference_add(search->full, outcome)) {
            struct exploration *result = search->result;
            result->serial = memory_resize(result->serial, (result->serial_count + 1) * sizeof(void *));
            result->serial[result->serial_count++] = run;
        }
        free(outcome);
    }
    search->full->is_complete = true;
    const struct cell *cell = search->explorer->cells[0];
    if (cell->has_deferred_code && !search->explored->stops_at_error) {
        search_note_incomplete(search, "a deferred trigger runs inside COMMIT, whose parts are no steps of an order");
    }
    if (cell->ends_inside) {
        search_note_incomplete(search, "a procedure or a DO ends transactions, and its parts are no steps of an order");
    }
    search->incomplete_anyway = search->result->incomplete_because;
    search->has_failed = outcome_fails_always(search->explored, search->serial, search->serial_count, search->problem);
}

void search_begin_anew(struct search *search) {
    struct exploration *result = search->result;
    for (size_t i = 0; i < search->class_count; i++) {
        free(search->classes[i].outcome.key);
        run_free(search->classes[i].outcome.first);
    }
    search->class_count = 0;
    result->orders = result->blocked = result->aborted = result->deadlocked = result->stuck = result->diverged = 0;
    result->first_anomaly_ns = 0;
    result->is_reduced = false;
    result->incomplete_because = search->incomplete_anyway;
    frontier_free(&search->frontier);
    (void)frontier_add(&search->frontier, NULL, 0, NO_SESSION, 0);
}

static bool has_key_writes(const struct search *search) {
    for (uint8_t i = 0; i < search->explored->session_count; i++) {
        for (size_t j = 0; j < search->explored->sessions[i].count; j++) {
            if (search->explorer->pinned[i][j] == PINNED && !program_splits(search->explorer, i, (uint16_t)j)) {
                return true;
            }
        }
    }
    return false;
}

static int compare_outcomes(const void *one, const void *other) {
    const struct explore_run *a = ((const struct explore_outcome *)one)->first;
    const struct explore_run *b = ((const struct explore_outcome *)other)->first;
    return run_is_smaller(a, b) ? -1 : run_is_smaller(b, a) ? 1 : 0;
}

void search_finish(struct search *search) {
    struct exploration *result = search->result;
    result->ended_ns = clock_monotonic_ns();
    result->has_key_writes = has_key_writes(search);
    result->is_complete = result->incomplete_because == NULL && !search->has_failed;
    result->outcomes = memory_allocate_zeroed((search->class_count + 1) * sizeof *result->outcomes);
    for (size_t i = 0; i < search->class_count; i++) {
        struct class *class = &search->classes[i];
        if (class->outcome.is_anomalous) {
            explore_draw_graph(search->explorer, search->explored, search->level, &class->outcome);
        }
        result->outcomes[result->outcome_count++] = class->outcome;
        uint64_t orders = class->outcome.orders;
        result->anomalous = add_orders(result->anomalous, class->outcome.is_anomalous ? orders : 0);
        result->broken = add_orders(result->broken, class->outcome.broken != 0 ? orders : 0);
        result->new_errors = add_orders(result->new_errors, class->outcome.has_new_error ? orders : 0);
    }
    qsort(result->outcomes, result->outcome_count, sizeof *result->outcomes, compare_outcomes);
    free(search->classes);
    if (search->serial_count > 0) {
        masks_append_names(&search->masks, search->explored, search->serial[0].run, &result->masked);
    }
    for (size_t i = 0; i < search->serial_count; i++) {
        bool is_kept = false;
        for (size_t j = 0; j < result->serial_count; j++) {
            is_kept |= result->serial[j] == search->serial[i].run;
        }
        if (!is_kept) {
            run_free(search->serial[i].run);
        }
    }
    free(search->serial);
    free(search->masks.items);
    struct reference *reference;
    while ((reference = SLIST_FIRST(&search->references)) != NULL) {
        SLIST_REMOVE_HEAD(&search->references, next);
        reference_free(reference);
    }
    frontier_free(&search->frontier);
}
