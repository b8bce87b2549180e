// The callbacks of the sessions: they note what the runs need.
#include "server/proxy/prove_runs.h"

struct candidate *news_find(struct prove *prove, uint64_t pair) {
    for (size_t i = 0; i < prove->count; i++) {
        if (prove->candidates[i].pair == pair) {
            return &prove->candidates[i];
        }
    }
    return NULL;
}

struct candidate *news_tried(struct prove *prove) {
    CHECK(prove->run > 0 && prove->run <= prove->count);
    return &prove->candidates[prove->run - 1];
}

static bool is_watching(const struct prove *prove) {
    return (prove->stage == STAGE_RUN || prove->stage == STAGE_SETTLE) && !prove->is_second;
}

static struct candidate *add_candidate(struct prove *prove, const struct sight_pattern *pattern) {
    if (prove->count == CANDIDATES_MAX) {
        prove->dropped++;
        return NULL;
    }
    candidate_fill(&prove->candidates[prove->count], pattern);
    return &prove->candidates[prove->count++];
}

static void on_pattern(void *owner, const struct sight_pattern *pattern) {
    struct prove *prove = owner;
    if (is_watching(prove) && prove->run > 0) {
        trace_add_pattern(&news_tried(prove)->trace, pattern, clock_monotonic_ns());
    } else if (is_watching(prove) && news_find(prove, pattern->pair) == NULL) {
        (void)add_candidate(prove, pattern);
    }
}

// A proof. One that nobody has looked for, such as a write skew, becomes a candidate of its own.
static void on_finding(void *owner, const struct sight_finding *finding) {
    struct prove *prove = owner;
    if (!is_watching(prove) || finding->level != SIGHT_PROVED) {
        return;
    }
    if (prove->run > 0) {
        trace_add_finding(&news_tried(prove)->trace, finding, clock_monotonic_ns());
    }
    struct candidate *candidate = news_find(prove, finding->pair);
    if (candidate == NULL) {
        candidate = add_candidate(prove, &(struct sight_pattern){.pair = finding->pair,
                                                                 .kind = finding->kind,
                                                                 .table = finding->table,
                                                                 .row = finding->row,
                                                                 .sql_read = finding->first.sql_read,
                                                                 .sql_write = finding->first.sql_write});
    } else if (prove->run > 0) {
        return;
    }
    if (candidate != NULL && candidate->happened.length == 0) {
        text_append_string(&candidate->happened, finding->sentence);
    }
}

static void on_outcome(void *owner, const struct sight_outcome *outcome) {
    struct prove *prove = owner;
    if (is_watching(prove) && prove->run > 0) {
        trace_add_outcome(&news_tried(prove)->trace, outcome);
    } else if (is_watching(prove)) {
        prove->statements++;
    }
}

void news_of_hold(void *owner, const struct hold_notice *notice) {
    struct prove *prove = owner;
    if (is_watching(prove) && prove->run > 0) {
        trace_add_notice(&news_tried(prove)->trace, notice, clock_monotonic_ns());
        prove->round_is_over = prove->round_is_over || notice->news == HOLD_NEWS_RELEASED;
    }
}

static void on_message(void *owner, uint32_t backend, bool of_client, char type, struct slice body) {
    struct prove *prove = owner;
    script_message(&prove->explore.script, backend, of_client, type, body);
}

static bool wants_hold(void *owner, const struct sight_intent *intent) {
    struct prove *prove = owner;
    return prove->stage == STAGE_RUN && prove->run > 0 && !prove->round_is_over &&
           intent->fingerprint == news_tried(prove)->write;
}

void news_init(struct prove *prove) {
    bool explores = prove->options->explores;
    prove->listener = (struct insight_listener){prove,      on_finding, on_pattern,
                                                on_outcome, wants_hold, explores ? on_message : NULL};
}
