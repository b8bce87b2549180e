// Makes a wrong order smaller (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE
// 28(2), 2002): parts of it are left out as long as it goes wrong in the same way.
//
// explore_shrink() > leave_out_sessions(), leave_out_transactions(), leave_out_steps(), merge_blocks() > try_order().
// A try replays the same order without some steps, so a race that only the smaller program has is not taken for one of
// the program: the order was wrong with these steps in it. An order whose steps change places is replayed with the
// steps that were left out as well.
#include "workers/explore/explore_search.h"

#include <stdlib.h>

enum { TRIES_MAX = 300, MILLISECONDS_MAX = 10000, ITEMS_MAX = CASE_INSTRUCTIONS_MAX };

struct shrinker {
    struct explorer *explorer;
    struct exploration *found;
    const struct explore_outcome *outcome; // the one that must stay
    struct case_left_out left_out;         // the steps that the smallest order so far does not need
    struct explore_step *steps;            // its steps
    size_t step_count;
    struct explore_small *small; // NULL: nothing was left out yet
    unsigned tries;
    uint64_t deadline_ns;
};

// --- A try ---

// True if the runs raise the same errors: those that are to be retried, and the ones that follow from an error, aside.
static bool have_same_errors(const struct explore_run *one, const struct explore_run *other) {
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        const char *sqlstate = one->sessions[i].sqlstate;
        bool is_found = sqlstate[0] == '\0' || strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
        for (size_t j = 0; j < CASE_SESSIONS_MAX && !is_found; j++) {
            is_found = strcmp(other->sessions[j].sqlstate, sqlstate) == 0;
        }
        if (!is_found) {
            return false;
        }
    }
    return true;
}

// An outcome without a name may get one when a step is left out whose rows are not known.
static bool is_wrong_alike(const struct explore_outcome *wanted, const struct explore_outcome *outcome) {
    bool has_name = wanted->name == NULL || (outcome->name != NULL && strcmp(outcome->name, wanted->name) == 0);
    bool has_errors = !wanted->has_new_error || (have_same_errors(wanted->first, outcome->first) &&
                                                 have_same_errors(outcome->first, wanted->first));
    return outcome->is_anomalous == wanted->is_anomalous && outcome->broken == wanted->broken &&
           outcome->has_new_error == wanted->has_new_error && has_name && has_errors;
}

static bool is_order(const struct explore_run *run, const struct explore_step *steps, size_t count) {
    for (size_t i = 0; i < MIN(count, run->step_count); i++) {
        if (run->steps[i].session != steps[i].session || run->steps[i].instruction != steps[i].instruction ||
            run->steps[i].is_commit != steps[i].is_commit) {
            return false;
        }
    }
    return run->step_count == count;
}

// The outcome of a replay that goes wrong as the one that must stay, in the order that was asked for.
static const struct explore_outcome *find_alike(const struct shrinker *shrinker, const struct exploration *replay,
                                                const struct explore_step *steps, size_t count) {
    for (size_t i = 0; i < replay->outcome_count; i++) {
        if (is_wrong_alike(shrinker->outcome, &replay->outcomes[i]) &&
            is_order(replay->outcomes[i].first, steps, count)) {
            return &replay->outcomes[i];
        }
    }
    return NULL;
}

static bool may_try(struct shrinker *shrinker) {
    uint64_t now = clock_monotonic_ns();
    if (explorer_is_stopped(shrinker->explorer)) {
        shrinker->found->shrink_ended_because = "it was interrupted";
    } else if (shrinker->tries >= TRIES_MAX) {
        shrinker->found->shrink_ended_because = "the limit of tries was reached";
    } else if (now >= shrinker->deadline_ns) {
        shrinker->found->shrink_ended_because = "the limit of time was reached";
    } else {
        shrinker->tries++;
        shrinker->explorer->settings.milliseconds_max = (shrinker->deadline_ns - now) / 1000000 + 1;
        return true;
    }
    return false;
}

