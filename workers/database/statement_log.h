// What a job remembers of the SQL it ran: name, time, and how it failed if it did.
// Written by the worker that runs the job, read by the loop when the job is back.
#ifndef WORKERS_DATABASE_STATEMENT_LOG_H
#define WORKERS_DATABASE_STATEMENT_LOG_H

#include "sql/statements.h"
#include "workers/limits.h"

#include <stddef.h>
#include <stdint.h>

#define SQLSTATE_LENGTH 6 // with its NUL

struct statement_run {
    enum statement statement;
    char sqlstate[SQLSTATE_LENGTH]; // "" when it went well; "08006" for a connection that broke
    uint64_t started_ns;            // monotonic
    uint64_t ended_ns;
};

#define DATABASE_NAME_LENGTH 64 // PostgreSQL's NAMEDATALEN

struct statement_log {
    char database[DATABASE_NAME_LENGTH]; // that the session is connected to; "": to none
    size_t count;
    size_t published; // the first of the runs: already in the metrics
    size_t dropped;   // runs beyond JOB_STATEMENTS_MAX
    struct statement_run runs[JOB_STATEMENTS_MAX];
};

#endif
