// What can be changed while the program runs. One owner, the loop thread; a transfer carries the copy it was
// admitted with. Kept apart from everything that uses it, so that replicas can one day share it.
#ifndef WORKERS_TRANSFER_SETTINGS_H
#define WORKERS_TRANSFER_SETTINGS_H

#include "observability/base/check.h"
#include "observability/base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct strategy;

struct settings {
    bool delay_enabled;
    uint32_t delay_ms;
    bool barrier_enabled;
    uint32_t barrier_count;
    uint32_t barrier_timeout_ms;
    const struct strategy *strategy;
    // Grows when a delay or barrier setting changes: a gate frees whoever came under an older one.
    uint64_t gate_version;
};

// A wish to change some of them; what `has_*` does not name stays as it is.
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

void settings_defaults(struct settings *settings);

// Whether the transfers run in a transaction that makes them safe.
MUST_CHECK bool settings_use_transactions(const struct settings *settings);

// All of the change or none of it. False: `problem` says which setting, its value, and what is allowed.
// `transfer_slots` is the most parties the pool can hold at a barrier.
MUST_CHECK bool settings_apply(struct settings *settings, const struct settings_change *change, uint32_t transfer_slots,
                               struct text *problem);

// The range of a setting in words, for a start that fails: "a whole number from 2 to 28".
void settings_describe_range(struct text *out, int64_t least, int64_t most);

#endif
