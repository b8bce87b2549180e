// `bank-api --healthcheck`: asks the server that runs with the same environment whether it is healthy. Container images
// use it, so that they need no HTTP client. Main thread; there is no loop.
#ifndef SERVER_HEALTHCHECK_H
#define SERVER_HEALTHCHECK_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

// Returns true if GET /health was answered with 200. Otherwise `problem` is an error text. Blocks: each network call
// waits at most 3 seconds.
MUST_CHECK bool healthcheck(const char *host, uint16_t port, struct text *problem);

#endif
