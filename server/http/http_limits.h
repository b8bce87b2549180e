// The HTTP limits, in one place, beside the bank's and the pool's (workers/bank_limits.h).
#ifndef SERVER_HTTP_HTTP_LIMITS_H
#define SERVER_HTTP_HTTP_LIMITS_H

#include "workers/limits.h"

#include <assert.h>

// What a request may be, in bytes.
#define HTTP_URL_MAX (8 * 1024)      // beyond: 414
#define HTTP_HEADERS_MAX (16 * 1024) // with their separators, trailers and chunk extensions; beyond: 431
#define HTTP_BODY_MAX (64 * 1024)    // beyond: 413
// All bytes of a request, and the empty lines before it. The other limits leave out the padding (leading zeros of a
// chunk's size, blanks before a value), so a client could send padding for ever. A chunk of one byte takes six bytes.
#define HTTP_REQUEST_MAX (512 * 1024) // beyond: 413
#define HTTP_READ_BUFFER (64 * 1024)  // one for all connections: reading is parsing
#define QUERY_PARAMETERS_MAX 16

#define CONNECTIONS_MAX 10000
#define LISTEN_BACKLOG 1024
// Descriptors that are not connections: database sessions come on top of these.
#define DESCRIPTORS_RESERVED 64

// Deadlines in milliseconds; the sweep that enforces them is this coarse. While a body, or an answer, moves at RATE_MIN
// at least, its deadline is set anew each time it passes.
#define SWEEP_INTERVAL_MS 250
#define REQUEST_DEADLINE_MS 10000 // from a request's first byte to the end of its head (slowloris), and for its body
#define IDLE_DEADLINE_MS 75000    // between requests
#define WRITE_DEADLINE_MS 10000   // until the client has taken its answer
#define LINGER_DEADLINE_MS 1000   // after the last answer, for the client to close its side
#define RATE_MIN 1024             // bytes a second

#define RETRY_AFTER_SECONDS 1 // with a 503

// The events. A tick is the time between two writes to one reader, while people can follow and under load.
#define EVENT_READERS_MAX 256
#define EVENT_TICK_MS 25
#define EVENT_TICK_LOADED_MS 250
#define EVENT_LOAD_MEMORY_MS 1000 // a load is one so long after the last transfer that was not followed
#define EVENT_HEARTBEAT_MS 15000
#define EVENT_ABSENCE_MS 60000          // so long after the last reader has left, it will still find what it missed
#define EVENT_LAG_MAX (768 * 1024)      // bytes a reader may be behind; beyond it is let go
#define EVENT_SOCKET_BUFFER (64 * 1024) // of a reader, in the kernel, which doubles it
#define FOLLOWED_AT_ONCE 64
#define FOLLOWED_A_SECOND 16

// The shutdown: idle connections may have a request on the wire when it begins, so they are read a moment longer.
#define SHUTDOWN_GRACE_MS 100
#define SHUTDOWN_TIMEOUT_MS_MIN 100
#define SHUTDOWN_TIMEOUT_MS_MAX 600000
#define SHUTDOWN_TIMEOUT_MS_DEFAULT 10000
#define SHUTDOWN_FORCE_MS 1000 // after that: for the answers to those who were given up on

static_assert(HTTP_READ_BUFFER >= HTTP_URL_MAX + HTTP_HEADERS_MAX, "a whole head fits one read");
static_assert(HTTP_URL_MAX < HTTP_HEADERS_MAX, "414 must be able to speak before 431");
static_assert(HTTP_REQUEST_MAX >= HTTP_URL_MAX + HTTP_HEADERS_MAX + 6 * HTTP_BODY_MAX + 1024,
              "a body in chunks of one byte fits, with the request line and the last chunk");
static_assert(SWEEP_INTERVAL_MS < LINGER_DEADLINE_MS, "the sweep must be finer than the shortest deadline");
static_assert(SHUTDOWN_GRACE_MS <= SHUTDOWN_TIMEOUT_MS_MIN, "the grace lies within the shutdown's time");

#endif
