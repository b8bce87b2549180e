// The search goes by the number of preemptions: a preemption leaves a session that could have gone on. Most races need
// one (Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007). Each complete order is run exactly once: a run
// adds a prefix for every session that could have gone at a step behind its own prefix.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

void frontier_begin(struct frontier *frontier) {
    for (size_t i = 0; i < PREEMPTION_BUCKETS; i++) {
        SLIST_INIT(&frontier->buckets[i]);
    }
    frontier->count = 0;
}

void frontier_put(struct frontier *frontier, struct prefix *prefix) {
    size_t bucket = MIN(prefix->preemptions, (uint32_t)PREEMPTION_BUCKETS - 1);
    SLIST_INSERT_HEAD(&frontier->buckets[bucket], prefix, next);
    frontier->count++;
}

struct prefix *frontier_add(struct frontier *frontier, const struct explore_step *steps, size_t count, uint8_t next,
                            uint32_t preemptions) {
    size_t length = count + (next == NO_SESSION ? 0 : 1);
    struct prefix *added = memory_allocate_zeroed(sizeof *added + length);
    for (size_t i = 0; i < count; i++) {
        added->sessions[i] = steps[i].session;
    }
    if (next != NO_SESSION) {
        added->sessions[count] = next;
    }
    added->count = (uint16_t)length;
    added->preemptions = preemptions;
    frontier_put(frontier, added);
    return added;
}

struct prefix *frontier_take(struct frontier *frontier) {
    for (size_t i = 0; i < PREEMPTION_BUCKETS; i++) {
        struct prefix *taken = SLIST_FIRST(&frontier->buckets[i]);
        if (taken != NULL) {
            SLIST_REMOVE_HEAD(&frontier->buckets[i], next);
            frontier->count--;
            return taken;
        }
    }
    return NULL;
}

void frontier_free(struct frontier *frontier) {
    struct prefix *each;
    while ((each = frontier_take(frontier)) != NULL) {
        free(each);
    }
}

static bool has(uint16_t sessions, uint8_t session) {
    return (sessions >> session & 1) != 0;
}

// The sessions that were tried before, or that slept, and whose next step may change places with `other`'s.
static uint16_t still_asleep(const struct explore_run *run, size_t at, uint16_t asleep, uint8_t other,
                             const struct frontier_rules *rules) {
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        if (has(asleep, (uint8_t)i) && (rules == NULL || rules->conflict(rules->user, run, at, (uint8_t)i, other))) {
            asleep &= (uint16_t) ~(1U << i);
        }
    }
    return asleep;
}

// Sleep sets: Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", LNCS 1032, 1996, ch. 5.
// The order in which the ways on from a place are listed decides what each of them leaves to the others.
bool frontier_branch(struct frontier *frontier, const struct prefix *prefix, const struct explore_run *run,
                     const struct frontier_rules *rules) {
    bool leaves_out = false;
    uint32_t preemptions = 0; // in the steps before i
    for (size_t i = 0; i < run->step_count; i++) {
        const struct explore_step *step = &run->steps[i];
        uint8_t before = i == 0 ? NO_SESSION : run->steps[i - 1].session;
        bool could_go_on = i > 0 && has(step->enabled, before);
        uint16_t tried = (uint16_t)(step->asleep | 1U << step->session);
        for (uint8_t other = 0; i >= prefix->count && other < CASE_SESSIONS_MAX; other++) {
            if (has(tried, other) || !has(step->enabled, other)) {
                continue;
            }
            uint16_t asleep = still_asleep(run, i, tried, other, rules);
            tried |= (uint16_t)(1U << other);
            if (asleep != 0 && rules->is_endless(rules->user, run, i, asleep)) {
                leaves_out = true;
                continue;
            }
            struct prefix *added = frontier_add(frontier, run->steps, i, other,
                                                preemptions + (could_go_on && other != before ? 1 : 0));
            added->victims = prefix->victims;
            added->asleep = asleep;
        }
        preemptions += could_go_on && step->session != before ? 1 : 0;
    }
    return leaves_out;
}
