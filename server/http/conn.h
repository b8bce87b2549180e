// A connection: its socket, its parser, and the one request it is busy with. Loop thread.
//
// While it is busy, the bytes that come are kept, and a client that resets the connection is noticed. Nothing can
// pull a request away from under a worker: its job ends by itself. The connection's memory goes in one place, the close
// callback of its socket.
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
struct job;   // of the API: nothing in this folder looks into it
struct route; // likewise

enum conn_state {
    CONN_READING,   // idle, or inside a request
    CONN_WORKING,   // a handler has the request
    CONN_WRITING,   // the client has not taken all of the answer yet
    CONN_STREAMING, // a reader of events: gets what there is, until it leaves
    CONN_LINGERING, // all is said: waits for the client to close, and drops what it still sends
    CONN_CLOSING,
};

struct conn {
    uv_tcp_t tcp;
    struct conn_context *context;
    TAILQ_ENTRY(conn) link; // in the context's list
    enum conn_state state;
    struct http_parser *parser;
    struct text unparsed;      // bytes behind the request being worked on
    bool has_more;             // they begin another request
    const struct route *route; // of the request being worked on, or NULL
    struct job *job;           // that will answer it, or NULL
    void *subscriber;          // the owner of this connection's event stream, or NULL
    uint64_t deadline_ms;      // loop time at which the present state is ended, unless enough bytes have moved
    size_t received;           // bytes read since the deadline was set
    size_t unsent;             // bytes that the client had not taken when the deadline was set
    uint64_t started_ns;       // monotonic: the first byte of the request being worked on
    int status;                // of its answer, once there is one
    enum http_method method;   // of the request being worked on
    bool is_uncounted;         // the metrics do not have it yet
    bool keep_alive;           // wanted by the request being worked on
    bool parsing;              // conn_parse() is on the stack
    bool read_ended;           // the client has sent its FIN
};

// What the owner of the connections does. All are called on the loop.
struct conn_callbacks {
    // A request is complete. It is answered with conn_respond() or conn_stream(), now or later.
    void (*request)(struct conn *conn, const struct http_request *request);
    // The request being worked on has ended, once a request. The status is 0 if no answer was delivered.
    void (*request_ended)(struct conn *conn, int status, uint64_t duration_ns);
    // The connection closes before `job` has answered.
    void (*abandoned)(struct conn *conn);
    // The connection is no event stream any more.
    void (*unsubscribed)(struct conn *conn);
    // The connection's memory is freed.
    void (*closed)(struct conn_context *context);
};

TAILQ_HEAD(conn_list, conn);

// What all connections of a server share.
struct conn_context {
    uv_loop_t *loop;
    const struct conn_callbacks *callbacks;
    void *user_data;  // of the callbacks
    bool is_stopping; // answers say that the connection will be closed
    bool is_draining; // idle connections are closed
    struct conn_list connections;
    unsigned count;
    unsigned limit;
    int64_t realtime_offset_ms;         // from loop time to time since 1970
    struct text write_buffer;           // for one answer at a time
    char read_buffer[HTTP_READ_BUFFER]; // its bytes are used up before the next read
};

void conn_context_init(struct conn_context *context, uv_loop_t *loop, const struct conn_callbacks *callbacks,
                       void *user_data, unsigned limit);
void conn_context_free(struct conn_context *context); // no connection is left
// The sweep: learns the time and acts on the deadlines that have passed.
void conn_context_sweep(struct conn_context *context);
// Closes the connections for which `which` is true.
void conn_context_close(struct conn_context *context, bool (*which)(const struct conn *conn));

// Takes a connection from the listening socket.
void conn_accept(struct conn_context *context, uv_stream_t *listener);

// Answers the request being worked on. Once a request; the response's parts may be freed afterwards. False: the client
// is known to have left without the answer.
bool conn_respond(struct conn *conn, const struct http_response *response);

// Answers with application/problem+json (RFC 9457).
void conn_respond_problem(struct conn *conn, int status, const char *format, ...) PRINTF_LIKE(3, 4);
// The same about a request that has a trace (or NULL): its id goes into the body, its context into the headers.
bool conn_respond_problem_of(struct conn *conn, int status, struct slice detail, const struct trace_context *trace);

// Where the client is, as text; "" if that is not known any more.
#define CLIENT_ADDRESS_LENGTH 64
void conn_client_address(const struct conn *conn, char out[static CLIENT_ADDRESS_LENGTH]);

// Answers with the head of a stream of events and its first bytes. False: it is closed, the client does not take them.
MUST_CHECK bool conn_stream(struct conn *conn, void *subscriber, struct slice first);
// As much as the socket takes at once, which may be nothing. False: the client is gone, and the connection is closed.
MUST_CHECK bool conn_stream_write(struct conn *conn, const struct slice *pieces, size_t count, size_t *taken);
// The last bytes of a stream: it is no reader any more, and closes when it has them.
void conn_stream_end(struct conn *conn, struct slice last);

void conn_close(struct conn *conn);
// Nothing of a request has come yet.
MUST_CHECK bool conn_is_idle(const struct conn *conn);
// Waits for a request, or for the rest of one.
MUST_CHECK bool conn_is_reading(const struct conn *conn);

#endif
