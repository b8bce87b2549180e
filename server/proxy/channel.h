// One side of a session: a stream, in plain text or under TLS. Loop thread.
//
// The functions are those of libuv with the same meaning, and for plain text they are nothing else. So the relay does
// not know which of the two it reads and writes.
#ifndef SERVER_PROXY_CHANNEL_H
#define SERVER_PROXY_CHANNEL_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <uv.h>

struct tls;

struct channel {
    uv_stream_t *stream; // its `data` is the channel
    struct tls *tls;     // NULL: plain text
    void *user;          // the reader's
    uv_alloc_cb alloc;   // the last that channel_read_start() got, and likewise `read`
    uv_read_cb read;
    bool is_reading;
};

void channel_init(struct channel *channel, uv_stream_t *stream);
void channel_read_start(struct channel *channel, uv_alloc_cb alloc, uv_read_cb read);
void channel_read_stop(struct channel *channel);
// Returns the number of bytes that were taken, or an error. UV_EAGAIN: none can be taken now.
int channel_try_write(struct channel *channel, const uv_buf_t *buffer);
// Writes bytes that channel_try_write() did not take. Only one such write may be unfinished.
void channel_write(struct channel *channel, uv_write_t *write, const uv_buf_t *buffer, uv_write_cb done);
// Sends the end of this direction behind all that was written.
void channel_shutdown(struct channel *channel, uv_shutdown_t *shutdown, uv_shutdown_cb done);
void channel_free(struct channel *channel); // after the close callback of the stream

#endif
