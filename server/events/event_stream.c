// Writes events to the subscribers. Loop thread.
//
// events.c appends an event to the ring between event_stream_evict_slow_subscribers() and
// event_stream_schedule_flush(). The tick timer calls on_tick(), which calls flush(). flush() writes to each subscriber
// with subscriber_write(), and disconnects the slow ones with subscriber_drop(). The sweep of the server calls
// event_stream_sweep().
#include "server/events/event_stream.h"

#include "observability/log/log.h"
#include "server/http/http.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/queue.h>

struct event_subscriber {
    struct event_stream *stream;
    struct conn *conn;
    TAILQ_ENTRY(event_subscriber) link;
    uint64_t position;   // position in the ring up to which the events were written
    uint64_t written_ms; // loop time of the last write
};

TAILQ_HEAD(reader_list, event_subscriber);

struct event_stream {
    uv_loop_t *loop;
    const struct event_ring *ring;
    uv_timer_t tick;
    uint64_t ticked_ms; // loop time of the last flush
    struct reader_list subscribers;
    unsigned count;   // length of the list
    uint64_t left_ms; // loop time at which a subscriber left last; 0 if none has left
    uint64_t slowest; // no subscriber has a position below this
    struct metric *subscribers_now;
    struct metric *subscribers_dropped;
};

static const struct slice dropped_event = SLICE_INITIALIZER("event: dropped\ndata: {\"reason\":\"too slow\"}\n\n");
static const struct slice bye_event = SLICE_INITIALIZER("event: bye\ndata: {\"reason\":\"stopping\"}\n\n");
static const struct slice heartbeat = SLICE_INITIALIZER(": heartbeat\n\n");

struct event_stream *event_stream_new(uv_loop_t *loop, const struct event_ring *ring, struct metrics *metrics) {
    struct event_stream *stream = memory_allocate_zeroed(sizeof *stream);
    stream->loop = loop;
    stream->ring = ring;
    TAILQ_INIT(&stream->subscribers);
    CHECK(uv_timer_init(loop, &stream->tick) == 0);
    stream->subscribers_now = metric_without_labels(metrics_add_family(
        metrics, &(struct metric_definition){
                     .kind = METRIC_GAUGE, .name = "event_readers", .help = "Subscribers of GET /events now."}));
    stream->subscribers_dropped = metric_without_labels(metrics_add_family(
        metrics, &(struct metric_definition){
                     .kind = METRIC_COUNTER,
                     .name = "event_readers_dropped_total",
                     .help = "Subscribers of GET /events that were disconnected because they were too slow."}));
    return stream;
}

void event_stream_leave_loop(struct event_stream *stream) {
    uv_close((uv_handle_t *)&stream->tick, NULL);
}

void event_stream_free(struct event_stream *stream) {
    CHECK(TAILQ_EMPTY(&stream->subscribers));
    free(stream);
}

bool event_stream_has_subscribers(const struct event_stream *stream) {
    return stream->count > 0 || (stream->left_ms > 0 && uv_now(stream->loop) - stream->left_ms < EVENT_ABSENCE_MS);
}

bool event_stream_is_full(const struct event_stream *stream) {
    return stream->count >= EVENT_SUBSCRIBERS_MAX;
}

void event_stream_remove(struct event_subscriber *subscriber) {
    struct event_stream *stream = subscriber->stream;
    TAILQ_REMOVE(&stream->subscribers, subscriber, link);
    metric_set(stream->subscribers_now, --stream->count);
    stream->left_ms = uv_now(stream->loop);
    free(subscriber);
}

// Writes from the ring as much as the socket takes. Returns false if the client has left: the connection is then closed
// and the subscriber freed.
static bool subscriber_write(struct event_subscriber *subscriber) {
    const struct event_ring *ring = subscriber->stream->ring;
    struct slice pieces[2];
    size_t count = event_ring_bytes(ring, subscriber->position, event_ring_end(ring), pieces);
    if (count == 0) {
        return true;
    }
    size_t taken;
    if (!conn_stream_write(subscriber->conn, pieces, count, &taken)) {
        return false;
    }
    subscriber->position += taken;
    subscriber->written_ms = taken > 0 ? uv_now(subscriber->stream->loop) : subscriber->written_ms;
    return true;
}

