// One block of SQL of a page of Hermitage: a case. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_HERMITAGE_BLOCK_H
#define WORKERS_CASE_CASE_HERMITAGE_BLOCK_H

#include "workers/case/case_reader.h"

struct hermitage_block {
    struct slice sql;
    int line; // the line of its first character
};

// True if a comment of the block names a session ("-- T1"): the block is a case, not an example.
MUST_CHECK bool hermitage_has_sessions(struct hermitage_block block);

// Reads the sessions, their statements and the order into `made`.
MUST_CHECK bool hermitage_read_block(struct case_reader *reader, struct hermitage_block block, struct sql_case *made);

#endif
