// The statement trace of a job: name, time and SQLSTATE of each statement it ran.
// The worker that runs the job writes it; the loop reads it when the job has finished.
#ifndef WORKERS_DATABASE_STATEMENT_TRACE_H
#define WORKERS_DATABASE_STATEMENT_TRACE_H

#include "sql/statements.h"
#include "workers/limits.h"

#include <stddef.h>
#include <stdint.h>

#define SQLSTATE_LENGTH 6 // with its NUL

struct statement_run {
    enum statement statement;
    char sqlstate[SQLSTATE_LENGTH]; // "" if it succeeded; "08006" if the connection broke
    uint64_t started_ns;            // monotonic
    uint64_t ended_ns;
};

#define DATABASE_NAME_MAX 63 // bytes in the database's encoding: PostgreSQL's NAMEDATALEN without the NUL
// The bytes of such a name in UTF-8, with the NUL; see ACCOUNT_ID_MAX.
#define DATABASE_NAME_LENGTH (DATABASE_NAME_MAX * UTF8_CHARACTER_MAX + 1)

struct statement_trace {
    char database[DATABASE_NAME_LENGTH]; // the database's name; "": no session was opened
    size_t count;
    size_t published; // this many runs, from the first on, are already in the metrics
    size_t dropped;   // runs beyond JOB_STATEMENTS_MAX
    struct statement_run runs[JOB_STATEMENTS_MAX];
};

#endif
