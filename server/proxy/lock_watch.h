// Asks PostgreSQL on a session of its own whether somebody waits for a held session. Loop thread.
//
// A held session may have locks. If another session waits for one, it cannot come to the barrier: that is a deadlock
// which the server does not see, because one of the two waits in the proxy.
#ifndef SERVER_PROXY_LOCK_WATCH_H
#define SERVER_PROXY_LOCK_WATCH_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    LOCK_WATCH_MS = 10,             // between two questions, while a session is held
    LOCK_WATCH_RECONNECT_MS = 1000, // between two attempts to connect
};

struct lock_watch;

struct lock_watch_callbacks {
    // Appends the process ids of the held sessions as an array, "{12,13}". False: none is held, so nothing is asked.
    bool (*held)(void *owner, struct text *out);
    // The backend `waiter` waits for a lock of the held backend `holder`.
    void (*waits)(void *owner, uint32_t holder, uint32_t waiter);
};

MUST_CHECK struct lock_watch *lock_watch_new(uv_loop_t *loop, const char *conninfo,
                                             const struct lock_watch_callbacks *callbacks, void *owner);
// A session was held: asks until none is.
void lock_watch_begin(struct lock_watch *watch);
MUST_CHECK bool lock_watch_is_connected(const struct lock_watch *watch);
// True if it wants lock_watch_connect() to be called; it has stopped the loop for that.
MUST_CHECK bool lock_watch_wants_connection(const struct lock_watch *watch);
// Connects. Called outside of the loop, because the wait for the server runs the loop. `is_stopped`: ends the wait.
void lock_watch_connect(struct lock_watch *watch, const bool *is_stopped);
void lock_watch_close(struct lock_watch *watch); // leaves the loop
void lock_watch_free(struct lock_watch *watch);  // after the loop has ended

#endif
