// The rules of the settings: their defaults, their ranges, and how a change is applied. Loop thread.
#ifndef SERVER_CONFIG_SETTINGS_CHANGE_H
#define SERVER_CONFIG_SETTINGS_CHANGE_H

#include "observability/base/base.h"
#include "workers/transfer/transfer.h"

#include <stdbool.h>
#include <stdint.h>

// A change of some settings. A setting whose has_... is false stays as it is.
struct settings_change {
    bool has_delay_enabled, delay_enabled;
    bool has_delay_ms;
    int64_t delay_ms;
    bool has_barrier_enabled, barrier_enabled;
    bool has_barrier_count;
    int64_t barrier_count;
    bool has_barrier_timeout_ms;
    int64_t barrier_timeout_ms;
    bool has_use_transactions, use_transactions;
    bool has_strategy;
    struct slice strategy;
};

// Sets the defaults.
void settings_defaults(struct settings *settings);

// Applies the whole change, or nothing of it. Returns false if a value is not allowed; `problem` then names the
// setting, its value and the allowed values. `transfer_slots` is how many transfers the pool runs at once, so it is the
// largest barrier_count.
MUST_CHECK bool settings_apply(struct settings *settings, const struct settings_change *change, uint32_t transfer_slots,
                               struct text *problem);

// Appends the range of a setting in words, such as "a whole number from 2 to 28".
void settings_describe_range(struct text *out, int64_t least, int64_t most);

#endif
