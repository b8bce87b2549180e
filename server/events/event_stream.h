// The subscribers of GET /events. A subscriber is only a position in the ring of events: the bytes behind it are
// written from the ring to its socket, as much as the socket takes. Loop thread.
//
// The first event after a pause is sent at once. Further events are sent once a tick, which is short while people can
// follow the events, and longer under load. A subscriber that falls too far behind gets an event "dropped" and is
// disconnected.
#ifndef SERVER_EVENTS_EVENT_STREAM_H
#define SERVER_EVENTS_EVENT_STREAM_H

#include "observability/metrics/metrics.h"
#include "server/events/event_ring.h"

#include <uv.h>

struct conn;
struct event_subscriber;
struct event_stream;

MUST_CHECK struct event_stream *event_stream_new(uv_loop_t *loop, const struct event_ring *ring,
                                                 struct metrics *metrics);
void event_stream_leave_loop(struct event_stream *stream);
void event_stream_free(struct event_stream *stream); // no subscriber may be left, and the loop must have ended

// True while there is a subscriber, and for EVENT_ABSENCE_MS after the last one left, because it may come back and
// resume.
MUST_CHECK bool event_stream_has_subscribers(const struct event_stream *stream);
// True if there are EVENT_SUBSCRIBERS_MAX subscribers.
MUST_CHECK bool event_stream_is_full(const struct event_stream *stream);
// Makes the connection a subscriber. It receives the head of an answer, `first`, and every event from `position` on.
void event_stream_add(struct event_stream *stream, struct conn *conn, struct slice first, uint64_t position);
// Frees the subscriber. Its connection calls this when it closes or ends the stream.
void event_stream_remove(struct event_subscriber *subscriber);

// Called before an event is appended that overwrites the ring below the position `evict_limit`. Writes to all
// subscribers if one is below it, and disconnects those that stay below it.
void event_stream_evict_slow_subscribers(struct event_stream *stream, uint64_t evict_limit);
// Called after an event was appended. Schedules the next write to the subscribers.
void event_stream_schedule_flush(struct event_stream *stream, bool under_load);
// Called every SWEEP_INTERVAL_MS. Writes to the subscribers whose sockets were full, and sends heartbeats.
void event_stream_sweep(struct event_stream *stream);
// Sends an event "bye" to the subscribers that are up to date, and closes all of their connections.
void event_stream_end(struct event_stream *stream);

#endif
