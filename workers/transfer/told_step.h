// A step as it is told to people: what a record says of it, or what a running transfer has just done. Plain data.
#ifndef WORKERS_TRANSFER_TOLD_STEP_H
#define WORKERS_TRANSFER_TOLD_STEP_H

#include "workers/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define STEP_NAME_LENGTH 12    // with its NUL
#define STEP_OUTCOME_LENGTH 24 // with its NUL

struct told_step {
    char name[STEP_NAME_LENGTH];      // "read", "lock", ..., and at the end of a transfer "commit"
    char account[ACCOUNT_ID_MAX + 1]; // "": of none
    bool has_value;
    int64_t value;                     // cents
    int64_t at_us;                     // when it ended, since 1970
    int64_t took_us;                   // how long it took
    uint32_t parties;                  // 0: none
    char outcome[STEP_OUTCOME_LENGTH]; // "": nothing to say
    int64_t committed_at_us;           // of a write: when the answer to its commit was here; 0: not known
};

#endif
