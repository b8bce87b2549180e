// The settings that can be changed while the program runs; server/config checks changes. The loop owns the current
// settings. Each transfer has a copy from the time when it was admitted.
#ifndef WORKERS_TRANSFER_SETTINGS_H
#define WORKERS_TRANSFER_SETTINGS_H

#include "observability/base/base.h"

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
    // Incremented when a delay or barrier setting changes. The gate then releases the transfers with an older version.
    uint64_t gate_version;
};

// True if the strategy is safe. The answers report it as use_transactions.
MUST_CHECK bool settings_use_transactions(const struct settings *settings);

#endif
