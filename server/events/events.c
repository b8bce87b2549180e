// Makes events of what happens, and decides which transfers are published. Loop thread.
#include "server/events/events.h"

#include "server/events/event_ring.h"
#include "server/events/event_stream.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/transfer/transfer.h"

#include <stdlib.h>

// Token bucket in thousandths: one transfer costs 1000; each millisecond adds SAMPLED_A_SECOND.
#define TOKEN 1000

struct events {
    uv_loop_t *loop;
    struct event_ring *ring;
    struct event_stream *stream;
    struct event_queue *event_queue;
    const char *trace_url;
    uint64_t tokens;
    uint64_t tokens_ms; // loop time at which they were counted
    uint64_t skipped_transfers;
    uint64_t skipped_races;
    uint64_t skipped_ms; // loop time of the last that was skipped
    struct text data;    // the event that is being written
};

static void on_queued_events(void *owner);

struct events *events_new(uv_loop_t *loop, struct metrics *metrics, const char *trace_url) {
    struct events *events = memory_allocate_zeroed(sizeof *events);
    events->loop = loop;
    events->ring = event_ring_new();
    events->stream = event_stream_new(loop, events->ring, metrics);
    events->event_queue = event_queue_new(loop, on_queued_events, events);
    events->trace_url = trace_url;
    events->tokens = (uint64_t)SAMPLED_AT_ONCE * TOKEN;
    return events;
}

void events_leave_loop(struct events *events) {
    event_stream_leave_loop(events->stream);
    event_queue_leave_loop(events->event_queue);
}

void events_free(struct events *events) {
    event_queue_free(events->event_queue);
    event_stream_free(events->stream);
    event_ring_free(events->ring);
    text_free(&events->data);
    free(events);
}

static struct text *begin(struct events *events) {
    text_clear(&events->data);
    return &events->data;
}

static void publish(struct events *events, const char *name) {
    struct slice data = text_slice(&events->data);
    bool under_load = events->skipped_ms != 0 && uv_now(events->loop) - events->skipped_ms < EVENT_LOAD_MEMORY_MS;
    event_stream_evict_slow_subscribers(events->stream, event_ring_evict_limit(events->ring, data));
    event_ring_append(events->ring, name, data);
    event_stream_schedule_flush(events->stream, under_load);
}

// --- Events that the workers published ---

static void publish_queued(struct events *events, const struct queued_event *event) {
    struct text *out = begin(events);
    switch (event->kind) {
    case QUEUED_STEP:
        json_write_step_event(out, event);
        publish(events, "step");
        return;
    case QUEUED_BARRIER_ARRIVAL:
        json_write_barrier_arrival(out, event);
        publish(events, "barrier_arrival");
        return;
    case QUEUED_BARRIER_RELEASE:
        json_write_barrier_release(out, event);
        publish(events, "barrier_release");
        return;
    }
    CHECK(false);
}

// In the order in which it was published, and before anything that came later.
static void drain(struct events *events) {
    struct queued_event_list list = STAILQ_HEAD_INITIALIZER(list);
    struct queued_event *event;
    event_queue_take(events->event_queue, &list);
    while ((event = STAILQ_FIRST(&list)) != NULL) {
        STAILQ_REMOVE_HEAD(&list, link);
        publish_queued(events, event);
        free(event);
    }
}

static void on_queued_events(void *owner) {
    drain(owner);
}

// --- Transfers ---

static bool take_token(struct events *events) {
    uint64_t now = uv_now(events->loop);
    uint64_t most = (uint64_t)SAMPLED_AT_ONCE * TOKEN;
    events->tokens += (now - events->tokens_ms) * SAMPLED_A_SECOND;
    events->tokens = events->tokens < most ? events->tokens : most;
    events->tokens_ms = now;
    if (events->tokens < TOKEN) {
        return false;
    }
    events->tokens -= TOKEN;
    return true;
}

void events_admit(struct events *events, struct transfer_job *transfer) {
    transfer->events = events;
    if (event_stream_has_subscribers(events->stream) && take_token(events)) {
        transfer->request.event_queue = events->event_queue;
        drain(events);
        json_write_admitted(begin(events), &transfer->request);
        publish(events, "admitted");
    }
}

