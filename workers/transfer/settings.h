// What can be changed while the program runs; server/config has the rules. The loop thread owns the current settings; a
// transfer carries the copy with which it was admitted.
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
    // Grows when a delay or barrier setting changes: a gate frees whoever came under an older one.
    uint64_t gate_version;
};

// Whether the transfers run in a transaction that makes them safe.
MUST_CHECK bool settings_use_transactions(const struct settings *settings);

#endif
