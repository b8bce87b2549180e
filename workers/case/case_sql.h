// The reader of a file without markers, for the setup of pgbench scripts. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_SQL_H
#define WORKERS_CASE_CASE_SQL_H

#include "workers/case/case_reader.h"

// Reads reader->content as the setup of `made`. A marker is an error. False: the problem is written.
MUST_CHECK bool case_read_setup(struct case_reader *reader, struct sql_case *made);

#endif
