// The life of a connection, from accept to the last close callback. Loop thread.
#include "conn.h"

#include "bank_api.h"
#include "clock.h"
#include "event_stream.h"
#include "http_limits.h"
#include "http_metrics.h"
#include "job.h"
#include "problem.h"
#include "request_dispatch.h"
#include "server.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

// What uv_try_write() left over; its memory lives until the write's callback.
struct pending_write {
    uv_write_t write;
    struct conn *conn;
    struct text bytes;
};

static struct conn *conn_of(uv_handle_t *handle) {
    return CONTAINER_OF(handle, struct conn, tcp);
}

static void conn_closed(uv_handle_t *handle) {
    struct conn *conn = conn_of(handle);
    struct server *server = conn->server;
    server_remove(server, conn);
    http_parser_free(conn->parser);
    text_free(&conn->unparsed);
    free(conn);
    server_continue_stopping(server);
}

static void conn_leave_stream(struct conn *conn) {
    if (conn->reader != NULL) {
        event_stream_remove(conn->reader);
        conn->reader = NULL;
    }
}

void conn_close(struct conn *conn) {
    if (conn->state == CONN_CLOSING) {
        return;
    }
    conn->state = CONN_CLOSING;
    if (conn->job != NULL) {
        conn->job->owner = NULL; // it ends by itself: a committed transfer stays
        conn->job = NULL;
    }
    conn_leave_stream(conn);
    uv_close((uv_handle_t *)&conn->tcp, conn_closed);
}

bool conn_is_reading(const struct conn *conn) {
    return conn->state == CONN_READING;
}

bool conn_is_idle(const struct conn *conn) {
    return conn->state == CONN_READING && !http_parser_is_inside_request(conn->parser);
}

static void conn_enter(struct conn *conn, enum conn_state state, uint64_t allowed_ms) {
    conn->state = state;
    conn->deadline_ms = uv_now(conn->tcp.loop) + allowed_ms;
}

static void conn_parse(struct conn *conn, const char *data, size_t length);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    *buffer = server_read_buffer(conn_of(handle)->server); // what is read is parsed before the next read
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct conn *conn = conn_of((uv_handle_t *)stream);
    if (length < 0) {
        conn_close(conn); // the client is done, or gone
    } else if (length > 0 && conn->state == CONN_READING) {
        conn_parse(conn, buffer->base, (size_t)length);
    }
}

static void conn_read(struct conn *conn) {
    int status = uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    CHECK(status == 0 || status == UV_EALREADY);
}

// Says that we are done, and lets the client take the answer and leave first: closing at once, with bytes of its
// still unread, would reset the connection and take the answer with it (RFC 9112 section 9.6).
static void conn_linger(struct conn *conn) {
    uv_os_fd_t descriptor;
    if (uv_fileno((uv_handle_t *)&conn->tcp, &descriptor) != 0 || shutdown(descriptor, SHUT_WR) != 0) {
        conn_close(conn);
        return;
    }
    conn_enter(conn, CONN_LINGERING, LINGER_DEADLINE_MS);
    conn_read(conn);
}

// The answer is with the client: on to its next request, which may have come already.
static void conn_answered(struct conn *conn) {
    if (!conn->keep_alive) {
        conn_linger(conn);
        return;
    }
    http_parser_next(conn->parser);
    conn_enter(conn, CONN_READING, IDLE_DEADLINE_MS);
    if (conn->parsing) {
        return; // the loop in conn_parse() goes on
    }
    struct text unparsed = conn->unparsed;
    conn->unparsed = (struct text){0};
    if (unparsed.length > 0) {
        conn_parse(conn, unparsed.data, unparsed.length);
    }
    text_free(&unparsed);
    if (conn_is_idle(conn) && server_is_stopping(conn->server)) {
        conn_linger(conn); // what was behind the last request was none
    } else if (conn->state == CONN_READING) {
        conn_read(conn);
    }
}

static void on_written(uv_write_t *write, int status) {
    struct pending_write *pending = CONTAINER_OF(write, struct pending_write, write);
    struct conn *conn = pending->conn;
    text_free(&pending->bytes);
    free(pending);
    if (conn->state == CONN_CLOSING) {
        return;
    }
    if (status == 0) {
        conn_answered(conn);
    } else {
        conn_close(conn);
    }
}

