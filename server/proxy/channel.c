// Calls libuv for plain text, and tls.c otherwise.
#include "server/proxy/channel.h"

#include "server/proxy/tls.h"

void channel_init(struct channel *channel, uv_stream_t *stream) {
    *channel = (struct channel){.stream = stream};
    stream->data = channel;
}

void channel_read_start(struct channel *channel, uv_alloc_cb alloc, uv_read_cb read) {
    channel->alloc = alloc;
    channel->read = read;
    channel->is_reading = true;
    if (channel->tls == NULL) {
        CHECK(uv_read_start(channel->stream, alloc, read) == 0);
    } else {
        tls_reading_changed(channel->tls);
    }
}

void channel_read_stop(struct channel *channel) {
    channel->is_reading = false;
    if (channel->tls == NULL) {
        (void)uv_read_stop(channel->stream);
    } else {
        tls_reading_changed(channel->tls);
    }
}

int channel_try_write(struct channel *channel, const uv_buf_t *buffer) {
    return channel->tls == NULL ? uv_try_write(channel->stream, buffer, 1) : tls_try_write(channel->tls, buffer);
}

void channel_write(struct channel *channel, uv_write_t *write, const uv_buf_t *buffer, uv_write_cb done) {
    if (channel->tls == NULL) {
        CHECK(uv_write(write, channel->stream, buffer, 1, done) == 0);
    } else {
        tls_write(channel->tls, write, buffer, done);
    }
}

void channel_shutdown(struct channel *channel, uv_shutdown_t *shutdown, uv_shutdown_cb done) {
    if (channel->tls != NULL) {
        tls_end(channel->tls);
    }
    (void)uv_shutdown(shutdown, channel->stream, done);
}

void channel_free(struct channel *channel) {
    tls_free(channel->tls);
    channel->tls = NULL;
}
