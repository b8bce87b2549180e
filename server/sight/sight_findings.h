// The list of findings. The same two statements on the same table are one finding, however often they do it.
#ifndef SERVER_SIGHT_SIGHT_FINDINGS_H
#define SERVER_SIGHT_SIGHT_FINDINGS_H

#include "server/sight/sight_history.h"

// A finding of the judge, before it is known whether the list has it. Pointers are valid during the call.
struct proposal {
    enum sight_kind kind;
    enum sight_level level;
    bool is_mutual;   // both had read before either wrote
    bool by_versions; // the row versions say so, not the order of the messages
    const struct table *table;
    const char *row; // key, or ""
    struct side {
        const struct unit *unit; // NULL: none
        uint64_t read_ns, write_ns;
        const struct quote *read, *write;
    } first, second;
};

struct findings;
MUST_CHECK struct findings *findings_new(const struct sight_options *options);
void findings_free(struct findings *findings);
void findings_propose(struct findings *findings, const struct proposal *proposal);
// The number of two statements on a table: see sight_finding.
MUST_CHECK uint64_t findings_pair(const struct proposal *proposal);
// Passes on what a unit did, whether it is a finding or not. The caller has set the members that say what protects it.
void findings_pass_pattern(const struct findings *findings, const struct proposal *proposal,
                           struct sight_pattern *pattern);
void findings_set_level(struct findings *findings, uint64_t id, enum sight_level level);
MUST_CHECK size_t findings_count(const struct findings *findings);
MUST_CHECK const struct sight_finding *findings_at(const struct findings *findings, size_t position);
MUST_CHECK uint64_t findings_dropped(const struct findings *findings);

#endif
