// Applies changes to the settings and checks their rules. Loop thread.
#include "server/config/settings_change.h"

#include "workers/limits.h"
#include "workers/strategies/strategies.h"

#include <inttypes.h>
#include <string.h>

void settings_defaults(struct settings *settings) {
    *settings = (struct settings){
        .delay_ms = DELAY_MS_DEFAULT,
        .barrier_count = BARRIER_COUNT_DEFAULT,
        .barrier_timeout_ms = BARRIER_TIMEOUT_MS_DEFAULT,
        .strategy = &strategy_vulnerable,
        .gate_version = 1,
    };
}

void settings_describe_range(struct text *out, int64_t least, int64_t most) {
    text_append_format(out, "a whole number from %" PRId64 " to %" PRId64, least, most);
}

static bool check_range(const char *name, bool given, int64_t value, int64_t least, int64_t most,
                        struct text *problem) {
    if (!given || (value >= least && value <= most)) {
        return true;
    }
    text_append_format(problem, "%s is %" PRId64 ", but must be ", name, value);
    settings_describe_range(problem, least, most);
    return false;
}

static bool choose_strategy(const struct settings_change *change, const struct strategy **strategy,
                            struct text *problem) {
    if (change->has_strategy) {
        const struct strategy *named = strategy_find(change->strategy);
        if (named == NULL) {
            text_append_string(problem, "strategy must be one of ");
            strategy_append_choice(problem, change->strategy);
            return false;
        }
        if (change->has_use_transactions && change->use_transactions != named->safe) {
            text_append_string(problem, "strategy and use_transactions contradict each other: send one of them");
            return false;
        }
        *strategy = named;
    } else if (change->has_use_transactions) {
        *strategy = change->use_transactions ? &strategy_for_update : &strategy_vulnerable;
    }
    return true;
}

bool settings_apply(struct settings *settings, const struct settings_change *change, uint32_t transfer_slots,
                    struct text *problem) {
    struct settings next = *settings;
    if (!check_range("delay_ms", change->has_delay_ms, change->delay_ms, 0, DELAY_MS_MAX, problem) ||
        !check_range("barrier_count", change->has_barrier_count, change->barrier_count, BARRIER_COUNT_MIN,
                     transfer_slots, problem) ||
        !check_range("barrier_timeout_ms", change->has_barrier_timeout_ms, change->barrier_timeout_ms,
                     BARRIER_TIMEOUT_MS_MIN, BARRIER_TIMEOUT_MS_MAX, problem) ||
        !choose_strategy(change, &next.strategy, problem)) {
        return false;
    }
    if (change->has_delay_enabled) {
        next.delay_enabled = change->delay_enabled;
    }
    if (change->has_delay_ms) {
        next.delay_ms = (uint32_t)change->delay_ms;
    }
    if (change->has_barrier_enabled) {
        next.barrier_enabled = change->barrier_enabled;
    }
    if (change->has_barrier_count) {
        next.barrier_count = (uint32_t)change->barrier_count;
    }
    if (change->has_barrier_timeout_ms) {
        next.barrier_timeout_ms = (uint32_t)change->barrier_timeout_ms;
    }
    bool gates_changed = next.delay_enabled != settings->delay_enabled || next.delay_ms != settings->delay_ms ||
                         next.barrier_enabled != settings->barrier_enabled ||
                         next.barrier_count != settings->barrier_count ||
                         next.barrier_timeout_ms != settings->barrier_timeout_ms;
    next.gate_version += gates_changed ? 1 : 0;
    *settings = next;
    return true;
}