struct try {
    const struct shrinker *shrinker;
    const struct explore_step *steps;
    size_t count;
};

// False: the run shows already that the try does not go wrong in the same way.
static bool may_be_wrong_alike(const void *user, const struct explore_run *run) {
    const struct try *try = user;
    const struct explore_outcome *wanted = try->shrinker->outcome;
    bool has_errors = !wanted->has_new_error ||
                      (have_same_errors(wanted->first, run) && have_same_errors(run, wanted->first));
    return has_errors && (wanted->broken & ~run->broken_invariants) == 0 && is_order(run, try->steps, try->count);
}

// Replays the steps without what is left out. NULL: they do not go wrong in the same way; `replay` is free.
static const struct explore_outcome *run_steps(struct shrinker *shrinker, const struct case_left_out *left_out,
                                               const struct explore_step *steps, size_t count,
                                               struct exploration *replay) {
    struct text ignored = {0};
    const struct exploration *found = shrinker->found;
    struct prefix *given = memory_allocate_zeroed(sizeof *given + count);
    for (size_t i = 0; i < count; i++) {
        given->sessions[given->count++] = steps[i].session;
    }
    explorer_leave_out(shrinker->explorer, left_out);
    const struct try try = {shrinker, steps, count};
    const struct screen screen = {may_be_wrong_alike, &try, shrinker->outcome};
    const struct explore_outcome *outcome = NULL;
    if (explore_given(shrinker->explorer, found->explored, found->level, found->as_written, given, &screen, replay,
                      &ignored)) {
        outcome = find_alike(shrinker, replay, steps, count);
    }
    if (outcome == NULL) {
        exploration_free(replay);
    }
    text_free(&ignored);
    return outcome;
}

// Keeps a smaller order. Takes over the steps.
static void keep(struct shrinker *shrinker, const struct case_left_out *left_out, struct explore_step *steps,
                 size_t count, const struct exploration *replay, const struct explore_outcome *outcome) {
    if (shrinker->small == NULL) {
        shrinker->small = memory_allocate_zeroed(sizeof *shrinker->small);
    } else {
        exploration_free(&shrinker->small->replay);
    }
    shrinker->small->replay = *replay;
    shrinker->small->outcome = outcome;
    shrinker->left_out = *left_out;
    free(shrinker->steps);
    shrinker->steps = steps;
    shrinker->step_count = count;
}

// --- Leaving out ---

// Tries the smallest order without these as well. They are settled first: the rest may need some of them.
static bool try_without(struct shrinker *shrinker, struct case_left_out left_out) {
    const struct sql_case *explored = shrinker->found->explored;
    case_settle_left_out(explored, &left_out);
    if (memcmp(&left_out, &shrinker->left_out, sizeof left_out) == 0 || !case_has_named_left_out(explored, &left_out) ||
        !may_try(shrinker)) {
        return false;
    }
    struct explore_step *steps = memory_allocate_zeroed((shrinker->step_count + 1) * sizeof *steps);
    size_t count = 0;
    for (size_t i = 0; i < shrinker->step_count; i++) {
        if (!case_is_left_out(&left_out, shrinker->steps[i].session, shrinker->steps[i].instruction)) {
            steps[count++] = shrinker->steps[i];
        }
    }
    struct exploration replay;
    const struct explore_outcome *outcome = run_steps(shrinker, &left_out, steps, count, &replay);
    if (outcome == NULL) {
        free(steps);
        return false;
    }
    keep(shrinker, &left_out, steps, count, &replay, outcome);
    return true;
}

static bool try_without_range(struct shrinker *shrinker, size_t session, size_t from, size_t to) {
    struct case_left_out left_out = shrinker->left_out;
    for (size_t i = from; i < to; i++) {
        case_leave_out(&left_out, session, i);
    }
    return try_without(shrinker, left_out);
}

