// The life of a connection, from accept to the close callback. Loop thread.
//
// conn_accept() > on_read() > conn_parse() > conn_start_request() calls the server, or conn_refuse() answers an error.
// conn_respond() in conn_answer.c > conn_write() > conn_written() > conn_answered(): next request, or conn_linger().
// conn_context_sweep() > conn_check_deadline() ends states that last too long. All ends lead to conn_close().
#include "server/http/conn_internal.h"

#include "observability/base/base.h"
#include "server/http/http_limits.h"
#include "server/http/problem.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// The rest of an answer that uv_try_write() could not write. on_written() frees it.
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
    struct conn_context *context = conn->context;
    TAILQ_REMOVE(&context->connections, conn, link);
    context->count--;
    http_parser_free(conn->parser);
    text_free(&conn->unparsed);
    free(conn);
    context->callbacks->closed(context);
}

// The states that each state may change to.
#define TO(state) (1U << (state))
static const unsigned transitions[] = {
    [CONN_READING] = TO(CONN_READING) | TO(CONN_WORKING) | TO(CONN_WRITING) | TO(CONN_LINGERING) | TO(CONN_CLOSING),
    [CONN_WORKING] = TO(CONN_READING) | TO(CONN_WRITING) | TO(CONN_STREAMING) | TO(CONN_LINGERING) | TO(CONN_CLOSING),
    [CONN_WRITING] = TO(CONN_READING) | TO(CONN_WRITING) | TO(CONN_LINGERING) | TO(CONN_CLOSING),
    [CONN_STREAMING] = TO(CONN_WRITING) | TO(CONN_LINGERING) | TO(CONN_CLOSING),
    [CONN_LINGERING] = TO(CONN_LINGERING) | TO(CONN_CLOSING),
    [CONN_CLOSING] = 0,
};

void conn_enter(struct conn *conn, enum conn_state state, uint64_t allowed_ms) {
    CHECK((transitions[conn->state] & TO(state)) != 0);
    conn->state = state;
    conn->deadline_ms = uv_now(conn->tcp.loop) + allowed_ms;
    conn->received = 0;
}

void conn_leave_stream(struct conn *conn) {
    if (conn->subscriber != NULL) {
        conn->context->callbacks->unsubscribed(conn);
        conn->subscriber = NULL;
    }
}

void conn_count_answer(struct conn *conn, int status) {
    if (conn->is_uncounted) {
        conn->is_uncounted = false;
        conn->context->callbacks->request_ended(conn, status, clock_monotonic_ns() - conn->started_ns);
    }
}

