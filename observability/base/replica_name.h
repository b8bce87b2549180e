// The name of this program among several that share a database: BANK_API_REPLICA. Its log lines, records, events and
// spans carry the name. It is set once, before other threads start.
#ifndef OBSERVABILITY_BASE_REPLICA_NAME_H
#define OBSERVABILITY_BASE_REPLICA_NAME_H

#include "observability/base/check.h"

void replica_name_set(const char *name); // borrowed
// NULL: the program is alone.
MUST_CHECK const char *replica_name(void);

#endif
