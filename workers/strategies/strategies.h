// The list of all strategies. Each has a file of its own that does not depend on the others. A file reads as the list
// of its steps, so that two strategies can be compared side by side. Static data; any thread.
#ifndef WORKERS_STRATEGIES_STRATEGIES_H
#define WORKERS_STRATEGIES_STRATEGIES_H

#include "observability/base/base.h"
#include "workers/transfer/transfer.h"

extern const struct strategy strategy_vulnerable;
extern const struct strategy strategy_absolute_update;
extern const struct strategy strategy_subselect_predicate;
extern const struct strategy strategy_cte_snapshot;
extern const struct strategy strategy_process_mutex;
extern const struct strategy strategy_for_update;
extern const struct strategy strategy_atomic_update;
extern const struct strategy strategy_optimistic;
extern const struct strategy strategy_repeatable_read;
extern const struct strategy strategy_serializable;
extern const struct strategy strategy_advisory_lock;
extern const struct strategy strategy_batched;
extern const struct strategy strategy_replica_read;
extern const struct strategy strategy_replica_guard;
extern const struct strategy strategy_replica_wait;
extern const struct strategy strategy_remote_apply;

// All strategies; NULL ends the list.
extern const struct strategy *const strategies[];

MUST_CHECK const struct strategy *strategy_find(struct slice name); // NULL: no strategy has this name
// False: the server has no standby, and the strategy needs one; `problem` says what to set.
MUST_CHECK bool strategy_can_run(const struct strategy *strategy, bool has_standby, struct text *problem);
void strategy_append_names(struct text *out); // appends "vulnerable, for_update, ..."
// Appends the names, and the one that a name which no strategy has was probably meant to be: "...: did you mean X?"
void strategy_append_choice(struct text *out, struct slice wrong);

#endif
