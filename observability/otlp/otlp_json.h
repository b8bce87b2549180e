// Spans as OTLP/HTTP JSON (opentelemetry-proto, trace.proto; ids are hex, 64-bit integers are strings), and what a
// collector answers. Written and read on the exporter's thread.
#ifndef OBSERVABILITY_OTLP_OTLP_JSON_H
#define OBSERVABILITY_OTLP_OTLP_JSON_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#include <stdbool.h>
#include <stdint.h>

enum span_kind { SPAN_KIND_INTERNAL = 1, SPAN_KIND_SERVER = 2, SPAN_KIND_CLIENT = 3 };
enum span_status { SPAN_STATUS_UNSET = 0, SPAN_STATUS_OK = 1, SPAN_STATUS_ERROR = 2 };

struct span {
    const struct trace_context *context; // its trace and its own id
    const uint8_t *parent_span_id;       // SPAN_ID_BYTES, or NULL for a root
    struct slice name;
    enum span_kind kind;
    uint64_t started_unix_ns;
    uint64_t ended_unix_ns;
};

// Where in an envelope the writing stands. Order of calls for a span: begin, attributes, links, end.
struct otlp_writer {
    struct json_writer json;
    struct slice trace_state; // of the spans that follow; empty: they have none
    bool in_links;
};

void otlp_envelope_begin(struct otlp_writer *writer, struct text *out, struct slice resource);
void otlp_envelope_end(struct otlp_writer *writer);

void otlp_span_begin(struct otlp_writer *writer, const struct span *span);
void otlp_attribute_string(struct otlp_writer *writer, const char *key, struct slice value);
void otlp_attribute_integer(struct otlp_writer *writer, const char *key, int64_t value);
void otlp_attribute_decimal(struct otlp_writer *writer, const char *key, const char *decimal); // a number's text
void otlp_attribute_boolean(struct otlp_writer *writer, const char *key, bool value);
void otlp_link(struct otlp_writer *writer, const struct trace_context *to);
void otlp_span_end(struct otlp_writer *writer, enum span_status status);

// How many spans of an accepted envelope the collector rejected after all (partialSuccess); at most 1e9, whatever it
// claims. `reason` gets its words.
MUST_CHECK uint64_t otlp_read_rejected(struct slice answer, struct text *reason);

#endif
