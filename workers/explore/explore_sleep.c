// Sleep sets: which of the sleeping sessions can still wake up.
//
// A session sleeps at a place of an order because another prefix stands for the orders in which it goes next there. It
// wakes up when another session takes a step that conflicts with its next one. If none is left that could, each order
// on that way is one of those that are run anyway, so the way is not run.
#include "workers/explore/explore_internal.h"

// True if a step of the statement, or of its COMMIT, conflicts with the sleeper's next step.
static bool statement_wakes(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                            struct step_place sleeper, uint8_t session, uint16_t instruction) {
    struct step_place step = {.session = session, .instruction = instruction};
    if (explored->sessions[session].instructions[instruction].operation != CASE_STATEMENT) {
        return false;
    }
    if (steps_conflict(explorer, explored, level, sleeper, step)) {
        return true;
    }
    step.is_commit = program_splits(explorer, session, instruction);
    if (step.is_commit && steps_conflict(explorer, explored, level, sleeper, step)) {
        return true;
    }
    step.is_commit = false;
    step.is_check = explorer->cells[0]->has_deferrable;
    return step.is_check && steps_conflict(explorer, explored, level, sleeper, step);
}

// `from`: the first instruction of each session that may still run.
static bool may_wake(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                     struct step_place sleeper, const uint16_t *from) {
    for (uint8_t i = 0; i < explored->session_count; i++) {
        // Backwards: the last step of most programs is a COMMIT, which conflicts with more than other steps do.
        for (size_t j = i == sleeper.session ? 0 : explored->sessions[i].count; j > from[i]; j--) {
            if (statement_wakes(explorer, explored, level, sleeper, i, (uint16_t)(j - 1))) {
                return true;
            }
        }
    }
    return false;
}

bool sleep_is_endless(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                      const struct explore_run *run, size_t place, uint16_t asleep) {
    uint16_t from[CASE_SESSIONS_MAX] = {0};
    for (size_t i = 0; i < place; i++) {
        const struct explore_step *step = &run->steps[i];
        bool has_more = !step->is_commit && (explorer->cells[0]->has_deferrable ||
                                             program_splits(explorer, step->session, step->instruction));
        from[step->session] = (uint16_t)(step->instruction + (has_more ? 0 : 1));
    }
    for (uint8_t i = 0; i < explored->session_count; i++) {
        struct step_place next;
        if ((asleep >> i & 1) && find_next_step(run, place, i, &next) &&
            !may_wake(explorer, explored, level, next, from)) {
            return true;
        }
    }
    return false;
}

bool sleep_is_endless_here(const struct cell *cell) {
    uint16_t from[CASE_SESSIONS_MAX] = {0};
    for (size_t i = 0; i < cell->session_count && cell->asleep != 0; i++) {
        bool has_ended = cell->sessions[i].activity == SESSION_ENDED;
        from[i] = (uint16_t)(has_ended ? cell->explored->sessions[i].count : cell->sessions[i].at);
    }
    for (size_t i = 0; i < cell->session_count && cell->asleep != 0; i++) {
        struct step_place next = program_place(&cell->sessions[i]);
        if ((cell->asleep >> i & 1) && !may_wake(cell->explorer, cell->explored, cell->level, next, from)) {
            return true;
        }
    }
    return false;
}
