// The serial orders of one selection of the work, and the outcomes that they have.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

struct reference *reference_make(const struct sql_case *explored, const char *dropped, const struct explore_run *run) {
    struct reference *added = memory_allocate_zeroed(sizeof *added);
    added->dropped = strdup(dropped);
    CHECK(added->dropped != NULL);
    for (size_t i = 0; i < explored->session_count && run != NULL; i++) {
        for (size_t j = 0; j < run->sessions[i].count; j++) {
            if (run->sessions[i].answers[j].is_dropped) {
                if (added->left_out[i] == NULL) {
                    added->left_out[i] = memory_allocate_zeroed(explored->sessions[i].count);
                }
                added->left_out[i][run->sessions[i].answers[j].instruction] = true;
            }
        }
    }
    frontier_begin(&added->frontier);
    (void)frontier_add(&added->frontier, NULL, 0, NO_SESSION, 0);
    return added;
}

void reference_free(struct reference *reference) {
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        free(reference->left_out[i]);
    }
    for (size_t i = 0; i < reference->outcome_count; i++) {
        free(reference->outcomes[i]);
    }
    free(reference->outcomes);
    free(reference->dropped);
    frontier_free(&reference->frontier);
    free(reference);
}

bool reference_has(const struct reference *reference, const char *outcome) {
    for (size_t i = 0; i < reference->outcome_count; i++) {
        if (strcmp(reference->outcomes[i], outcome) == 0) {
            return true;
        }
    }
    return false;
}

bool reference_add(struct reference *reference, const char *outcome) {
    if (reference_has(reference, outcome)) {
        return false;
    }
    reference->outcomes = memory_resize(reference->outcomes,
                                        (reference->outcome_count + 1) * sizeof *reference->outcomes);
    reference->outcomes[reference->outcome_count] = strdup(outcome);
    CHECK(reference->outcomes[reference->outcome_count] != NULL);
    reference->outcome_count++;
    return true;
}
