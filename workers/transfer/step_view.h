// A view of a step: a step of a record in the transfers table, or one that a running transfer has just finished.
// Plain data; any thread. The rows of the database's answer, the transfer or the queued event own the texts.
#ifndef WORKERS_TRANSFER_STEP_VIEW_H
#define WORKERS_TRANSFER_STEP_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct step_view {
    const char *name;    // "read", "lock", ...; the last step of a transfer may be "commit"
    const char *account; // "": none
    bool has_value;
    int64_t value;           // cents
    int64_t at_us;           // its end, since 1970
    int64_t took_us;         // its duration
    uint32_t parties;        // 0: none
    const char *outcome;     // "": none
    int64_t committed_at_us; // a write: when the answer to its commit arrived; 0: not known
};

#endif