static void leave_out_sessions(struct shrinker *shrinker) {
    const struct sql_case *explored = shrinker->found->explored;
    size_t left = 0;
    for (size_t i = 0; i < explored->session_count; i++) {
        left += !case_leaves_out_session(explored, &shrinker->left_out, i);
    }
    for (size_t i = explored->session_count; i-- > 0 && left > 2;) { // one session alone has no race
        if (!case_leaves_out_session(explored, &shrinker->left_out, i) &&
            try_without_range(shrinker, i, 0, explored->sessions[i].count)) {
            left--;
        }
    }
}

// A session of several transactions may need only one of them.
static bool leave_out_transactions(struct shrinker *shrinker) {
    bool has_changed = false;
    for (size_t i = shrinker->found->explored->session_count; i-- > 0;) {
        const struct case_session *session = &shrinker->found->explored->sessions[i];
        for (size_t j = session->count; j-- > 0;) {
            size_t end = case_is_left_out(&shrinker->left_out, i, j) ? 0 : case_transaction_end(session, j);
            has_changed |= end > 0 && try_without_range(shrinker, i, j, end + 1);
        }
    }
    return has_changed;
}

struct item {
    size_t session, instruction;
};

// The statements that may be left out, the last ones first: a statement that sets a variable can go when the
// statements that read it are gone.
static size_t list_items(const struct shrinker *shrinker, struct item items[static ITEMS_MAX]) {
    size_t count = 0;
    for (size_t i = shrinker->found->explored->session_count; i-- > 0;) {
        const struct case_session *session = &shrinker->found->explored->sessions[i];
        for (size_t j = session->count; j-- > 0;) {
            if (!case_is_left_out(&shrinker->left_out, i, j) && count < ITEMS_MAX && case_may_leave_out(session, j)) {
                items[count++] = (struct item){i, j};
            }
        }
    }
    return count;
}

static bool leave_out_steps(struct shrinker *shrinker, struct item items[static ITEMS_MAX], size_t together) {
    bool has_changed = false;
    size_t count = list_items(shrinker, items);
    for (size_t from = 0; from < count; from += together) {
        struct case_left_out left_out = shrinker->left_out;
        for (size_t i = from; i < MIN(from + together, count); i++) {
            case_leave_out(&left_out, items[i].session, items[i].instruction);
        }
        has_changed |= try_without(shrinker, left_out);
    }
    return has_changed;
}

// Halves of the steps first, then smaller parts: a long program has few steps that matter.
static void leave_out_all(struct shrinker *shrinker) {
    struct item *items = memory_allocate_zeroed(ITEMS_MAX * sizeof *items);
    leave_out_sessions(shrinker);
    (void)leave_out_transactions(shrinker);
    for (size_t together = list_items(shrinker, items) / 2; together > 1; together /= 2) {
        (void)leave_out_steps(shrinker, items, together);
    }
    while (leave_out_steps(shrinker, items, 1)) {
        leave_out_sessions(shrinker);
        (void)leave_out_transactions(shrinker);
    }
    free(items);
}

// --- Preemptions ---

// The order with the steps that were left out: each in front of the next step of its session.
static struct explore_step *with_all_steps(const struct shrinker *shrinker, const struct explore_step *steps,
                                           size_t count) {
    const struct explore_run *whole = shrinker->outcome->first;
    struct explore_step *all = memory_allocate_zeroed((whole->step_count + 1) * sizeof *all);
    size_t at[CASE_SESSIONS_MAX] = {0};
    size_t made = 0;
    for (size_t i = 0; i <= count; i++) {
        for (size_t session = 0; session < CASE_SESSIONS_MAX; session++) {
            bool is_due = i == count || steps[i].session == session;
            while (is_due && at[session] < whole->step_count) {
                const struct explore_step *step = &whole->steps[at[session]++];
                if (step->session == session) {
                    all[made++] = *step;
                    is_due = i == count || step->instruction != steps[i].instruction ||
                             step->is_commit != steps[i].is_commit;
                }
            }
        }
    }
    CHECK(made <= whole->step_count);
    return all;
}

