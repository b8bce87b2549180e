// A candidate, and its verdict. Pure.
#ifndef SERVER_PROXY_PROVE_VERDICT_H
#define SERVER_PROXY_PROVE_VERDICT_H

#include "server/proxy/prove_trace.h"

enum { CANDIDATES_MAX = 64 };

enum verdict {
    VERDICT_NOT_FORCED, // not decided
    VERDICT_REFUTED,
    VERDICT_FORCED,
};

struct candidate {
    uint64_t pair, write; // as in sight_pattern
    enum sight_kind kind;
    enum sight_level level;
    bool is_certain, is_locked, is_locked_late, is_guarded, is_repeatable;
    char *table, *row, *sql_read, *sql_write;
    struct text happened; // the sentence of a proof from the run alone
    // The run of two at once.
    struct trace trace;
    bool was_cut_off;    // it was ended at --time
    struct text ends[2]; // "exit status 1"
    double seconds;
    // The verdict.
    enum verdict verdict;
    const char *reason; // one word for programs, such as "lock"
    struct text sentence;
};

void candidate_fill(struct candidate *candidate, const struct sight_pattern *pattern);
void candidate_free(struct candidate *candidate);
// Sets the verdict from the trace.
void verdict_judge(struct candidate *candidate);
// The two sessions of the trace that matter. Returns how many there are, at most 2.
MUST_CHECK size_t verdict_sessions(const struct candidate *candidate, uint32_t sessions[2]);
MUST_CHECK const char *verdict_name(enum verdict verdict); // "not_forced"

#endif
