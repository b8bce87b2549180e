// Which databases explore a case. The first one runs the serial orders. Another one is made, and gets the case, only
// when the search has taken as long as that takes: most cases have few orders, and end before.
//
// A statement may show in which database or session it runs, such as pg_backend_pid(). So another cell repeats the
// serial orders first, and runs no others unless it answers them as the first cell does.
#include "workers/explore/explore_search.h"

bool cells_begin(struct explorer *explorer, const struct sql_case *explored, struct text *problem) {
    struct cell *first = explorer->cells[0];
    if (first->explored == explored) {
        return true;
    }
    explore_expect_case(explorer, explored);
    for (size_t i = 1; i < explorer->cell_count; i++) {
        explorer->cells[i]->explored = NULL;
        explorer->cells[i]->use = CELL_UNPREPARED;
    }
    uint64_t began_ns = clock_monotonic_ns();
    if (!cell_prepare(first, explored, problem)) {
        first->explored = NULL; // the next exploration begins anew
        return false;
    }
    explorer->prepare_ns = clock_monotonic_ns() - began_ns;
    explorer->searched_ns = 0;
    return true;
}

static struct cell *next_unprepared(const struct explorer *explorer, uint64_t searched_ns) {
    for (size_t i = 1; i < explorer->cell_count; i++) {
        if (explorer->cells[i]->use == CELL_UNPREPARED && searched_ns > i * explorer->prepare_ns) {
            return explorer->cells[i];
        }
    }
    return NULL;
}

// The cells that run go on meanwhile, because each step of this runs the loop. The search may end before: so making a
// database and giving it the case are two steps.
bool cells_grow(struct search *search) {
    struct explorer *explorer = search->explorer;
    if (!search->knows_masks || search->has_failed || search->is_replay || search->frontier.count == 0) {
        return false;
    }
    uint64_t searched_ns = explorer->searched_ns + clock_monotonic_ns() - search->result->started_ns;
    struct cell *next = next_unprepared(explorer, searched_ns);
    bool may_open = explorer->cell_count < explorer->settings.cells &&
                    searched_ns > explorer->cell_count * (explorer->open_ns + explorer->prepare_ns);
    struct text ignored = {0};
    if (next != NULL && !cell_prepare(next, search->explored, &ignored)) {
        next->use = CELL_DIFFERS;
    } else if (next == NULL && may_open && !explore_open_cell(explorer, &ignored)) {
        explorer->settings.cells = (unsigned)explorer->cell_count;
    }
    text_free(&ignored);
    return next != NULL || may_open;
}
