// A strategy: one way to run a transfer's steps. Each stands in a file of its own, knows no other, and reads as
// the list of its steps, so that two can be laid side by side.
#ifndef WORKERS_STRATEGY_H
#define WORKERS_STRATEGY_H

#include "transfer.h"

struct strategy {
    const char *name; // in settings, records, metrics and spans
    const char *idea; // in one line
    bool safe;
    bool uses_locks;
    // One attempt, on a worker thread. TRANSFER_CONFLICT asks for another.
    enum transfer_outcome (*attempt)(struct transfer *transfer);
};

extern const struct strategy strategy_vulnerable;
extern const struct strategy strategy_for_update;

// All of them, in the order people meet them; NULL behind the last. Any thread.
extern const struct strategy *const strategies[];

MUST_CHECK const struct strategy *strategy_find(struct slice name); // NULL: there is none
void strategy_append_names(struct text *out);                       // "vulnerable, for_update"

#endif
