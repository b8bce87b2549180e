// Decides which findings a commit makes.
#ifndef SERVER_SIGHT_SIGHT_JUDGE_H
#define SERVER_SIGHT_SIGHT_JUDGE_H

#include "server/sight/sight_findings.h"

// The writes have just been committed, together. A unit may commit several times.
void judge_commit(struct findings *findings, const struct transaction_writes *writes);

#endif
