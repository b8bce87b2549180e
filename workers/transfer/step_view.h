// A view of a step: a step of a record in the transfers table, or one that a running transfer has just finished.
// Plain data; any thread.
#ifndef WORKERS_TRANSFER_STEP_VIEW_H
#define WORKERS_TRANSFER_STEP_VIEW_H

#include "workers/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define STEP_NAME_LENGTH 12    // with its NUL
#define STEP_OUTCOME_LENGTH 24 // with its NUL

struct step_view {
    char name[STEP_NAME_LENGTH];      // "read", "lock", ...; the last step of a transfer may be "commit"
    char account[ACCOUNT_ID_MAX + 1]; // "": none
    bool has_value;
    int64_t value;                     // cents
    int64_t at_us;                     // its end, since 1970
    int64_t took_us;                   // its duration
    uint32_t parties;                  // 0: none
    char outcome[STEP_OUTCOME_LENGTH]; // "": none
    int64_t committed_at_us;           // a write: when the answer to its commit arrived; 0: not known
};

#endif
