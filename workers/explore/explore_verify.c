// Compares a reduced exploration with one that runs every order: the same outcomes, each with the same number of
// orders.
#include "workers/explore/explore_internal.h"

#include <inttypes.h>

static const struct explore_outcome *find_outcome(const struct exploration *in, const char *key) {
    for (size_t i = 0; i < in->outcome_count; i++) {
        if (strcmp(in->outcomes[i].key, key) == 0) {
            return &in->outcomes[i];
        }
    }
    return NULL;
}

static void add_difference(const struct exploration *reduced, const struct explore_outcome *outcome,
                           uint64_t reduced_orders, uint64_t all_orders, struct text *differences) {
    text_append_format(differences, "an outcome has %" PRIu64 " orders when reduced and %" PRIu64 " in all, such as ",
                       reduced_orders, all_orders);
    explore_append_order(reduced->explored, outcome->first, differences);
    text_append_string(differences, "\n");
}

static void compare_outcomes(const struct exploration *reduced, const struct exploration *all,
                             struct text *differences) {
    for (size_t i = 0; i < all->outcome_count; i++) {
        const struct explore_outcome *one = &all->outcomes[i];
        const struct explore_outcome *other = find_outcome(reduced, one->key);
        if (other == NULL || other->orders != one->orders) {
            add_difference(reduced, one, other == NULL ? 0 : other->orders, one->orders, differences);
        }
    }
    for (size_t i = 0; i < reduced->outcome_count; i++) {
        if (find_outcome(all, reduced->outcomes[i].key) == NULL) {
            add_difference(reduced, &reduced->outcomes[i], reduced->outcomes[i].orders, 0, differences);
        }
    }
}

bool explore_verify(struct explorer *explorer, const struct exploration *reduced, uint64_t *runs,
                    struct text *differences, struct text *problem) {
    struct exploration all;
    bool reduces = explorer->settings.reduces;
    explorer->settings.reduces = false;
    bool good = explore(explorer, reduced->explored, reduced->level, reduced->as_written, &all, problem);
    explorer->settings.reduces = reduces;
    if (good && reduced->is_complete && all.is_complete) {
        compare_outcomes(reduced, &all, differences);
    } else if (good) {
        text_append_string(problem, "an exploration is not complete, so there is nothing to compare");
    }
    *runs = all.runs;
    exploration_free(&all);
    return good && problem->length == 0;
}
