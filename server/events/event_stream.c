// Writes events to their readers. Loop thread.
#include "server/events/event_stream.h"

#include "observability/log/log.h"
#include "server/http/http.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/queue.h>

struct event_reader {
    struct event_stream *stream;
    struct conn *conn;
    TAILQ_ENTRY(event_reader) link;
    uint64_t position;   // in the ring: what lies below has been written
    uint64_t written_ms; // loop time of the last write
};

TAILQ_HEAD(reader_list, event_reader);

struct event_stream {
    uv_loop_t *loop;
    const struct event_ring *ring;
    uv_timer_t tick;
    uint64_t ticked_ms;
    struct reader_list readers;
    unsigned count;
    uint64_t left_ms; // loop time at which the last reader left; 0: nobody has
    uint64_t slowest; // nobody's position is below
    struct metric *readers_now;
    struct metric *readers_dropped;
};

static const struct slice dropped_event = SLICE_INITIALIZER("event: dropped\ndata: {\"reason\":\"too slow\"}\n\n");
static const struct slice bye_event = SLICE_INITIALIZER("event: bye\ndata: {\"reason\":\"stopping\"}\n\n");
static const struct slice heartbeat = SLICE_INITIALIZER(": heartbeat\n\n");

struct event_stream *event_stream_new(uv_loop_t *loop, const struct event_ring *ring, struct metrics *metrics) {
    struct event_stream *stream = memory_allocate_zeroed(sizeof *stream);
    stream->loop = loop;
    stream->ring = ring;
    TAILQ_INIT(&stream->readers);
    CHECK(uv_timer_init(loop, &stream->tick) == 0);
    stream->readers_now = metric_without_labels(metrics_add_family(
        metrics, &(struct metric_definition){
                     .kind = METRIC_GAUGE, .name = "event_readers", .help = "Readers of GET /events now."}));
    stream->readers_dropped = metric_without_labels(metrics_add_family(
        metrics, &(struct metric_definition){.kind = METRIC_COUNTER,
                                             .name = "event_readers_dropped_total",
                                             .help = "Readers of GET /events that were too slow, and let go."}));
    return stream;
}

void event_stream_leave_loop(struct event_stream *stream) {
    uv_close((uv_handle_t *)&stream->tick, NULL);
}

void event_stream_free(struct event_stream *stream) {
    CHECK(TAILQ_EMPTY(&stream->readers));
    free(stream);
}

bool event_stream_is_heard(const struct event_stream *stream) {
    return stream->count > 0 || (stream->left_ms > 0 && uv_now(stream->loop) - stream->left_ms < EVENT_ABSENCE_MS);
}

bool event_stream_is_full(const struct event_stream *stream) {
    return stream->count >= EVENT_READERS_MAX;
}

void event_stream_remove(struct event_reader *reader) {
    struct event_stream *stream = reader->stream;
    TAILQ_REMOVE(&stream->readers, reader, link);
    metric_set(stream->readers_now, --stream->count);
    stream->left_ms = uv_now(stream->loop);
    free(reader);
}

// From the ring into the socket, as much as it takes. A client that is gone is closed, and the reader with it: false.
static bool reader_write(struct event_reader *reader) {
    const struct event_ring *ring = reader->stream->ring;
    struct slice pieces[2];
    size_t count = event_ring_bytes(ring, reader->position, event_ring_end(ring), pieces);
    if (count == 0) {
        return true;
    }
    size_t taken;
    if (!conn_stream_write(reader->conn, pieces, count, &taken)) {
        return false;
    }
    reader->position += taken;
    reader->written_ms = taken > 0 ? uv_now(reader->stream->loop) : reader->written_ms;
    return true;
}