void conn_close(struct conn *conn) {
    if (conn->state == CONN_CLOSING) {
        return;
    }
    conn_enter(conn, CONN_CLOSING, 0);
    conn_count_answer(conn, 0);
    if (conn->job != NULL) {
        conn->context->callbacks->abandoned(conn);
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

static int conn_descriptor(const struct conn *conn) {
    uv_os_fd_t descriptor = -1;
    (void)uv_fileno((const uv_handle_t *)&conn->tcp, &descriptor);
    return descriptor;
}

// Returns the number of bytes that the system of the client has not acknowledged. The queue of libuv alone would not
// do: it stays the same for many seconds while a slow client empties megabytes of the kernel's send buffer.
static size_t conn_unsent(const struct conn *conn) {
    int queued = 0;
    (void)ioctl(conn_descriptor(conn), SIOCOUTQ, &queued);
    return uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp) + (size_t)queued;
}

// True if the client took bytes at RATE_MIN or faster in the last `period_ms`, which is the time since the last call.
static bool conn_is_taken(struct conn *conn, uint64_t period_ms) {
    size_t before = conn->unsent;
    conn->unsent = conn_unsent(conn);
    return before >= conn->unsent + RATE_MIN * period_ms / 1000;
}

// True if the client has closed its socket. A client that has sent its FIN may still read its answer. If it has closed
// the socket, its system answers our bytes with a reset; from a client on this machine the reset is here at once.
static bool conn_was_reset(const struct conn *conn) {
    int error = 0;
    socklen_t size = sizeof error;
    return conn->read_ended && getsockopt(conn_descriptor(conn), SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
           error != 0;
}

static void conn_parse(struct conn *conn, const char *data, size_t length);

static bool conn_is_answering(const struct conn *conn) {
    return conn->state == CONN_WORKING || conn->state == CONN_WRITING;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    struct conn *conn = conn_of(handle);
    *buffer = uv_buf_init(conn->context->read_buffer,
                          sizeof conn->context->read_buffer); // shared: bytes are parsed or copied before the next read
    if (conn_is_answering(conn)) {
        buffer->len -= conn->unparsed.length; // stays above 0: conn_keep() stops reading when `unparsed` is full
    }
}

// True if the bytes are more than the empty lines that some clients send behind a body (RFC 9112 section 2.2).
static bool hold_a_request(const char *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (data[i] != '\r' && data[i] != '\n') {
            return true;
        }
    }
    return false;
}

// Keeps bytes that arrive before the current request is answered. They are discarded if that is the last answer.
static void conn_keep(struct conn *conn, const char *data, size_t length) {
    bool is_last = !conn->keep_alive || (conn->state == CONN_WORKING && !conn->has_more && conn->context->is_stopping);
    if (is_last) {
        return;
    }
    text_append(&conn->unparsed, data, length);
    conn->has_more = conn->has_more || hold_a_request(data, length);
    if (conn->unparsed.length >= HTTP_READ_BUFFER) {
        CHECK(uv_read_stop((uv_stream_t *)&conn->tcp) == 0);
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct conn *conn = conn_of((uv_handle_t *)stream);
    if (length == UV_EOF && conn_is_answering(conn)) {
        conn->read_ended = true; // the client sends no more, but may still read its answer
    } else if (length < 0) {
        conn_close(conn); // the client has closed or reset the connection
    } else if (length > 0 && conn->state == CONN_READING) {
        conn->received += (size_t)length;
        conn_parse(conn, buffer->base, (size_t)length);
    } else if (length > 0 && conn_is_answering(conn)) {
        conn_keep(conn, buffer->base, (size_t)length);
    }
}

void conn_read(struct conn *conn) {
    int status = uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    CHECK(status == 0 || status == UV_EALREADY);
}

// Sends a FIN and waits for the client to close first. If we closed while bytes of the client are unread, the kernel
// would reset the connection, and the client could lose the answer (RFC 9112 section 9.6).
static void conn_linger(struct conn *conn) {
    if (conn->read_ended || shutdown(conn_descriptor(conn), SHUT_WR) != 0) {
        conn_close(conn);
        return;
    }
    conn_enter(conn, CONN_LINGERING, LINGER_DEADLINE_MS);
    conn->unsent = conn_unsent(conn);
    conn_read(conn);
}

// Waits for more bytes. All bytes are parsed, and no request is complete.
static void conn_await(struct conn *conn) {
    if (conn->read_ended) {
        conn_close(conn);
    } else if (conn_is_idle(conn) && conn->context->is_draining) {
        conn_linger(conn);
    } else {
        conn_read(conn);
    }
}

// The kernel has the answer. Continues with the next request, whose bytes may be here already.
static void conn_answered(struct conn *conn) {
    if (!conn->keep_alive) {
        conn_linger(conn);
        return;
    }
    http_parser_next(conn->parser);
    conn_enter(conn, CONN_READING, IDLE_DEADLINE_MS);
    if (conn->parsing) {
        return; // the loop in conn_parse() continues
    }
    struct text unparsed = conn->unparsed;
    conn->unparsed = (struct text){0};
    conn_parse(conn, unparsed.data, unparsed.length);
    text_free(&unparsed);
}

// The kernel has all bytes of the answer. Returns false if the client is known to have left.
static bool conn_written(struct conn *conn) {
    if (conn_was_reset(conn)) {
        conn_close(conn);
        return false;
    }
    conn_count_answer(conn, conn->status);
    conn_answered(conn);
    return true;
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
        (void)conn_written(conn);
    } else {
        conn_close(conn);
    }
}

bool conn_write(struct conn *conn, const char *data, size_t length) {
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data, (unsigned)length); // libuv only reads it
    int written = uv_try_write((uv_stream_t *)&conn->tcp, &buffer, 1);
    if (written == (int)length) {
        return conn_written(conn);
    }
    if (written < 0 && written != UV_EAGAIN) {
        conn_close(conn);
        return false;
    }
    size_t done = written < 0 ? 0 : (size_t)written;
    struct pending_write *pending = memory_allocate_zeroed(sizeof *pending);
    pending->conn = conn;
    text_append(&pending->bytes, data + done, length - done);
    conn_enter(conn, CONN_WRITING, WRITE_DEADLINE_MS);
    buffer = uv_buf_init(pending->bytes.data, (unsigned)pending->bytes.length);
    CHECK(uv_write(&pending->write, (uv_stream_t *)&conn->tcp, &buffer, 1, on_written) == 0);
    conn->unsent = conn_unsent(conn);
    return true;
}

void conn_client_address(const struct conn *conn, char out[static CLIENT_ADDRESS_LENGTH]) {
    struct sockaddr_storage address;
    int size = sizeof address;
    out[0] = '\0';
    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &size) == 0) {
        (void)uv_ip_name((struct sockaddr *)&address, out, CLIENT_ADDRESS_LENGTH);
    }
}

