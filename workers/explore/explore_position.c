// Runs the first steps of an order and says where the sessions stand: for a person who is the scheduler.
//
// An order is always run from its start, so a step backward is the same order with a step less, and no transaction
// stays open between two questions.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

static void on_run_end(struct cell *cell) {
    *(bool *)cell->search = true;
}

// Runs the prefix once. The victim of a deadlock is `victim`, or unknown if it is zero.
static void run_once(struct explorer *explorer, struct prefix *prefix, enum case_level level,
                     struct explore_position *position) {
    struct cell *cell = explorer->cells[0];
    bool has_ended = false;
    run_free(position->run);
    position->run = memory_allocate_zeroed(sizeof *position->run);
    cell->job = (struct job){.prefix = prefix, .run = position->run};
    cell->search = &has_ended;
    cell->position = position;
    cell_run(cell, position->run, prefix, NULL, level, on_run_end);
    while (!has_ended) {
        (void)uv_run(explorer->loop, UV_RUN_ONCE);
    }
    cell->position = NULL;
    cell->search = NULL;
}

// Runs the prefix, and runs it again with a victim if it ends in a deadlock: the session whose step closed the circle.
static void run_to_position(struct explorer *explorer, struct prefix *prefix, enum case_level level,
                            struct explore_position *position) {
    const struct cell *cell = explorer->cells[0];
    run_once(explorer, prefix, level, position);
    if (cell->circle != 0) {
        uint16_t last = (uint16_t)(1U << prefix->sessions[prefix->count - 1]);
        prefix->victims = (cell->circle & last) != 0 ? last : cell->circle;
        run_once(explorer, prefix, level, position);
    }
}

static enum explore_position_end end_of(struct cell *cell, const struct explore_run *run, struct text *problem) {
    if (cell->problem.length > 0) {
        text_append_slice(problem, text_slice(&cell->problem));
        text_clear(&cell->problem);
        return EXPLORE_POSITION_FAILED;
    }
    if (run->diverged_at != 0) {
        order_complain(cell, problem);
        return EXPLORE_POSITION_IMPOSSIBLE;
    }
    if (cell->missed_deadlock || cell->circle != 0) {
        text_append_format(problem, "%s: the deadlock was not resolved in time: ask again", cell->explored->file);
        return EXPLORE_POSITION_FAILED;
    }
    return EXPLORE_POSITION_KNOWN;
}

enum explore_position_end explore_position(struct explorer *explorer, const struct sql_case *explored,
                                           enum case_level level, const uint8_t *sessions, size_t count,
                                           struct explore_position *position, struct text *problem) {
    *position = (struct explore_position){0};
    struct cell *cell = explorer->cells[0];
    if (cell->explored != explored) {
        explore_expect_case(explorer, explored);
        if (!cell_prepare(cell, explored, problem)) {
            cell->explored = NULL; // the next call begins anew
            return EXPLORE_POSITION_FAILED;
        }
    }
    struct prefix *prefix = memory_allocate_zeroed(sizeof *prefix + count);
    memcpy(prefix->sessions, sessions, count);
    prefix->count = (uint16_t)count;
    run_to_position(explorer, prefix, level, position);
    enum explore_position_end end = end_of(cell, position->run, problem);
    free(prefix);
    cell->job = (struct job){0};
    return end;
}

void explore_position_free(struct explore_position *position) {
    run_free(position->run);
    *position = (struct explore_position){0};
}
