// The list of strategies, in the order in which people should meet them.
#include "workers/strategies/strategies.h"

#include <string.h>

// First the race and its usual fix, then the other fixes, then the strategies that only look like a fix.
// At the end, those that read at the standby.
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
    &strategy_replica_read,
    &strategy_replica_guard,
    &strategy_replica_wait,
    &strategy_remote_apply,
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

bool strategy_can_run(const struct strategy *strategy, bool has_standby, struct text *problem) {
    if (!strategy->needs_standby || has_standby) {
        return true;
    }
    text_append_format(problem,
                       "strategy %s reads at a standby, and this server has none: start it with BANK_API_STANDBY_URL, "
                       "the address of a hot standby",
                       strategy->name);
    return false;
}

void strategy_append_names(struct text *out) {
    for (size_t i = 0; strategies[i] != NULL; i++) {
        text_append_string(out, i == 0 ? "" : ", ");
        text_append_string(out, strategies[i]->name);
    }
}

// A name that differs in more characters is another word, not a mistyped one.
#define MISTYPED_MAX 2

static unsigned least(unsigned one, unsigned other) {
    return one < other ? one : other;
}

// The number of characters to insert, remove or replace (Levenshtein), by the table's rows. `name` is a strategy's.
static unsigned differences(struct slice wrong, const char *name) {
    unsigned row[STRATEGY_NAME_LENGTH];
    unsigned length = (unsigned)strlen(name);
    CHECK(length < STRATEGY_NAME_LENGTH);
    for (unsigned j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (size_t i = 0; i < wrong.length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (unsigned j = 1; j <= length; j++) {
            unsigned replaced = diagonal + (wrong.data[i] != name[j - 1]);
            diagonal = row[j];
            row[j] = least(replaced, 1 + least(row[j], row[j - 1]));
        }
    }
    return row[length];
}

void strategy_append_choice(struct text *out, struct slice wrong) {
    const char *nearest = NULL;
    unsigned least_differences = MISTYPED_MAX + 1;
    strategy_append_names(out);
    for (size_t i = 0; strategies[i] != NULL && wrong.length < STRATEGY_NAME_LENGTH; i++) {
        unsigned found = differences(wrong, strategies[i]->name);
        if (found < least_differences) {
            least_differences = found;
            nearest = strategies[i]->name;
        }
    }
    if (nearest != NULL) {
        text_append_format(out, ": did you mean %s?", nearest);
    }
}