// Answers an error before or instead of a request, and ends the connection.
static void conn_refuse(struct conn *conn, int status, const char *detail) {
    struct text body = {0};
    struct http_response response = problem_response(&body, status, slice_of(detail), NULL);
    conn->method = http_parser_method(conn->parser);
    struct http_response_framing framing = {
        .head_only = conn->method == HTTP_METHOD_HEAD,
        .now_s = conn_context_now_s(conn->context),
    };
    conn->route = NULL;
    conn->started_ns = clock_monotonic_ns();
    conn->is_uncounted = true;
    conn->status = status;
    struct text *out = conn_context_write_buffer(conn->context);
    http_response_write(&response, &framing, out);
    text_free(&body);
    conn->keep_alive = false;
    (void)conn_write(conn, out->data, out->length);
}

static void conn_start_request(struct conn *conn) {
    const struct http_request *request = http_parser_request(conn->parser);
    conn_enter(conn, CONN_WORKING, 0); // this state has no deadline
    conn->keep_alive = request->keep_alive;
    conn->method = request->method;
    conn->started_ns = request->started_ns;
    conn->is_uncounted = true;
    conn->route = NULL;
    conn->context->callbacks->request(conn, request);
}

static void conn_send_continue(struct conn *conn) {
    static char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buffer = uv_buf_init(line, sizeof line - 1);
    // An empty send buffer takes these 25 bytes. A client that does not get them sends its body after a while.
    (void)uv_try_write((uv_stream_t *)&conn->tcp, &buffer, 1);
}

static void conn_parse(struct conn *conn, const char *data, size_t length) {
    conn->parsing = true;
    while (length > 0 && conn->state == CONN_READING) {
        bool was_idle = conn_is_idle(conn);
        bool had_head = http_parser_has_head(conn->parser);
        size_t used = 0;
        switch (http_parser_feed(conn->parser, data, length, &used)) {
        case HTTP_PARSE_MORE:
            if ((was_idle && !conn_is_idle(conn)) || had_head != http_parser_has_head(conn->parser)) {
                conn_enter(conn, CONN_READING, REQUEST_DEADLINE_MS);
            }
            if (http_parser_take_expectation(conn->parser)) {
                conn_send_continue(conn);
            }
            break;
        case HTTP_PARSE_REQUEST:
            conn->has_more = hold_a_request(data + used, length - used);
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
    if (conn_is_answering(conn)) {
        text_append(&conn->unparsed, data, length);
        if (conn->unparsed.length >= HTTP_READ_BUFFER) {
            CHECK(uv_read_stop((uv_stream_t *)&conn->tcp) == 0);
        }
    } else if (conn->state == CONN_READING) {
        conn_await(conn);
    }
}

static void conn_check_deadline(struct conn *conn, uint64_t now_ms) {
    if (now_ms < conn->deadline_ms) {
        return;
    }
    switch (conn->state) {
    case CONN_WORKING:
    case CONN_STREAMING:
    case CONN_CLOSING: return; // these states have no deadline here: jobs and streams have limits of their own
    case CONN_READING:
        if (!http_parser_is_inside_request(conn->parser)) {
            break;
        }
        if (http_parser_has_head(conn->parser) && conn->received >= RATE_MIN * REQUEST_DEADLINE_MS / 1000) {
            conn_enter(conn, CONN_READING, REQUEST_DEADLINE_MS);
        } else {
            conn_refuse(conn, 408,
                        "The request came too slowly: send its head within 10 seconds, and at least 1 KiB of its body "
                        "a second");
        }
        return;
    case CONN_WRITING:
        if (conn_is_taken(conn, WRITE_DEADLINE_MS)) {
            conn_enter(conn, CONN_WRITING, WRITE_DEADLINE_MS);
            return;
        }
        break;
    case CONN_LINGERING:
        if (!conn->context->is_stopping && conn_is_taken(conn, LINGER_DEADLINE_MS)) {
            conn_enter(conn, CONN_LINGERING, LINGER_DEADLINE_MS);
            return;
        }
        break;
    }
    conn_close(conn);
}

void conn_context_sweep(struct conn_context *context) {
    conn_context_learn_time(context);
    uint64_t now_ms = uv_now(context->loop);
    struct conn *next;
    for (struct conn *conn = TAILQ_FIRST(&context->connections); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, link);
        conn_check_deadline(conn, now_ms);
    }
}

void conn_context_close(struct conn_context *context, bool (*which)(const struct conn *conn)) {
    struct conn *next;
    for (struct conn *conn = TAILQ_FIRST(&context->connections); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (which(conn)) {
            conn_close(conn);
        }
    }
}

void conn_accept(struct conn_context *context, uv_stream_t *listener) {
    struct conn *conn = memory_allocate_zeroed(sizeof *conn);
    conn->context = context;
    CHECK(uv_tcp_init(listener->loop, &conn->tcp) == 0);
    conn->parser = http_parser_new();
    TAILQ_INSERT_HEAD(&context->connections, conn, link);
    context->count++;
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) != 0) {
        conn_close(conn);
        return;
    }
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    conn_enter(conn, CONN_READING, IDLE_DEADLINE_MS);
    if (context->count > context->limit) {
        conn_refuse(conn, 503, "All connections are taken: try again in a moment");
        return;
    }
    conn_read(conn);
}