static void conn_write(struct conn *conn, const char *data, size_t length) {
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data, (unsigned)length); // libuv only reads it
    int written = uv_try_write((uv_stream_t *)&conn->tcp, &buffer, 1);
    if (written == (int)length) {
        conn_answered(conn);
        return;
    }
    if (written < 0 && written != UV_EAGAIN) {
        conn_close(conn);
        return;
    }
    size_t done = written < 0 ? 0 : (size_t)written;
    struct pending_write *pending = memory_allocate_zeroed(sizeof *pending);
    pending->conn = conn;
    text_append(&pending->bytes, data + done, length - done);
    conn_enter(conn, CONN_WRITING, WRITE_DEADLINE_MS);
    buffer = uv_buf_init(pending->bytes.data, (unsigned)pending->bytes.length);
    CHECK(uv_write(&pending->write, (uv_stream_t *)&conn->tcp, &buffer, 1, on_written) == 0);
}

void conn_respond(struct conn *conn, const struct http_response *response) {
    CHECK(conn->state == CONN_WORKING);
    struct server *server = conn->server;
    const struct http_request *request = http_parser_request(conn->parser);
    // The last answer says so when the program stops; requests that are here already are answered first.
    conn->keep_alive = conn->keep_alive && (conn->has_more || !server_is_stopping(server));
    struct http_response_framing framing = {
        .head_only = conn->is_head,
        .keep_alive = conn->keep_alive,
        .http_1_0 = request->minor_version == 0,
        .now_s = server_now_s(server),
    };
    http_metrics_publish(server_api(server)->http_metrics, conn->route, request->method, response->status,
                         clock_monotonic_ns() - request->started_ns);
    struct text *out = server_write_buffer(server);
    http_response_write(response, &framing, out);
    conn_write(conn, out->data, out->length);
}

void conn_respond_problem(struct conn *conn, int status, const char *format, ...) {
    struct text detail = {0};
    va_list arguments;
    va_start(arguments, format);
    text_append_format_list(&detail, format, arguments);
    va_end(arguments);
    conn_respond_problem_of(conn, status, (struct slice){detail.data, detail.length}, NULL);
    text_free(&detail);
}

void conn_respond_problem_of(struct conn *conn, int status, struct slice detail, const struct trace_context *trace) {
    struct text body = {0};
    char traceparent[TRACEPARENT_LENGTH];
    if (trace != NULL) {
        trace_context_traceparent(trace, traceparent);
    }
    problem_write(&body, status, detail, trace);
    conn_respond(conn, &(struct http_response){
                           .status = status,
                           .content_type = PROBLEM_CONTENT_TYPE,
                           .body = {body.data, body.length},
                           .traceparent = trace == NULL ? NULL : traceparent,
                           .retry_after = status == 503 ? RETRY_AFTER_SECONDS : 0,
                           .asks_for_token = status == 401,
                       });
    text_free(&body);
}

bool conn_stream(struct conn *conn, struct event_reader *reader, struct slice first) {
    CHECK(conn->state == CONN_WORKING);
    struct server *server = conn->server;
    const struct http_request *request = http_parser_request(conn->parser);
    http_metrics_publish(server_api(server)->http_metrics, conn->route, request->method, 200,
                         clock_monotonic_ns() - request->started_ns);
    struct text *out = server_write_buffer(server);
    http_response_write(&(struct http_response){.status = 200, .content_type = "text/event-stream", .streams = true},
                        &(struct http_response_framing){.now_s = server_now_s(server)}, out);
    text_append_slice(out, first);
    http_parser_next(conn->parser);
    conn->reader = reader;
    conn_enter(conn, CONN_STREAMING, 0);
    int buffer = EVENT_SOCKET_BUFFER;
    (void)uv_send_buffer_size((uv_handle_t *)&conn->tcp, &buffer); // what a slow reader may hold of the kernel's memory
    conn_read(conn);                                               // to notice that it leaves
    size_t taken;
    if (!conn_stream_write(conn, &(struct slice){out->data, out->length}, 1, &taken)) {
        return false;
    }
    if (taken < out->length) {
        conn_close(conn); // an empty socket takes more than this
    }
    return conn->state == CONN_STREAMING;
}

bool conn_stream_write(struct conn *conn, const struct slice *pieces, size_t count, size_t *taken) {
    uv_buf_t buffers[2];
    CHECK(count <= 2);
    for (size_t i = 0; i < count; i++) {
        buffers[i] = uv_buf_init((char *)(uintptr_t)pieces[i].data, (unsigned)pieces[i].length);
    }
    int written = uv_try_write((uv_stream_t *)&conn->tcp, buffers, (unsigned)count);
    *taken = written < 0 ? 0 : (size_t)written;
    if (written < 0 && written != UV_EAGAIN) {
        conn_close(conn);
        return false;
    }
    return true;
}

void conn_stream_end(struct conn *conn, struct slice last) {
    conn_leave_stream(conn);
    conn->keep_alive = false;
    conn_write(conn, last.data, last.length);
}

