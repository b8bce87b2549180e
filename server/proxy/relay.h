// The listening socket, the signals and the sessions: what runs between the start and the end of the program.
// Loop thread.
#ifndef SERVER_PROXY_RELAY_H
#define SERVER_PROXY_RELAY_H

#include "observability/base/base.h"
#include "server/proxy/hold.h"
#include "server/proxy/insight.h"
#include "server/proxy/proxy_options.h"

#include <uv.h>

enum {
    RELAY_BACKLOG = 1024,
    RELAY_SWEEP_MS = 250,
    RELAY_STOP_MS = 10000, // for the transactions that run at the first signal
};

struct relay;

// A program that runs in the relay's loop, beside it. Every function must be set.
struct relay_driver {
    void *owner;
    const struct insight_listener *listener;
    void (*on_notice)(void *owner, const struct hold_notice *notice);
    void (*started)(void *owner, struct relay *relay); // it listens
    // It stops. The driver closes its handles; the loop ends when all are closed. `was_signal`: SIGINT or SIGTERM.
    void (*stopping)(void *owner, bool was_signal);
};

MUST_CHECK unsigned relay_port(const struct relay *relay); // where it listens
MUST_CHECK struct insight *relay_insight(const struct relay *relay);
// True while a transaction is open, an answer is owed or a session is held.
MUST_CHECK bool relay_is_busy(const struct relay *relay);
// True if PostgreSQL can be asked for locks.
MUST_CHECK bool relay_sees_locks(const struct relay *relay);
void relay_stop(struct relay *relay);

// Listens and relays until SIGTERM or SIGINT. False: `problem` says why it cannot listen.
// `driver`: may be NULL.
MUST_CHECK bool relay_run(uv_loop_t *loop, const struct proxy_options *options, const struct relay_driver *driver,
                          struct text *problem);

#endif
