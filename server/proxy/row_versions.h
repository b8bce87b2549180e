// --exact: AFTER ROW triggers record each row write of a test database, and server/sight judges stale writes by the
// versions of rows. Loop thread.
#ifndef SERVER_PROXY_ROW_VERSIONS_H
#define SERVER_PROXY_ROW_VERSIONS_H

#include "observability/base/base.h"
#include "server/sight/sight.h"

#include <stdbool.h>
#include <uv.h>

enum { ROW_VERSIONS_MS = 200 }; // between two readings of the records

struct row_versions;

// Connects, removes what a killed proxy has left, and makes the table of records and the trigger's function. NULL:
// `problem` says why; for one, the name of the database does not say that it is for tests. Runs the loop meanwhile.
MUST_CHECK struct row_versions *row_versions_new(uv_loop_t *loop, const char *conninfo, const bool *is_stopped,
                                                 struct text *problem);
MUST_CHECK const char *row_versions_database(const struct row_versions *versions);
// The catalogue was read: creates triggers on the tables that have none. Records are read from then on.
void row_versions_watch(struct row_versions *versions, struct sight *sight);
void row_versions_await(struct row_versions *versions); // runs the loop until the triggers are there
// Leaves the loop.
void row_versions_close(struct row_versions *versions);
// After the loop has ended: reads the last records, removes the triggers, and frees.
void row_versions_end(struct row_versions *versions);

#endif
