// The private header of the files db_async*.c.
#ifndef WORKERS_DATABASE_DB_ASYNC_INTERNAL_H
#define WORKERS_DATABASE_DB_ASYNC_INTERNAL_H

#include "workers/database/db_async.h"

#include <libpq-fe.h>

// --- db_async_resolve.c ---

// libpq's lists of the servers, with an address instead of each name. `count` 0: libpq has no name to resolve.
struct db_async_hosts {
    struct text names, addresses, ports;
    size_t count;
};

// Runs the loop meanwhile. False: it was stopped, took too long, or no name was found; `problem` is one line.
MUST_CHECK bool db_async_resolve(uv_loop_t *loop, const char *conninfo, const bool *is_stopped,
                                 struct db_async_hosts *hosts, struct text *problem);
void db_async_hosts_free(struct db_async_hosts *hosts);

// --- db_async_connect.c ---

// Connects, and runs the loop meanwhile. NULL: `problem` is one line.
MUST_CHECK PGconn *db_async_connect(uv_loop_t *loop, const char *conninfo, struct db_async_hosts *hosts,
                                    const bool *is_stopped, struct text *problem);

#endif
