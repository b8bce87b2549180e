// A connection: its socket, its parser, and its current request. Loop thread.
//
// A connection works on one request at a time. The bytes of further requests are kept meanwhile, and a reset by the
// client closes the connection. A job is never stopped because its client has left; it ends by itself.
// A connection is freed in one place only, the close callback of its socket.
#ifndef SERVER_HTTP_CONN_H
#define SERVER_HTTP_CONN_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"
#include "server/http/http_limits.h"
#include "server/http/http_parser.h"
#include "server/http/http_response.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct conn_context;
struct job;   // belongs to server/api; this folder only keeps the pointer
struct route; // belongs to server/api; this folder only keeps the pointer

enum conn_state {
    CONN_READING,   // waits for a request, or for the rest of one
    CONN_WORKING,   // a handler works on the request
    CONN_WRITING,   // the kernel has not taken all of the answer yet
    CONN_STREAMING, // a subscriber of GET /events receives events until it leaves
    CONN_LINGERING, // the last answer was sent; waits for the client to close, and discards its bytes
    CONN_CLOSING,   // the socket closes; its callback frees the connection
};

struct conn {
    uv_tcp_t tcp;
    struct conn_context *context;
    TAILQ_ENTRY(conn) link; // in the list of the context
    enum conn_state state;
    struct http_parser *parser;
    struct text unparsed;      // bytes received behind the current request
    bool has_more;             // `unparsed` begins another request: it is more than empty lines
    const struct route *route; // the route of the current request, or NULL
    struct job *job;           // the job that will answer the current request, or NULL
    void *subscriber;          // the event subscriber of this connection, or NULL
    uint64_t deadline_ms;      // loop time at which the state is ended, unless enough bytes have moved
    size_t received;           // bytes read since the deadline was set
    size_t unsent;             // bytes that the client had not acknowledged when the deadline was set
    uint64_t started_ns;       // monotonic time of the first byte of the current request
    int status;                // the status of the answer, once it is known
    enum http_method method;   // the method of the current request
    bool is_uncounted;         // the end of the current request was not reported yet
    bool keep_alive;           // the connection stays open after the current request
    bool parsing;              // conn_parse() is on the stack
    bool read_ended;           // the client has sent its FIN
};

// Callbacks of the server that owns the connections. Loop thread.
struct conn_callbacks {
    // A request is complete. The callback answers it with conn_respond() or conn_stream(), now or later.
    void (*request)(struct conn *conn, const struct http_request *request);
    // The current request has ended. Called once for each request; the status is 0 if no answer was delivered.
    void (*request_ended)(struct conn *conn, int status, uint64_t duration_ns);
    // The connection closes before `job` has answered, so the job must forget the connection.
    void (*abandoned)(struct conn *conn);
    // The event stream of the connection has ended. The callback frees the subscriber.
    void (*unsubscribed)(struct conn *conn);
    // A connection was freed.
    void (*closed)(struct conn_context *context);
};

TAILQ_HEAD(conn_list, conn);

// The context that all connections of a server share. The server embeds it.
struct conn_context {
    uv_loop_t *loop;
    const struct conn_callbacks *callbacks;
    void *user_data;  // for the callbacks
    bool is_stopping; // the program stops: the last answer of each connection has "Connection: close"
    bool is_draining; // connections close as soon as they are idle
    struct conn_list connections;
    unsigned count;                     // length of the list
    unsigned limit;                     // a connection above this number gets a 503
    int64_t realtime_offset_ms;         // time since 1970 minus loop time
    struct text write_buffer;           // holds one answer at a time
    char read_buffer[HTTP_READ_BUFFER]; // its bytes are parsed or copied before the next read
};

void conn_context_init(struct conn_context *context, uv_loop_t *loop, const struct conn_callbacks *callbacks,
                       void *user_data, unsigned limit);
void conn_context_free(struct conn_context *context); // all connections must be closed
// The sweep: reads the clock and enforces the deadlines that have passed. The server calls it every SWEEP_INTERVAL_MS.
void conn_context_sweep(struct conn_context *context);
// Closes the connections for which `which` returns true.
void conn_context_close(struct conn_context *context, bool (*which)(const struct conn *conn));

// Accepts a connection from the listening socket.
void conn_accept(struct conn_context *context, uv_stream_t *listener);

// Answers the current request. Called once for each request; the caller may free the parts of the response afterwards.
// Returns false if the client is known to have left without the answer.
bool conn_respond(struct conn *conn, const struct http_response *response);

// Answers with application/problem+json (RFC 9457). The format gives the `detail`.
void conn_respond_problem(struct conn *conn, int status, const char *format, ...) PRINTF_LIKE(3, 4);
// The same with a trace, which may be NULL: the body has its trace id, and the headers have its traceparent. The
// Retry-After in seconds is the usual one of the status if it is 0 here.
bool conn_respond_problem_of(struct conn *conn, int status, struct slice detail, const struct trace_context *trace,
                             unsigned retry_after_s);

// Writes the address of the client as text, or "" if the kernel does not know it any more.
#define CLIENT_ADDRESS_LENGTH 64
void conn_client_address(const struct conn *conn, char out[static CLIENT_ADDRESS_LENGTH]);

// Answers with the head of an event stream and its first bytes. Returns false if the client does not take them; the
// connection is then closed.
MUST_CHECK bool conn_stream(struct conn *conn, void *subscriber, struct slice first);
// Writes as much as the socket takes without waiting; `taken` is the number of bytes and may be 0. Returns false if the
// client has left; the connection is then closed.
MUST_CHECK bool conn_stream_write(struct conn *conn, const struct slice *pieces, size_t count, size_t *taken);
// Removes the subscriber, writes the last bytes of the stream, and closes the connection once they are sent.
void conn_stream_end(struct conn *conn, struct slice last);

// Closes the connection now. Does nothing if it closes already.
void conn_close(struct conn *conn);
// True if the connection waits for a request and has no byte of it.
MUST_CHECK bool conn_is_idle(const struct conn *conn);
// True if the connection waits for a request, or for the rest of one.
MUST_CHECK bool conn_is_reading(const struct conn *conn);

#endif