static size_t end_of_block(const struct explore_step *steps, size_t count, size_t from) {
    size_t end = from + 1;
    while (end < count && steps[end].session == steps[from].session) {
        end++;
    }
    return end;
}

// Tries the order in which the block that begins at `from` and the one behind it have changed places.
static bool try_swapped(struct shrinker *shrinker, size_t from) {
    size_t count = shrinker->step_count;
    size_t middle = end_of_block(shrinker->steps, count, from);
    if (middle == count) {
        return false;
    }
    size_t end = end_of_block(shrinker->steps, count, middle);
    bool joins = (from > 0 && shrinker->steps[from - 1].session == shrinker->steps[middle].session) ||
                 (end < count && shrinker->steps[end].session == shrinker->steps[from].session);
    if (!joins || !may_try(shrinker)) {
        return false;
    }
    struct explore_step *steps = memory_allocate_zeroed((count + 1) * sizeof *steps);
    memcpy(steps, shrinker->steps, count * sizeof *steps);
    memcpy(steps + from, shrinker->steps + middle, (end - middle) * sizeof *steps);
    memcpy(steps + from + (end - middle), shrinker->steps + from, (middle - from) * sizeof *steps);
    struct exploration replay;
    struct exploration whole;
    struct explore_step *all = with_all_steps(shrinker, steps, count);
    const struct explore_outcome *outcome = run_steps(shrinker, &shrinker->left_out, steps, count, &replay);
    bool is_good = false;
    if (outcome != NULL) {
        uint32_t before = shrinker->small == NULL ? shrinker->outcome->first->preemptions
                                                  : shrinker->small->outcome->first->preemptions;
        is_good = outcome->first->preemptions < before &&
                  run_steps(shrinker, &shrinker->found->left_out, all, shrinker->outcome->first->step_count, &whole);
        if (is_good) {
            exploration_free(&whole);
            struct case_left_out left_out = shrinker->left_out;
            keep(shrinker, &left_out, steps, count, &replay, outcome);
        } else {
            exploration_free(&replay);
        }
    }
    free(all);
    if (!is_good) {
        free(steps);
    }
    return is_good;
}

static void merge_blocks(struct shrinker *shrinker) {
    for (size_t from = 0; from < shrinker->step_count;) {
        bool has_changed = try_swapped(shrinker, from);
        from = has_changed ? 0 : end_of_block(shrinker->steps, shrinker->step_count, from);
    }
}

// --- The whole ---

// A level whose order is the same needs the same steps, as a rule.
static void shrink(struct shrinker *shrinker, const struct exploration *like) {
    bool is_known = like != NULL && like->smallest != NULL && like->shrink_ended_because == NULL &&
                    try_without(shrinker, like->smallest->replay.left_out);
    if (!is_known) {
        leave_out_all(shrinker);
    }
    merge_blocks(shrinker);
}

void explore_shrink(struct explorer *explorer, struct exploration *found, const struct explore_outcome *outcome,
                    const struct exploration *like) {
    struct explore_settings settings = explorer->settings;
    uint64_t most = settings.milliseconds_max;
    uint64_t milliseconds = most > 0 ? MIN(most, (uint64_t)MILLISECONDS_MAX) : (uint64_t)MILLISECONDS_MAX;
    const struct explore_run *run = outcome->first;
    struct shrinker shrinker = {
        .explorer = explorer,
        .found = found,
        .outcome = outcome,
        .left_out = found->left_out,
        .steps = memory_allocate_zeroed((run->step_count + 1) * sizeof *run->steps),
        .step_count = run->step_count,
        .deadline_ns = clock_monotonic_ns() + milliseconds * 1000000,
    };
    memcpy(shrinker.steps, run->steps, run->step_count * sizeof *run->steps);
    explorer->settings.orders_max = 0; // a deadlock is replayed once for each victim
    explorer->settings.preemptions_max = -1;
    shrink(&shrinker, like);
    explorer->settings = settings;
    explorer_leave_out(explorer, &found->left_out);
    free(shrinker.steps);
    found->smallest = shrinker.small;
}
