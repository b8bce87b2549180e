// Connects the relay with server/sight: the messages of each session go there, its findings go to the log and to a
// file, and a session of our own with each database reads its catalogue. Loop thread.
#ifndef SERVER_PROXY_INSIGHT_H
#define SERVER_PROXY_INSIGHT_H

#include "server/proxy/observer.h"

#include <uv.h>

enum {
    INSIGHT_DATABASES_MAX = 16,
    INSIGHT_RELOAD_MS = 500,       // between two readings of a catalogue; doubled while they bring nothing new
    INSIGHT_RELOAD_MAX_MS = 60000, // for tables that are never found, such as temporary ones
};

struct insight;

// `conninfo` is that of the upstream; the database in it is replaced. `path`: a file for the findings, or NULL.
MUST_CHECK struct insight *insight_new(uv_loop_t *loop, const char *conninfo, const char *path);
MUST_CHECK const struct observer *insight_observer(const struct insight *insight);
// True if it wants insight_connect() to be called; it has stopped the loop for that.
MUST_CHECK bool insight_wants_connection(const struct insight *insight);
void insight_connect(struct insight *insight, const bool *is_stopped); // see lock_watch_connect()
void insight_close(struct insight *insight);                           // leaves the loop
void insight_free(struct insight *insight);                            // after the loop has ended; writes the file

#endif
