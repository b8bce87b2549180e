// The timed steps of a transfer. The view race_timeline and the page show how the steps of several transfers
// interleave. The worker that runs the transfer writes them; the loop reads them when the job has finished.
#ifndef WORKERS_TRANSFER_STEP_H
#define WORKERS_TRANSFER_STEP_H

#include "observability/base/base.h"
#include "workers/limits.h"
#include "workers/transfer/step_view.h"

#include <stddef.h>
#include <stdint.h>

enum step_kind {
    STEP_READ,    // read `value` from `account` without a lock; `outcome` "standby": there
    STEP_LOCK,    // waited for the row locks, then read `value` from `account`
    STEP_BARRIER, // waited at the barrier; `outcome` is the reason of the release
    STEP_DELAY,   // slept; `outcome` is the reason of the end
    STEP_CHECK,   // compared `value` with the amount
    STEP_DEDUCT,  // wrote `value` to `account`; `outcome` "overwrote": an unseen write was lost
    STEP_CREDIT,  // as STEP_DEDUCT
    STEP_MUTEX,   // waited for the mutex of this process
    STEP_HOLD,    // kept the row locked until its rivals waited for it; `outcome` is the reason of the end
    STEP_BATCH,   // waited until its batch was posted; `parties` is the number of transfers in it
    STEP_REPLAY,  // waited until the standby had replayed what the primary had flushed
    STEP_RETRY,   // lost against another transaction; `outcome` is the SQLSTATE or "changed"
};

struct step {
    enum step_kind kind;
    const char *account; // NULL, or an account of the request
    int64_t value;       // cents; meaningful with an account
    const char *outcome; // NULL, or a static string
    uint32_t parties;    // barrier, hold: transfers it waited for; batch: transfers in it
    uint64_t started_ns; // monotonic
    uint64_t ended_ns;
    uint64_t committed_ns; // a write: when the answer to its commit arrived; 0: not yet
};

struct step_list {
    size_t count;
    size_t dropped;   // steps beyond TRANSFER_STEPS_MAX
    size_t published; // this many steps, from the first on, were published
    struct step steps[TRANSFER_STEPS_MAX];
};

// Returns the place of a new step, which the list owns. If the list is full, the step is counted as dropped, and its
// place is overwritten by the next.
MUST_CHECK struct step *step_add(struct step_list *list, enum step_kind kind, uint64_t started_ns);

// Converts a step to a view of it. `moment_us` and `moment_ns` are as below.
void step_view_fill(const struct step *step, int64_t moment_us, uint64_t moment_ns, struct step_view *out);

// Appends the list as the JSON array of transfers.steps (sql/views.sql explains its keys). `moment_us` (since 1970) and
// `moment_ns` (monotonic) are the same moment on the two clocks.
void step_list_append_json(const struct step_list *list, int64_t moment_us, uint64_t moment_ns, struct text *out);

#endif