// Disconnects a slow subscriber. It first receives the rest of the event that it has in part, and an event "dropped".
static void subscriber_drop(struct event_subscriber *subscriber) {
    struct event_stream *stream = subscriber->stream;
    struct conn *conn = subscriber->conn;
    struct text last = {0};
    struct slice pieces[2];
    size_t count = event_ring_bytes(stream->ring, subscriber->position,
                                    event_ring_boundary(stream->ring, subscriber->position), pieces);
    for (size_t i = 0; i < count; i++) {
        text_append_slice(&last, pieces[i]);
    }
    text_append_slice(&last, dropped_event);
    metric_add(stream->subscribers_dropped, 1);
    log_write(LOG_LEVEL_INFO, NULL, "A subscriber of /events was %" PRIu64 " bytes behind and is disconnected",
              event_ring_end(stream->ring) - subscriber->position);
    conn_stream_end(conn, text_slice(&last));
    text_free(&last);
}

// Writes to all subscribers. Disconnects those that are still below the position `least`, or too far behind the end.
static void flush(struct event_stream *stream, uint64_t least) {
    uint64_t end = event_ring_end(stream->ring);
    stream->ticked_ms = uv_now(stream->loop);
    stream->slowest = end;
    struct event_subscriber *next;
    for (struct event_subscriber *subscriber = TAILQ_FIRST(&stream->subscribers); subscriber != NULL;
         subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        if (!subscriber_write(subscriber)) {
            continue;
        }
        if (subscriber->position < least || end - subscriber->position > EVENT_LAG_MAX) {
            subscriber_drop(subscriber);
        } else if (subscriber->position < stream->slowest) {
            stream->slowest = subscriber->position;
        }
    }
}

static void on_tick(uv_timer_t *tick) {
    flush(tick->data, 0);
}

void event_stream_schedule_flush(struct event_stream *stream, bool under_load) {
    if (TAILQ_EMPTY(&stream->subscribers) || uv_is_active((uv_handle_t *)&stream->tick)) {
        return;
    }
    uint64_t due = stream->ticked_ms + (under_load ? EVENT_TICK_LOADED_MS : EVENT_TICK_MS);
    uint64_t now = uv_now(stream->loop);
    stream->tick.data = stream;
    CHECK(uv_timer_start(&stream->tick, on_tick, due > now ? due - now : 0, 0) == 0);
}

void event_stream_evict_slow_subscribers(struct event_stream *stream, uint64_t evict_limit) {
    if (!TAILQ_EMPTY(&stream->subscribers) && stream->slowest < evict_limit) {
        flush(stream, evict_limit);
    }
}

void event_stream_add(struct event_stream *stream, struct conn *conn, struct slice first, uint64_t position) {
    struct event_subscriber *subscriber = memory_allocate_zeroed(sizeof *subscriber);
    *subscriber = (struct event_subscriber){
        .stream = stream,
        .conn = conn,
        .position = position,
        .written_ms = uv_now(stream->loop),
    };
    stream->slowest = stream->count == 0 ? position : MIN(position, stream->slowest);
    TAILQ_INSERT_HEAD(&stream->subscribers, subscriber, link);
    metric_set(stream->subscribers_now, ++stream->count);
    if (conn_stream(conn, subscriber, first)) {
        (void)subscriber_write(subscriber);
    }
}

void event_stream_sweep(struct event_stream *stream) {
    uint64_t now = uv_now(stream->loop);
    struct event_subscriber *next;
    for (struct event_subscriber *subscriber = TAILQ_FIRST(&stream->subscribers); subscriber != NULL;
         subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        size_t taken;
        if (subscriber->position < event_ring_end(stream->ring)) {
            if (!uv_is_active((uv_handle_t *)&stream->tick)) {
                (void)subscriber_write(subscriber);
            }
        } else if (now - subscriber->written_ms >= EVENT_HEARTBEAT_MS &&
                   conn_stream_write(subscriber->conn, &heartbeat, 1, &taken)) {
            subscriber->written_ms = now;
            if (taken < heartbeat.length) {
                // the client was up to date, so its socket should have taken these few bytes
                conn_close(subscriber->conn);
            }
        }
    }
}

void event_stream_end(struct event_stream *stream) {
    struct event_subscriber *next;
    for (struct event_subscriber *subscriber = TAILQ_FIRST(&stream->subscribers); subscriber != NULL;
         subscriber = next) {
        next = TAILQ_NEXT(subscriber, link);
        size_t taken;
        if (subscriber_write(subscriber)) {
            bool has_all = subscriber->position == event_ring_end(stream->ring);
            if (!has_all || conn_stream_write(subscriber->conn, &bye_event, 1, &taken)) {
                conn_close(subscriber->conn);
            }
        }
    }
}
