// Sends traces to an OpenTelemetry collector by OTLP/HTTP JSON, from a thread of its own.
//
// The loop offers a trace and goes on at once: offering takes a short lock and writes no JSON. The exporter's thread
// makes envelopes of what has gathered, compresses and sends them, and tries again when the collector asks for it.
// It sends nothing while a Retry-After of the collector lasts, except at the shutdown: a batch that has no time left
// until then is dropped, and the next batches wait in the queue.
// When more waits than the queue may hold, new traces are dropped, counted and logged: memory is bounded, transfers
// never wait. A trace is never split, so one that is larger than the queue or a batch is taken when it is alone.
#ifndef OBSERVABILITY_OTLP_OTLP_EXPORTER_H
#define OBSERVABILITY_OTLP_OTLP_EXPORTER_H

#include "observability/base/base.h"
#include "observability/otlp/otlp_json.h"
#include "observability/otlp/otlp_post.h"

#include <stdbool.h>
#include <stdint.h>

// A trace that waits to be sent; embedded in what its maker knows of it.
struct trace_item {
    struct trace_item *next;
    unsigned span_count;
    void (*write)(struct trace_item *item, struct otlp_writer *writer); // exporter's thread
    void (*release)(struct trace_item *item);                           // frees it; any thread, once
};

struct otlp_exporter_options {
    const struct otlp_destination *destination;
    struct slice resource;      // of otlp_resource_append(); copied
    unsigned queue_limit;       // spans: OTEL_BSP_MAX_QUEUE_SIZE
    unsigned batch_limit;       // spans, at most the queue's: OTEL_BSP_MAX_EXPORT_BATCH_SIZE
    unsigned schedule_delay_ms; // OTEL_BSP_SCHEDULE_DELAY
    unsigned export_timeout_ms; // for a batch and all its attempts: OTEL_BSP_EXPORT_TIMEOUT
};

struct otlp_counts {
    uint64_t exported; // spans the collector took
    uint64_t dropped;  // spans it never got, or refused
};

struct otlp_exporter;

// Starts the thread. Before other threads start (libcurl's global state).
MUST_CHECK struct otlp_exporter *otlp_exporter_new(const struct otlp_exporter_options *options);
// Takes the item, or drops and releases it. Loop thread.
void otlp_exporter_offer(struct otlp_exporter *exporter, struct trace_item *item);
MUST_CHECK struct otlp_counts otlp_exporter_counts(struct otlp_exporter *exporter); // any thread
// Sends what waits, for at most `timeout_ms`, drops the rest, ends the thread and frees everything.
void otlp_exporter_stop(struct otlp_exporter *exporter, unsigned timeout_ms);

#endif
