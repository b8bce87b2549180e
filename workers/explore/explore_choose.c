// Which session goes next.
#include "workers/explore/explore_internal.h"

uint16_t choose_among(const struct cell *cell, enum session_activity activity) {
    uint16_t sessions = 0;
    for (size_t i = 0; i < MIN(cell->session_count, (size_t)CASE_SESSIONS_MAX); i++) {
        sessions |= (uint16_t)((cell->sessions[i].activity == activity ? 1U : 0U) << i);
    }
    return sessions;
}

uint16_t choose_ready(const struct cell *cell) {
    uint16_t ready = choose_among(cell, SESSION_READY);
    if (cell->reference != NULL && cell->last != NO_SESSION && (ready >> cell->last & 1)) {
        const struct cell_session *last = &cell->sessions[cell->last];
        bool in_unit = cell->explorer->settings.unit == EXPLORE_UNIT_SESSION ||
                       begin_transaction(last) != DB_ASYNC_NO_TRANSACTION;
        return (uint16_t)(in_unit ? 1U << cell->last : ready);
    }
    return ready;
}

uint8_t choose_lowest(uint16_t sessions) {
    return (uint8_t)__builtin_ctz(sessions);
}

uint8_t choose_next(struct cell *cell, uint16_t ready, uint16_t awake) {
    uint8_t next = cell->last != NO_SESSION && (awake >> cell->last & 1) ? cell->last : choose_lowest(awake);
    if (cell->job.like != NULL) {
        next = order_next(cell->job.like, ready);
    }
    if (cell->prefix->is_repeat) {
        return repeat_next(cell, ready, next);
    }
    size_t at = cell->run->step_count;
    if (at < cell->prefix->count) {
        next = cell->prefix->sessions[at];
        return (uint8_t)((ready >> next & 1) != 0 ? next : NO_SESSION);
    }
    return next;
}