void events_transfer_ended(struct transfer_job *transfer, int status, struct slice detail) {
    struct events *events = transfer->events;
    if (transfer->request.event_queue == NULL) {
        events->skipped_transfers++;
        events->skipped_races += transfer->result.race_detected;
        events->skipped_ms = uv_now(events->loop);
        return;
    }
    transfer_publish_steps(&transfer->request, &transfer->result); // the steps that a batch recorded at its end
    drain(events);
    json_write_transfer_event(begin(events), transfer, status, detail, events->trace_url);
    publish(events, "transfer");
}

static void publish_skipped(struct events *events) {
    if (events->skipped_transfers > 0 && event_stream_has_subscribers(events->stream)) {
        struct json_writer json = {.out = begin(events)};
        json_open_object(&json, NULL);
        json_add_unsigned(&json, "transfers", events->skipped_transfers);
        json_add_unsigned(&json, "races", events->skipped_races);
        json_add_replica(&json, replica_name());
        json_close_object(&json);
        events->skipped_transfers = events->skipped_races = 0;
        publish(events, "skipped");
    }
}

// --- Everything else ---

void events_settings_changed(struct events *events, const struct settings *settings) {
    drain(events);
    struct json_writer json = {.out = begin(events)};
    json_add_settings(&json, NULL, settings);
    publish(events, "settings");
}

void events_reset(struct events *events, const struct account_list *accounts) {
    struct account_list first = *accounts;
    first.count = first.count < ACCOUNT_GAUGES_MAX ? first.count : ACCOUNT_GAUGES_MAX;
    drain(events);
    struct json_writer json = {.out = begin(events)};
    json_open_object(&json, NULL);
    json_add_accounts(&json, "accounts", &first);
    json_add_replica(&json, replica_name());
    json_close_object(&json);
    publish(events, "reset");
}

void events_sweep(struct events *events) {
    publish_skipped(events);
    event_stream_sweep(events->stream);
}

void events_end(struct events *events) {
    drain(events);
    publish_skipped(events);
    event_stream_end(events->stream);
}

// --- Subscribers ---

bool events_are_full(const struct events *events) {
    return event_stream_is_full(events->stream);
}

// The first event of a stream. `id` is the position from which the stream continues: a subscriber that reads nothing
// else can resume from there.
static void write_hello(struct text *out, const struct events *events, struct slice id, bool resumed,
                        const struct settings *settings) {
    text_append_string(out, "retry: 1000\n\nid: ");
    text_append_slice(out, id);
    text_append_string(out, "\nevent: hello\ndata: ");
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "boot", event_ring_boot(events->ring));
    json_add_boolean(&json, "resumed", resumed);
    json_add_signed(&json, "heartbeat_ms", EVENT_HEARTBEAT_MS);
    json_add_settings(&json, "settings", settings);
    json_add_string(&json, "version", LAB_VERSION);
    json_add_replica(&json, replica_name());
    json_close_object(&json);
    text_append_string(out, "\n\n");
}

// The subscriber has missed events that the ring no longer has.
static void write_gap(struct text *out, enum event_resume resume) {
    text_append_string(out, "event: gap\ndata: ");
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "reason", resume == EVENT_TOO_OLD ? "too_old" : "restarted");
    json_add_replica(&json, replica_name());
    json_close_object(&json);
    text_append_string(out, "\n\n");
}

void events_subscribe(struct events *events, struct conn *conn, struct slice last_id, const struct settings *settings) {
    struct text first = {0};
    char newest[EVENT_ID_LENGTH];
    drain(events);
    event_ring_newest_id(events->ring, newest);
    uint64_t position = event_ring_end(events->ring);
    enum event_resume resume = EVENT_TOO_OLD;
    if (last_id.length > 0) {
        resume = event_ring_find(events->ring, last_id, &position);
    }
    bool resumes = resume == EVENT_RESUMES;
    if (!resumes && !event_stream_has_subscribers(events->stream)) {
        // while nobody listened: a subscriber that comes back learns of them
        events->skipped_transfers = events->skipped_races = 0;
    }
    write_hello(&first, events, resumes ? last_id : slice_of(newest), resumes, settings);
    if (last_id.length > 0 && !resumes) {
        write_gap(&first, resume);
    }
    event_stream_add(events->stream, conn, text_slice(&first), position);
    text_free(&first);
}
