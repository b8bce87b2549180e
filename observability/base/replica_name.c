// The name of this replica. Any thread.
#include "observability/base/replica_name.h"

#include <stddef.h>

static const char *own_name = NULL;

void replica_name_set(const char *name) {
    own_name = name;
}

const char *replica_name(void) {
    return own_name;
}
