// The orders that are still to be run, those with the fewest preemptions first. Private to workers/explore.
#ifndef WORKERS_EXPLORE_EXPLORE_FRONTIER_H
#define WORKERS_EXPLORE_EXPLORE_FRONTIER_H

#include "workers/explore/explore.h"

#include <sys/queue.h>

#define NO_SESSION 255

// The first steps of an order. The rest follows by rule: the same session goes on while it can, then the first one.
struct prefix {
    SLIST_ENTRY(prefix) next;
    uint32_t preemptions;
    uint16_t asleep;  // sessions that need not go next: other prefixes stand for these orders
    uint16_t victims; // sessions that are the victim if they are part of a deadlock
    uint16_t count;
    uint8_t misses; // how often its deadlock was missed
    // The order is shown to a reader, perhaps at another level than its own: a session that cannot go is passed over,
    // and the rows are read after each step.
    bool is_repeat;
    uint8_t sessions[];
};

enum { PREEMPTION_BUCKETS = 64 };

struct frontier {
    SLIST_HEAD(, prefix) buckets[PREEMPTION_BUCKETS];
    size_t count;
};

void frontier_begin(struct frontier *frontier);
// Adds a prefix: the first `count` sessions of `steps`, then `next` unless it is NO_SESSION.
// The caller sets the other members of the prefix that is returned.
struct prefix *frontier_add(struct frontier *frontier, const struct explore_step *steps, size_t count, uint8_t next,
                            uint32_t preemptions);
// Adds a prefix that the caller has made. The frontier frees it.
void frontier_put(struct frontier *frontier, struct prefix *prefix);
// The caller frees it with free(). NULL: none is left.
MUST_CHECK struct prefix *frontier_take(struct frontier *frontier);
void frontier_free(struct frontier *frontier);

struct frontier_rules {
    // Whether two steps of the run must keep their order: the next step of each session at a place of the run.
    bool (*conflict)(const void *user, const struct explore_run *run, size_t place, uint8_t one, uint8_t other);
    // Whether one of the sessions that are asleep at a place of the run sleeps to the end.
    bool (*is_endless)(const void *user, const struct explore_run *run, size_t place, uint16_t asleep);
    const void *user;
};

// Adds the prefixes that leave `run` at a step behind its own prefix. `rules`: NULL if all orders are to be run.
// Returns true if a prefix was left out, because each of its orders is one of others.
bool frontier_branch(struct frontier *frontier, const struct prefix *prefix, const struct explore_run *run,
                     const struct frontier_rules *rules);

#endif
