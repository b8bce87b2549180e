// All limits of HTTP, of the events and of the shutdown. workers/limits.h has those of the bank and the pool.
#ifndef SERVER_HTTP_HTTP_LIMITS_H
#define SERVER_HTTP_HTTP_LIMITS_H

#include "workers/limits.h"

#include <assert.h>

// Sizes of a request, in bytes. A larger request is refused with the status in the comment.
#define HTTP_URL_MAX (8 * 1024)      // 414
#define HTTP_HEADERS_MAX (16 * 1024) // 431; separators, trailers and chunk extensions count as well
#define HTTP_BODY_MAX (64 * 1024)    // 413
// All bytes of a request and the empty lines before it. The other limits do not count padding (leading zeros of a chunk
// size, blanks before a value), so a client could send padding without end. A chunk of one byte takes six bytes.
#define HTTP_REQUEST_MAX (512 * 1024) // 413
#define HTTP_READ_BUFFER (64 * 1024)  // one buffer for all connections: bytes are parsed or copied before the next read
#define QUERY_PARAMETERS_MAX 16

#define CONNECTIONS_MAX 10000
#define LISTEN_BACKLOG 1024
// Descriptors reserved for everything that is not a connection. Each database session adds one to these.
#define DESCRIPTORS_RESERVED 64

// Deadlines in milliseconds. A timer, the sweep, enforces them every SWEEP_INTERVAL_MS. When the deadline of a body or
// of an answer passes, it is set again if the bytes have moved at RATE_MIN or faster.
#define SWEEP_INTERVAL_MS 250
#define REQUEST_DEADLINE_MS 10000 // for the head from its first byte on (stops slowloris), and again for the body
#define IDLE_DEADLINE_MS 75000    // without a request
#define WRITE_DEADLINE_MS 10000   // for the client to receive its answer
#define LINGER_DEADLINE_MS 1000   // after the last answer, for the client to close the connection
#define RATE_MIN 1024             // bytes per second

#define RETRY_AFTER_SECONDS 1 // the Retry-After of a 503

// The events. A tick is the time between two writes to a subscriber: short while people can follow the events, and
// longer under load.
#define EVENT_SUBSCRIBERS_MAX 256
#define EVENT_TICK_MS 25
#define EVENT_TICK_LOADED_MS 250
#define EVENT_LOAD_MEMORY_MS 1000 // the "under load" flag stays set this long after the last rate-limited transfer
#define EVENT_HEARTBEAT_MS 15000  // a subscriber that was sent nothing for this long gets a heartbeat
// Events are still recorded this long after the last subscriber has disconnected, so that it can resume.
#define EVENT_ABSENCE_MS 60000
#define EVENT_LAG_MAX (768 * 1024)      // bytes that a subscriber may be behind; a slower one is disconnected
#define EVENT_SOCKET_BUFFER (64 * 1024) // send buffer of a subscriber in bytes; the kernel doubles the number
// A token bucket limits the transfers whose steps become events: a burst of so many, and so many per second after it.
#define SAMPLED_AT_ONCE 64
#define SAMPLED_A_SECOND 16

// The shutdown. A request may be on its way on an idle connection, so idle connections are read for the grace time.
#define SHUTDOWN_GRACE_MS 100
#define SHUTDOWN_TIMEOUT_MS_MIN 100
#define SHUTDOWN_TIMEOUT_MS_MAX 600000
#define SHUTDOWN_TIMEOUT_MS_DEFAULT 10000
#define SHUTDOWN_FORCE_MS 1000 // after the shutdown timeout, for the last answers to the jobs that were aborted

static_assert(HTTP_READ_BUFFER >= HTTP_URL_MAX + HTTP_HEADERS_MAX, "one read has room for a whole head");
static_assert(HTTP_URL_MAX < HTTP_HEADERS_MAX, "a long URL must be refused with 414 before 431");
static_assert(HTTP_REQUEST_MAX >= HTTP_URL_MAX + HTTP_HEADERS_MAX + 6 * HTTP_BODY_MAX + 1024,
              "a body in chunks of one byte fits, with the request line and the last chunk");
static_assert(SWEEP_INTERVAL_MS < LINGER_DEADLINE_MS, "the sweep must be finer than the shortest deadline");
static_assert(SHUTDOWN_GRACE_MS <= SHUTDOWN_TIMEOUT_MS_MIN, "the grace time is a part of the shutdown timeout");

#endif
