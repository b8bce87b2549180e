// Sends traces to an OpenTelemetry collector as OTLP/HTTP JSON, in a thread of its own.
//
// The loop thread offers a trace and does not wait: an offer takes a short lock and writes no JSON. The exporter thread
// writes the queued traces into envelopes, compresses and sends them, and repeats a request if the failure may pass.
// It sends nothing while a Retry-After of the collector lasts, except at shutdown. A batch that runs out of time during
// that pause is dropped, and the next batches wait in the queue.
// If the queue is full, new traces are dropped, counted and logged, so memory is bounded and transfers never wait. A
// trace is never split: one that is larger than the queue is accepted if the queue is empty, and one that is larger
// than a batch is sent alone.
#ifndef OBSERVABILITY_OTLP_OTLP_EXPORTER_H
#define OBSERVABILITY_OTLP_OTLP_EXPORTER_H

#include "observability/base/base.h"
#include "observability/otlp/otlp_json.h"
#include "observability/otlp/otlp_post.h"

#include <stdbool.h>
#include <stdint.h>

// A trace in the queue of the exporter. It is embedded in the struct that holds the data of the trace.
struct trace_item {
    struct trace_item *next;
    unsigned span_count;
    void (*write)(struct trace_item *item, struct otlp_writer *writer); // exporter thread: writes its spans
    void (*release)(struct trace_item *item);                           // any thread: frees the item; called once
};

struct otlp_exporter_options {
    const struct otlp_destination *destination;
    struct slice resource;      // JSON from otlp_resource_append(); copied
    unsigned queue_limit;       // in spans: OTEL_BSP_MAX_QUEUE_SIZE
    unsigned batch_limit;       // in spans, at most queue_limit: OTEL_BSP_MAX_EXPORT_BATCH_SIZE
    unsigned schedule_delay_ms; // OTEL_BSP_SCHEDULE_DELAY
    unsigned export_timeout_ms; // for all attempts of a batch together: OTEL_BSP_EXPORT_TIMEOUT
};

struct otlp_counts {
    uint64_t exported; // spans that the collector accepted
    uint64_t dropped;  // spans that were not delivered, or that the collector rejected
};

struct otlp_exporter;

// Starts the exporter thread. Main thread, before other threads start: libcurl initializes global state here.
MUST_CHECK struct otlp_exporter *otlp_exporter_new(const struct otlp_exporter_options *options);
// Loop thread. Takes ownership of the item: queues it, or releases it if the queue is full.
void otlp_exporter_offer(struct otlp_exporter *exporter, struct trace_item *item);
MUST_CHECK struct otlp_counts otlp_exporter_counts(struct otlp_exporter *exporter); // any thread
// Sends the queued traces for at most `timeout_ms`, drops the rest, ends the thread and frees the exporter.
void otlp_exporter_stop(struct otlp_exporter *exporter, unsigned timeout_ms);

#endif
