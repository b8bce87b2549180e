// A connection: its socket, its parser, and the one request it is busy with. Loop thread.
//
// While it is busy, the bytes that come are kept, and a client that resets the connection is noticed. Nothing can
// pull a request away from under a worker: its job ends by itself. The connection's memory goes in one place, the close
// callback of its socket.
#ifndef SERVER_HTTP_CONN_H
#define SERVER_HTTP_CONN_H

#include "observability/base/check.h"
#include "observability/base/text.h"
#include "observability/trace/trace_context.h"
#include "server/http/http_parser.h"
#include "server/http/http_response.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct event_reader;
struct job;
struct route;
struct server;

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
    struct server *server;
    struct conn *previous, *next; // in the server's list
    enum conn_state state;
    struct http_parser *parser;
    struct text unparsed;        // bytes behind the request being worked on
    bool has_more;               // they begin another request
    const struct route *route;   // of the request being worked on, or NULL
    struct job *job;             // that will answer it, or NULL
    struct event_reader *reader; // that it is, or NULL
    uint64_t deadline_ms;        // loop time at which the present state is ended, unless enough bytes have moved
    size_t received;             // bytes read since the deadline was set
    size_t unsent;               // bytes that the client had not taken when the deadline was set
    uint64_t started_ns;         // monotonic: the first byte of the request being worked on
    int status;                  // of its answer, once there is one
    enum http_method method;     // of the request being worked on
    bool is_uncounted;           // the metrics do not have it yet
    bool keep_alive;             // wanted by the request being worked on
    bool parsing;                // conn_parse() is on the stack
    bool read_ended;             // the client has sent its FIN
};

// Takes a connection from the listening socket.
void conn_accept(struct server *server, uv_stream_t *listener);

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

// The job that will answer. If the client leaves first, the job's owner becomes NULL, and it ends by itself.
void conn_expect(struct conn *conn, struct job *job);
// For a job's `finished`: the connection that waits for it, parted from it; NULL: nobody waits any more.
MUST_CHECK struct conn *conn_of_job(struct job *job);

// Answers with the head of a stream of events and its first bytes. False: it is closed, the client does not take them.
MUST_CHECK bool conn_stream(struct conn *conn, struct event_reader *reader, struct slice first);
// As much as the socket takes at once, which may be nothing. False: the client is gone, and the connection is closed.
MUST_CHECK bool conn_stream_write(struct conn *conn, const struct slice *pieces, size_t count, size_t *taken);
// The last bytes of a stream: it is no reader any more, and closes when it has them.
void conn_stream_end(struct conn *conn, struct slice last);

// The sweep: acts on a deadline that has passed.
void conn_check_deadline(struct conn *conn, uint64_t now_ms);
void conn_close(struct conn *conn);
// Nothing of a request has come yet.
MUST_CHECK bool conn_is_idle(const struct conn *conn);
// Waits for a request, or for the rest of one.
MUST_CHECK bool conn_is_reading(const struct conn *conn);

#endif
