// Decides which findings a commit makes.
#ifndef SERVER_SIGHT_SIGHT_JUDGE_H
#define SERVER_SIGHT_SIGHT_JUDGE_H

#include "server/sight/sight_findings.h"

// The writes have just been committed, together. A unit may commit several times.
void judge_commit(struct findings *findings, const struct transaction_writes *writes);

// A trigger has recorded that `write` replaced a version of its row. `newer` columns of that version are not as the
// unit had read them, and `compared` are those that could be compared.
struct replaced {
    uint64_t newer, compared;
};
// Sets `order_says` if the order of the messages proves that the write was stale.
MUST_CHECK enum sight_version_verdict judge_version(struct findings *findings, const struct write *write,
                                                    struct replaced replaced, bool *order_says);

#endif
