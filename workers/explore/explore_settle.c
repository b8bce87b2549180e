// Decides from pg_blocking_pids() whether the running statements have come to rest. A wait is stable only if it ends,
// over others that wait, at a session that stands still: that session goes on only when the explorer says so. A circle
// of waits is a deadlock, which PostgreSQL ends after deadlock_timeout.
#include "workers/explore/explore_internal.h"

// The sessions that wait for themselves, over others.
static uint16_t members_of_circles(uint16_t moving, const uint32_t *blocked_by) {
    uint16_t members = 0;
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        uint32_t reached = (moving >> i & 1) ? blocked_by[i] : 0;
        for (uint32_t before = 0; before != reached;) {
            before = reached;
            for (size_t j = 0; j < CASE_SESSIONS_MAX; j++) {
                reached |= (reached >> j & 1) && (moving >> j & 1) ? blocked_by[j] : 0;
            }
        }
        members |= (uint16_t)(reached & (1U << i));
    }
    return members;
}

enum settled settle(uint16_t running, const uint32_t *blocked_by, uint16_t *stable, uint16_t *circle) {
    *stable = 0;
    *circle = 0;
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
            uint16_t bit = (uint16_t)(1U << i);
            uint16_t moving = (uint16_t)(running & ~*stable);
            // One blocker that stands still is enough: the wait cannot end before it.
            if ((moving & bit) && (blocked_by[i] & ~((uint32_t)moving | OUTSIDE)) != 0) {
                *stable |= bit;
                grew = true;
            }
        }
    }
    uint16_t moving = (uint16_t)(running & ~*stable);
    if (moving == 0) {
        return SETTLED;
    }
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        bool waits_for_others_only = blocked_by[i] != 0 && (blocked_by[i] & OUTSIDE) == 0;
        if ((moving >> i & 1) && !waits_for_others_only) {
            return NOT_SETTLED; // it runs, or it waits for another process, so it goes on by itself
        }
    }
    *circle = members_of_circles(moving, blocked_by);
    return DEADLOCKED;
}
