// The timed steps of a transfer: what it did, when, and what it saw. They become the interleaving people read.
// Written by the worker that runs the transfer, read by the loop when the job is back.
#ifndef WORKERS_TRANSFER_STEP_H
#define WORKERS_TRANSFER_STEP_H

#include "observability/base/base.h"
#include "workers/limits.h"
#include "workers/transfer/told_step.h"

#include <stddef.h>
#include <stdint.h>

enum step_kind {
    STEP_READ,    // saw `value` in `account`, without a lock
    STEP_LOCK,    // waited for the row locks, then saw `value` in `account`
    STEP_BARRIER, // stood at the barrier; `outcome` says how it left
    STEP_DELAY,   // slept; `outcome` says how it woke
    STEP_CHECK,   // held `value` against the amount
    STEP_DEDUCT,  // left `value` in `account`; `outcome` "overwrote": a write it had not seen is lost
    STEP_CREDIT,  // as STEP_DEDUCT
    STEP_MUTEX,   // waited for the lock inside this process
    STEP_HOLD,    // kept the row locked until its rivals stood behind it; `outcome` says how that ended
    STEP_BATCH,   // waited until its account's batch was booked; `parties` is how many were in it
    STEP_RETRY,   // lost against another transaction; `outcome` is the SQLSTATE, or why
};

struct step {
    enum step_kind kind;
    const char *account; // NULL, or an account of the request
    int64_t value;       // cents; meaningful with an account
    const char *outcome; // NULL, or a word that lives for ever
    uint32_t parties;    // barrier, hold: how many it waited for; batch: how many it held
    uint64_t started_ns; // monotonic
    uint64_t ended_ns;
    uint64_t committed_ns; // of a write: when the answer to its commit was here; 0: no such answer yet
};

struct step_list {
    size_t count;
    size_t dropped; // steps beyond TRANSFER_STEPS_MAX
    size_t told;    // the first so many have gone to the feed
    struct step steps[TRANSFER_STEPS_MAX];
};

// The place for the next step; one beyond the list's end is counted and overwritten by the next.
MUST_CHECK struct step *step_add(struct step_list *list, enum step_kind kind, uint64_t started_ns);

// A step as people are told it; the clocks as below.
void step_tell(const struct step *step, int64_t moment_us, uint64_t moment_ns, struct told_step *out);

// The list as the JSON array of transfers.steps (views.sql says what its keys mean). The clocks meet in one moment:
// `moment_us` since 1970 was `moment_ns` of the monotonic clock.
void step_list_append_json(const struct step_list *list, int64_t moment_us, uint64_t moment_ns, struct text *out);

#endif
