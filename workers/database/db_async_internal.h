// The private header of the files db_async*.c.
#ifndef WORKERS_DATABASE_DB_ASYNC_INTERNAL_H
#define WORKERS_DATABASE_DB_ASYNC_INTERNAL_H

#include "workers/database/db_async.h"

#include <libpq-fe.h>

// --- db_async_connect.c ---

// Connects, and runs the loop meanwhile. NULL: `problem` is one line.
MUST_CHECK PGconn *db_async_connect(uv_loop_t *loop, const char *conninfo, const bool *is_stopped,
                                    struct text *problem);

#endif