// It gets the rest of the event it is in, and is told.
static void reader_drop(struct event_reader *reader) {
    struct event_stream *stream = reader->stream;
    struct conn *conn = reader->conn;
    struct text last = {0};
    struct slice pieces[2];
    size_t count = event_ring_bytes(stream->ring, reader->position, event_ring_boundary(stream->ring, reader->position),
                                    pieces);
    for (size_t i = 0; i < count; i++) {
        text_append_slice(&last, pieces[i]);
    }
    text_append_slice(&last, dropped_event);
    metric_add(stream->readers_dropped, 1);
    log_write(LOG_LEVEL_INFO, NULL, "A reader of /events was %" PRIu64 " bytes behind, and is let go",
              event_ring_end(stream->ring) - reader->position);
    conn_stream_end(conn, text_slice(&last));
    text_free(&last);
}

// Writes to everybody; whoever is still below `least` is let go.
static void flush(struct event_stream *stream, uint64_t least) {
    uint64_t end = event_ring_end(stream->ring);
    stream->ticked_ms = uv_now(stream->loop);
    stream->slowest = end;
    struct event_reader *next;
    for (struct event_reader *reader = TAILQ_FIRST(&stream->readers); reader != NULL; reader = next) {
        next = TAILQ_NEXT(reader, link);
        if (!reader_write(reader)) {
            continue;
        }
        if (reader->position < least || end - reader->position > EVENT_LAG_MAX) {
            reader_drop(reader);
        } else if (reader->position < stream->slowest) {
            stream->slowest = reader->position;
        }
    }
}

static void on_tick(uv_timer_t *tick) {
    flush(tick->data, 0);
}

void event_stream_wake(struct event_stream *stream, bool under_load) {
    if (TAILQ_EMPTY(&stream->readers) || uv_is_active((uv_handle_t *)&stream->tick)) {
        return;
    }
    uint64_t due = stream->ticked_ms + (under_load ? EVENT_TICK_LOADED_MS : EVENT_TICK_MS);
    uint64_t now = uv_now(stream->loop);
    stream->tick.data = stream;
    CHECK(uv_timer_start(&stream->tick, on_tick, due > now ? due - now : 0, 0) == 0);
}

void event_stream_make_room(struct event_stream *stream, uint64_t threatened) {
    if (!TAILQ_EMPTY(&stream->readers) && stream->slowest < threatened) {
        flush(stream, threatened);
    }
}

void event_stream_add(struct event_stream *stream, struct conn *conn, struct slice first, uint64_t position) {
    struct event_reader *reader = memory_allocate_zeroed(sizeof *reader);
    *reader = (struct event_reader){
        .stream = stream,
        .conn = conn,
        .position = position,
        .written_ms = uv_now(stream->loop),
    };
    stream->slowest = stream->count == 0 ? position : MIN(position, stream->slowest);
    TAILQ_INSERT_HEAD(&stream->readers, reader, link);
    metric_set(stream->readers_now, ++stream->count);
    if (conn_stream(conn, reader, first)) {
        (void)reader_write(reader);
    }
}

void event_stream_sweep(struct event_stream *stream) {
    uint64_t now = uv_now(stream->loop);
    struct event_reader *next;
    for (struct event_reader *reader = TAILQ_FIRST(&stream->readers); reader != NULL; reader = next) {
        next = TAILQ_NEXT(reader, link);
        size_t taken;
        if (reader->position < event_ring_end(stream->ring)) {
            if (!uv_is_active((uv_handle_t *)&stream->tick)) {
                (void)reader_write(reader);
            }
        } else if (now - reader->written_ms >= EVENT_HEARTBEAT_MS &&
                   conn_stream_write(reader->conn, &heartbeat, 1, &taken)) {
            reader->written_ms = now;
            if (taken < heartbeat.length) {
                conn_close(reader->conn); // nothing was under way, and it takes not even this
            }
        }
    }
}

void event_stream_end(struct event_stream *stream) {
    struct event_reader *next;
    for (struct event_reader *reader = TAILQ_FIRST(&stream->readers); reader != NULL; reader = next) {
        next = TAILQ_NEXT(reader, link);
        size_t taken;
        if (reader_write(reader)) {
            bool heard_all = reader->position == event_ring_end(stream->ring);
            if (!heard_all || conn_stream_write(reader->conn, &bye_event, 1, &taken)) {
                conn_close(reader->conn);
            }
        }
    }
}
