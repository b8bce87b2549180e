// The listening socket, the signals and the sessions: what runs between the start and the end of the program.
// Loop thread.
#ifndef SERVER_PROXY_RELAY_H
#define SERVER_PROXY_RELAY_H

#include "observability/base/base.h"
#include "server/proxy/proxy_options.h"

#include <uv.h>

enum {
    RELAY_BACKLOG = 1024,
    RELAY_SWEEP_MS = 250,
    RELAY_STOP_MS = 10000, // for the transactions that run at the first signal
};

// Listens and relays until SIGTERM or SIGINT. False: `problem` says why it cannot listen.
MUST_CHECK bool relay_run(uv_loop_t *loop, const struct proxy_options *options, struct text *problem);

#endif
