// The list of strategies, in the order in which people should meet them.
#include "workers/strategies/strategies.h"

// First the race and its usual fix, then the other fixes, then the strategies that only look like a fix.
const struct strategy *const strategies[] = {
    &strategy_vulnerable,
    &strategy_for_update,
    &strategy_atomic_update,
    &strategy_optimistic,
    &strategy_repeatable_read,
    &strategy_serializable,
    &strategy_advisory_lock,
    &strategy_batched,
    &strategy_absolute_update,
    &strategy_cte_snapshot,
    &strategy_subselect_predicate,
    &strategy_process_mutex,
    NULL,
};

const struct strategy *strategy_find(struct slice name) {
    for (size_t i = 0; strategies[i] != NULL; i++) {
        if (slice_equals(name, slice_of(strategies[i]->name))) {
            return strategies[i];
        }
    }
    return NULL;
}

void strategy_append_names(struct text *out) {
    for (size_t i = 0; strategies[i] != NULL; i++) {
        text_append_string(out, i == 0 ? "" : ", ");
        text_append_string(out, strategies[i]->name);
    }
}
