// One direction of a relayed connection: reads from one channel and writes to the other. Loop thread.
//
// Bytes are written as they come. Bytes that the receiver does not take at once are kept, at most FLOW_KEPT_MAX, and
// nothing more is read until it has taken them. While the flow is held, nothing is written, and reading goes on until
// the kept bytes reach the limit.
#ifndef SERVER_PROXY_FLOW_H
#define SERVER_PROXY_FLOW_H

#include "observability/base/base.h"
#include "server/proxy/channel.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum {
    FLOW_KEPT_MAX = 16 * 1024, // also the size of a read
    FLOW_ROOM = 512,           // for flow_append() behind the kept bytes
};

enum flow_state {
    FLOW_OFF,        // not started: nothing is read
    FLOW_OPEN,       // reads and writes
    FLOW_LAST,       // the sender has closed; the kept bytes are still to be written
    FLOW_DISCARDING, // the receiver takes nothing any more; what comes is dropped until the sender closes
    FLOW_SHUT,       // the sender has closed, and the receiver has everything and its FIN
    FLOW_CLOSED,     // the owner closes both streams
};

struct flow;

struct flow_chunk {
    char *data;
    size_t length;
    size_t parsed; // the first bytes, which inspect() has seen
};

struct flow_callbacks {
    // Looks at the bytes behind the parsed ones. Returns how many of all bytes may be written; fewer than all only if
    // it has set `is_held`. It may remove bytes.
    size_t (*inspect)(struct flow *flow, struct flow_chunk *chunk);
    void (*kept)(struct flow *flow);               // bytes were kept while the flow is held
    void (*ended)(struct flow *flow, int error);   // the sender has closed (0), or reading failed
    void (*refused)(struct flow *flow, int error); // writing failed; the flow discards from now on
    void (*shut)(struct flow *flow);               // the flow is FLOW_SHUT
};

struct flow {
    const struct flow_callbacks *callbacks;
    struct channel *from; // its `user` is the flow
    struct channel *to;   // NULL: nothing is connected yet, and the flow is held
    enum flow_state state;
    bool is_held;
    bool is_reading;
    bool is_over;      // the sender has closed
    char *kept;        // NULL: no bytes are kept
    size_t length;     // number of kept bytes
    uint64_t received; // bytes that were read
    size_t parsed;     // the first kept bytes, which inspect() has seen
    size_t writing;    // the first kept bytes, which libuv writes
    uv_write_t write;
    uv_shutdown_t shutdown;
};

void flow_start(struct flow *flow, const struct flow_callbacks *callbacks, struct channel *from, struct channel *to);
// Ends the hold: kept bytes are inspected and written.
void flow_release(struct flow *flow);
// Removes the first kept bytes of a held flow.
void flow_drop(struct flow *flow, size_t length);
// Adds bytes of our own behind the kept ones, at most FLOW_ROOM. They are not inspected.
void flow_append(struct flow *flow, struct slice bytes);
// Drops the kept bytes, and all that come.
void flow_discard(struct flow *flow);
// The streams are being closed: no callback is called any more. The memory stays until flow_free().
void flow_close(struct flow *flow);
void flow_free(struct flow *flow); // after the close callbacks of both streams

#endif
