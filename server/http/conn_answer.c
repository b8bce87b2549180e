// Sends the answers of a connection: whole answers, problem answers, and event streams. Loop thread.
//
// Handlers call conn_respond() or conn_respond_problem(). Both end in conn_write() of conn.c, which continues with the
// next request. The event stream calls conn_stream() once, then conn_stream_write(), and conn_stream_end() if the
// subscriber is too slow.
#include "observability/base/base.h"
#include "server/http/conn_internal.h"
#include "server/http/http_limits.h"
#include "server/http/problem.h"

#include <stdarg.h>

bool conn_respond(struct conn *conn, const struct http_response *response) {
    CHECK(conn->state == CONN_WORKING);
    const struct http_request *request = http_parser_request(conn->parser);
    // While the program stops, the last answer has "Connection: close". Requests that were received before the stop are
    // still answered, so the answer before them keeps the connection.
    conn->keep_alive = conn->keep_alive && (conn->has_more || !conn->context->is_stopping);
    struct http_response_framing framing = {
        .head_only = conn->method == HTTP_METHOD_HEAD,
        .keep_alive = conn->keep_alive,
        .http_1_0 = request->minor_version == 0,
        .now_s = conn_context_now_s(conn->context),
    };
    conn->status = response->status;
    struct text *out = conn_context_write_buffer(conn->context);
    http_response_write(response, &framing, out);
    return conn_write(conn, out->data, out->length);
}

void conn_respond_problem(struct conn *conn, int status, const char *format, ...) {
    struct text detail = {0};
    va_list arguments;
    va_start(arguments, format);
    text_append_format_list(&detail, format, arguments);
    va_end(arguments);
    (void)conn_respond_problem_of(conn, status, text_slice(&detail), NULL, 0);
    text_free(&detail);
}

bool conn_respond_problem_of(struct conn *conn, int status, struct slice detail, const struct trace_context *trace,
                             unsigned retry_after_s) {
    struct text body = {0};
    char traceparent[TRACEPARENT_LENGTH];
    if (trace != NULL) {
        trace_context_traceparent(trace, traceparent);
    }
    struct http_response response = problem_response(&body, status, detail, trace);
    response.traceparent = trace == NULL ? NULL : traceparent;
    response.retry_after = retry_after_s > 0 ? retry_after_s : response.retry_after;
    bool taken = conn_respond(conn, &response);
    text_free(&body);
    return taken;
}

bool conn_stream(struct conn *conn, void *subscriber, struct slice first) {
    CHECK(conn->state == CONN_WORKING);
    struct text *out = conn_context_write_buffer(conn->context);
    http_response_write(&(struct http_response){.status = 200, .content_type = "text/event-stream", .streams = true},
                        &(struct http_response_framing){.now_s = conn_context_now_s(conn->context)}, out);
    text_append_slice(out, first);
    http_parser_next(conn->parser);
    conn->subscriber = subscriber;
    conn_enter(conn, CONN_STREAMING, 0);
    int buffer = EVENT_SOCKET_BUFFER;
    (void)uv_send_buffer_size((uv_handle_t *)&conn->tcp, &buffer); // limits the kernel memory of a slow subscriber
    conn_read(conn);                                               // only a read reports that the client has left
    struct slice head = text_slice(out);
    size_t taken;
    if (!conn_stream_write(conn, &head, 1, &taken)) {
        return false;
    }
    if (taken < out->length) {
        conn_close(conn); // an empty send buffer takes more than this, so the client is not reading
        return false;
    }
    conn_count_answer(conn, 200);
    return true;
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
    (void)conn_write(conn, last.data, last.length);
}
