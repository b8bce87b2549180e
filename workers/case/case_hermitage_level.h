// The isolation level that a statement of a page of Hermitage names. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_HERMITAGE_LEVEL_H
#define WORKERS_CASE_CASE_HERMITAGE_LEVEL_H

#include "workers/case/case_reader.h"

enum hermitage_level {
    HERMITAGE_NO_LEVEL,
    HERMITAGE_LEVEL,       // the level of the transaction that begins: it can be taken out of the statement
    HERMITAGE_OTHER_LEVEL, // set in another way, which stays as it is written
};

// Finds the level in a statement. Appends the statement to `kept` without "ISOLATION LEVEL ...", and nothing if the
// statement is only SET TRANSACTION ISOLATION LEVEL.
MUST_CHECK enum hermitage_level hermitage_take_level(const char *statement, enum case_level *level, struct text *kept);

#endif
