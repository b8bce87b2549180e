// Reads from one channel and writes to another: on_read() > pass() for new bytes, pump() for kept ones, and
// on_written() > pump() when the receiver has taken them. Only move() changes the state.
#include "server/proxy/flow.h"

#include <stdlib.h>

// All flows of the loop share it: its bytes are written or copied before the next read.
static char shared[FLOW_KEPT_MAX];

// The states that each state may change to.
#define TO(state) (1U << (state))
static const unsigned transitions[] = {
    [FLOW_OFF] = TO(FLOW_OPEN) | TO(FLOW_CLOSED),
    [FLOW_OPEN] = TO(FLOW_LAST) | TO(FLOW_DISCARDING) | TO(FLOW_CLOSED),
    [FLOW_LAST] = TO(FLOW_SHUT) | TO(FLOW_DISCARDING) | TO(FLOW_CLOSED),
    [FLOW_DISCARDING] = TO(FLOW_SHUT) | TO(FLOW_CLOSED),
    [FLOW_SHUT] = TO(FLOW_CLOSED),
    [FLOW_CLOSED] = 0,
};

static void move(struct flow *flow, enum flow_state state) {
    CHECK((transitions[flow->state] & TO(state)) != 0);
    flow->state = state;
}

static bool is_writable(const struct flow *flow) {
    return flow->state == FLOW_OPEN || flow->state == FLOW_LAST;
}