void conn_client_address(const struct conn *conn, char out[static CLIENT_ADDRESS_LENGTH]) {
    struct sockaddr_storage address;
    int size = sizeof address;
    out[0] = '\0';
    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &size) == 0) {
        (void)uv_ip_name((struct sockaddr *)&address, out, CLIENT_ADDRESS_LENGTH);
    }
}

void conn_expect(struct conn *conn, struct job *job) {
    conn->job = job;
    job->owner = conn;
}

struct conn *conn_of_job(struct job *job) {
    struct conn *conn = job->owner;
    if (conn != NULL) {
        conn->job = NULL;
        job->owner = NULL;
    }
    return conn;
}

// Bytes that no request can be made of: say what is wrong with them, and end.
static void conn_refuse(struct conn *conn, int status, const char *detail) {
    struct text body = {0};
    problem_write(&body, status, slice_of(detail), NULL);
    struct http_response response = {.status = status,
                                     .content_type = PROBLEM_CONTENT_TYPE,
                                     .body = {body.data, body.length},
                                     .retry_after = status == 503 ? RETRY_AFTER_SECONDS : 0};
    struct http_response_framing framing = {.now_s = server_now_s(conn->server)};
    http_metrics_publish(server_api(conn->server)->http_metrics, NULL, HTTP_METHOD_OTHER, status, 0);
    struct text *out = server_write_buffer(conn->server);
    http_response_write(&response, &framing, out);
    text_free(&body);
    conn->keep_alive = false;
    conn_write(conn, out->data, out->length);
}

static void conn_start_request(struct conn *conn) {
    const struct http_request *request = http_parser_request(conn->parser);
    conn_enter(conn, CONN_WORKING, 0); // as long as the work takes
    conn->keep_alive = request->keep_alive;
    conn->is_head = request->method == HTTP_METHOD_HEAD;
    conn->route = NULL;
    request_dispatch(server_api(conn->server), conn, request);
}

static void conn_send_continue(struct conn *conn) {
    static char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buffer = uv_buf_init(line, sizeof line - 1);
    // An empty send buffer takes 25 bytes; a client that does not get them sends its body after a while anyway.
    (void)uv_try_write((uv_stream_t *)&conn->tcp, &buffer, 1);
}

static void conn_parse(struct conn *conn, const char *data, size_t length) {
    conn->parsing = true;
    while (length > 0 && conn->state == CONN_READING) {
        bool was_idle = conn_is_idle(conn);
        size_t used = 0;
        switch (http_parser_feed(conn->parser, data, length, &used)) {
        case HTTP_PARSE_MORE:
            if (was_idle && !conn_is_idle(conn)) {
                conn_enter(conn, CONN_READING, REQUEST_DEADLINE_MS);
            }
            if (http_parser_take_expectation(conn->parser)) {
                conn_send_continue(conn);
            }
            break;
        case HTTP_PARSE_REQUEST:
            conn->has_more = used < length;
            conn_start_request(conn);
            break;
        case HTTP_PARSE_ERROR: {
            struct http_parse_error error = http_parser_error(conn->parser);
            used = length;
            conn_refuse(conn, error.status, error.detail);
            break;
        }
        }
        data += used;
        length -= used;
    }
    conn->parsing = false;
    if (conn->state == CONN_WORKING || conn->state == CONN_WRITING) {
        text_append(&conn->unparsed, data, length);
        CHECK(uv_read_stop((uv_stream_t *)&conn->tcp) == 0);
    }
}

void conn_check_deadline(struct conn *conn, uint64_t now_ms) {
    if (now_ms < conn->deadline_ms) {
        return;
    }
    switch (conn->state) {
    case CONN_WORKING:
    case CONN_STREAMING:
    case CONN_CLOSING: return; // the work is bounded by itself
    case CONN_READING:
        if (http_parser_is_inside_request(conn->parser)) {
            conn_refuse(conn, 408, "The request was not complete within 10 seconds: send it faster");
            return;
        }
        break;
    case CONN_WRITING:
    case CONN_LINGERING: break;
    }
    conn_close(conn);
}

void conn_accept(struct server *server, uv_stream_t *listener) {
    struct conn *conn = memory_allocate_zeroed(sizeof *conn);
    conn->server = server;
    CHECK(uv_tcp_init(listener->loop, &conn->tcp) == 0);
    conn->parser = http_parser_new();
    server_add(server, conn);
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) != 0) {
        conn_close(conn);
        return;
    }
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    conn_enter(conn, CONN_READING, IDLE_DEADLINE_MS);
    if (server_is_full(server)) {
        conn_refuse(conn, 503, "All connections are taken: try again in a moment");
        return;
    }
    conn_read(conn);
}
