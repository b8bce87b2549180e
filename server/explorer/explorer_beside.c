// The order that is shown first, run again at each level. The picture in the browser has it.
#include "server/explorer/explorer_internal.h"

// The smallest wrong order; of --replay the order that was asked for.
static const struct explore_outcome *shown_outcome(const struct exploration *found, const struct options *options) {
    const struct explore_outcome *smallest = found_smallest(found);
    bool is_replay = options->replay != NULL && found->outcome_count > 0;
    return smallest == NULL && is_replay ? &found->outcomes[0] : smallest;
}

void beside_run(struct explorer *explorer, const struct exploration *found, const struct options *options,
                struct beside *beside) {
    beside->shown = shown_outcome(found, options);
    for (int level = 0; level < CASE_LEVELS && beside->shown != NULL && !explorer_is_stopped(explorer); level++) {
        struct text problem = {0};
        bool is_own = level == (int)found->level;
        if (!is_own && found->as_written) {
            continue; // the statements name their levels
        }
        if (!explore_repeat(explorer, found, beside->shown->first, (enum case_level)level, &beside->levels[level],
                            &problem)) {
            exploration_free(&beside->levels[level]); // the picture goes without it
        }
        text_free(&problem);
    }
}

void beside_free(struct beside *beside) {
    for (int level = 0; level < CASE_LEVELS; level++) {
        exploration_free(&beside->levels[level]);
    }
}
