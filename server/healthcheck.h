// `bank-api --healthcheck`: asks the server that runs with this configuration whether it is healthy. For containers,
// whose image then needs no HTTP client. Main thread; no loop.
#ifndef SERVER_HEALTHCHECK_H
#define SERVER_HEALTHCHECK_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

// True: GET /health on `port` of this machine answered 200. Otherwise `problem` says what came instead.
MUST_CHECK bool healthcheck(const char *host, uint16_t port, struct text *problem);

#endif
