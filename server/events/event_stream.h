// The readers of GET /events. Each is a place in the ring of events and nothing more: what it gets is written to its
// socket straight from the ring, as much as the socket takes. Loop thread.
//
// The first event after a quiet while goes out at once; while they keep coming, each reader is written to once a tick,
// which is short as long as people can follow, and long under load. Who falls too far behind is told, and let go.
#ifndef SERVER_EVENTS_EVENT_STREAM_H
#define SERVER_EVENTS_EVENT_STREAM_H

#include "observability/metrics/metrics.h"
#include "server/events/event_ring.h"

#include <uv.h>

struct conn;
struct event_reader;
struct event_stream;

MUST_CHECK struct event_stream *event_stream_new(uv_loop_t *loop, const struct event_ring *ring,
                                                 struct metrics *metrics);
void event_stream_leave_loop(struct event_stream *stream);
void event_stream_free(struct event_stream *stream); // no reader is left, and the loop has ended

// Somebody listens, or did until a moment ago and may come back for what it missed.
MUST_CHECK bool event_stream_is_heard(const struct event_stream *stream);
MUST_CHECK bool event_stream_is_full(const struct event_stream *stream);
// Makes the connection a reader: it gets the head of an answer, `first`, and every event from the position on.
void event_stream_add(struct event_stream *stream, struct conn *conn, struct slice first, uint64_t position);
// The connection closes, or has something else to say.
void event_stream_remove(struct event_reader *reader);

// Before an event is appended: nobody may be left who has not read what it overwrites.
void event_stream_make_room(struct event_stream *stream, uint64_t threatened);
// Something was appended.
void event_stream_wake(struct event_stream *stream, bool under_load);
// Every now and then: writes to those whose sockets were full, and to those that have heard nothing for long.
void event_stream_sweep(struct event_stream *stream);
// Says goodbye to everybody, and closes their connections.
void event_stream_end(struct event_stream *stream);

#endif
