// What all connections of a server share: their list, their buffers, the time. Loop thread.
#include "server/http/conn_internal.h"

#include "observability/base/base.h"

#define WRITE_BUFFER_KEPT (64 * 1024) // an answer larger than this gives its memory back

void conn_context_learn_time(struct conn_context *context) {
    context->realtime_offset_ms = clock_realtime_us() / 1000 - (int64_t)uv_now(context->loop);
}

void conn_context_init(struct conn_context *context, uv_loop_t *loop, const struct conn_callbacks *callbacks,
                       void *user_data, unsigned limit) {
    context->loop = loop;
    context->callbacks = callbacks;
    context->user_data = user_data;
    context->limit = limit;
    TAILQ_INIT(&context->connections);
    uv_update_time(loop);
    conn_context_learn_time(context);
}

void conn_context_free(struct conn_context *context) {
    CHECK(TAILQ_EMPTY(&context->connections) && context->count == 0);
    text_free(&context->write_buffer);
}

struct text *conn_context_write_buffer(struct conn_context *context) {
    if (context->write_buffer.capacity > WRITE_BUFFER_KEPT) {
        text_free(&context->write_buffer);
    } else {
        text_clear(&context->write_buffer);
    }
    return &context->write_buffer;
}

int64_t conn_context_now_s(const struct conn_context *context) {
    return ((int64_t)uv_now(context->loop) + context->realtime_offset_ms) / 1000;
}
