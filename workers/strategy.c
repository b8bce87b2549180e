// The list of strategies.
#include "strategy.h"

const struct strategy *const strategies[] = {&strategy_vulnerable, &strategy_for_update, NULL};

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