static void keep_memory(struct flow *flow) {
    if (flow->kept == NULL) {
        flow->kept = memory_allocate(FLOW_KEPT_MAX + FLOW_ROOM);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    struct flow *flow = ((struct channel *)handle->data)->user;
    if (flow->state == FLOW_OPEN && (flow->is_held || flow->length > 0)) {
        keep_memory(flow);
        *buffer = uv_buf_init(flow->kept + flow->length, (unsigned)(FLOW_KEPT_MAX - flow->length));
    } else {
        *buffer = uv_buf_init(shared, sizeof shared);
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

// Reads, or stops to read, as the state wants it.
static void adjust(struct flow *flow) {
    bool wants = flow->state == FLOW_DISCARDING ||
                 (flow->state == FLOW_OPEN && flow->writing == 0 && flow->length < FLOW_KEPT_MAX);
    wants = wants && !flow->is_over;
    if (wants && !flow->is_reading) {
        channel_read_start(flow->from, on_alloc, on_read);
    } else if (!wants && flow->is_reading) {
        channel_read_stop(flow->from);
    }
    flow->is_reading = wants;
}

static void on_shut(uv_shutdown_t *request, int status) {
    (void)request;
    (void)status; // the receiver may have closed meanwhile
}

// The sender has closed. Ends the flow if nothing is left to write.
static void end_if_empty(struct flow *flow) {
    if (!flow->is_over || flow->length > 0 || (flow->state != FLOW_LAST && flow->state != FLOW_DISCARDING)) {
        return;
    }
    bool sends_fin = flow->state == FLOW_LAST && flow->to != NULL;
    move(flow, FLOW_SHUT);
    if (sends_fin) {
        channel_shutdown(flow->to, &flow->shutdown, on_shut);
    }
    flow->callbacks->shut(flow);
}

static void forget_kept(struct flow *flow) {
    if (flow->writing == 0) {
        free(flow->kept);
        flow->kept = NULL;
        flow->length = flow->parsed = 0;
    }
}

static void refuse(struct flow *flow, int error) {
    move(flow, FLOW_DISCARDING);
    forget_kept(flow);
    flow->callbacks->refused(flow, error);
}

// Writes what the receiver takes at once. If writing fails, the flow discards from now on.
static size_t write_now(struct flow *flow, char *data, size_t length) {
    if (length == 0) {
        return 0;
    }
    uv_buf_t buffer = uv_buf_init(data, (unsigned)length);
    int written = channel_try_write(flow->to, &buffer);
    if (written < 0 && written != UV_EAGAIN) {
        refuse(flow, written);
    }
    return written < 0 ? 0 : (size_t)written;
}

static void consume(struct flow *flow, size_t length) {
    flow->length -= length;
    flow->parsed -= MIN(flow->parsed, length);
    if (flow->length == 0) {
        forget_kept(flow);
    } else if (length > 0) {
        memmove(flow->kept, flow->kept + length, flow->length);
    }
}

static void on_written(uv_write_t *write, int status);

static void write_later(struct flow *flow, size_t length) {
    if (length > 0) {
        uv_buf_t buffer = uv_buf_init(flow->kept, (unsigned)length);
        flow->writing = length;
        channel_write(flow->to, &flow->write, &buffer, on_written);
    }
}

// Inspects and writes kept bytes.
static void pump(struct flow *flow) {
    if (is_writable(flow) && flow->writing == 0 && !flow->is_held && flow->length > 0) {
        struct flow_chunk chunk = {flow->kept, flow->length, flow->parsed};
        size_t may = flow->callbacks->inspect(flow, &chunk);
        if (!is_writable(flow)) {
            return; // the owner has closed the streams
        }
        flow->length = chunk.length;
        flow->parsed = chunk.parsed;
        size_t done = write_now(flow, flow->kept, may);
        if (is_writable(flow)) {
            consume(flow, done);
            write_later(flow, may - done);
        }
    }
    if (flow->state != FLOW_CLOSED) {
        adjust(flow);
        end_if_empty(flow);
    }
}

static void on_written(uv_write_t *write, int status) {
    struct flow *flow = CONTAINER_OF(write, struct flow, write);
    size_t length = flow->writing;
    flow->writing = 0;
    if (flow->state == FLOW_CLOSED) {
        return;
    }
    if (status != 0 && is_writable(flow)) {
        refuse(flow, status);
    }
    if (flow->state == FLOW_DISCARDING) {
        forget_kept(flow);
    } else if (is_writable(flow)) {
        consume(flow, length);
    }
    pump(flow);
}

// Inspects and writes new bytes that lie in the shared buffer.
static void pass(struct flow *flow, char *data, size_t length) {
    struct flow_chunk chunk = {data, length, 0};
    size_t may = flow->callbacks->inspect(flow, &chunk);
    if (flow->state != FLOW_OPEN) {
        return;
    }
    size_t done = write_now(flow, data, may);
    if (flow->state == FLOW_OPEN && done < chunk.length) {
        keep_memory(flow);
        memcpy(flow->kept, data + done, chunk.length - done);
        flow->length = chunk.length - done;
        flow->parsed = chunk.parsed - MIN(chunk.parsed, done);
        write_later(flow, may - done);
    }
    if (flow->state != FLOW_CLOSED) {
        adjust(flow);
    }
}

static void end(struct flow *flow, int error) {
    flow->is_over = true;
    flow->is_reading = false;
    channel_read_stop(flow->from);
    if (flow->state == FLOW_OPEN) {
        move(flow, FLOW_LAST);
    }
    flow->callbacks->ended(flow, error);
    end_if_empty(flow);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct flow *flow = ((struct channel *)stream->data)->user;
    flow->received += length > 0 ? (uint64_t)length : 0;
    if (length < 0) {
        end(flow, length == UV_EOF ? 0 : (int)length);
    } else if (length == 0 || flow->state != FLOW_OPEN) {
        return;
    } else if (buffer->base == shared) {
        pass(flow, buffer->base, (size_t)length);
    } else {
        flow->length += (size_t)length;
        if (flow->is_held) {
            flow->callbacks->kept(flow);
        }
        pump(flow);
    }
}

void flow_start(struct flow *flow, const struct flow_callbacks *callbacks, struct channel *from, struct channel *to) {
    flow->callbacks = callbacks;
    flow->from = from;
    flow->to = to;
    flow->is_held = to == NULL;
    from->user = flow;
    move(flow, FLOW_OPEN);
    adjust(flow);
}

void flow_release(struct flow *flow) {
    flow->is_held = false;
    pump(flow);
}

void flow_drop(struct flow *flow, size_t length) {
    CHECK(flow->is_held && length <= flow->length);
    consume(flow, length);
}

void flow_append(struct flow *flow, struct slice bytes) {
    if (!is_writable(flow) || bytes.length > FLOW_ROOM) {
        return;
    }
    keep_memory(flow);
    memcpy(flow->kept + flow->length, bytes.data, bytes.length);
    flow->length += bytes.length;
    flow->parsed = flow->length;
    pump(flow);
}

void flow_discard(struct flow *flow) {
    if (flow->state == FLOW_OPEN || flow->state == FLOW_LAST) {
        move(flow, FLOW_DISCARDING);
        forget_kept(flow);
        adjust(flow);
        end_if_empty(flow);
    }
}

void flow_close(struct flow *flow) {
    move(flow, FLOW_CLOSED);
}

void flow_free(struct flow *flow) {
    free(flow->kept);
}
