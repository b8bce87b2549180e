// Faults that are planted on purpose. A test checks that --verify finds them, in a program of its own that is built for
// it with EXPLORE_PLANTED; the environment variable EXPLORE_PLANTED_FAULT names the fault. Private to workers/explore.
#ifndef WORKERS_EXPLORE_EXPLORE_PLANTED_H
#define WORKERS_EXPLORE_EXPLORE_PLANTED_H

#ifdef EXPLORE_PLANTED
#include <stdlib.h>
#include <string.h>
static inline bool explore_has_fault(const char *name) {
    const char *fault = getenv("EXPLORE_PLANTED_FAULT");
    return fault != NULL && strcmp(fault, name) == 0;
}
#else
#define explore_has_fault(name) false
#endif

// A repeated read takes no new predicate lock. The fault: a statement's footprint has only its new ones.
#define READS_ARE_NOT_ACCUMULATED explore_has_fault("reads not accumulated")
// The fault: the footprints are those of another plan than the orders have.
#define PLAN_IS_NOT_PINNED explore_has_fault("plan not pinned")

#endif
