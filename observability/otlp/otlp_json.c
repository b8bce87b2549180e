// Writes spans as OTLP JSON, and reads partialSuccess with jansson. Exporter's thread.
#include "observability/otlp/otlp_json.h"

#include <jansson.h>
#include <string.h>

#define COUNT_MAX 1000000000 // more spans than any envelope has

static void append_hex(struct text *out, const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 0xF]};
        text_append(out, pair, sizeof pair);
    }
}

static void append_key(struct text *out, const char *key) {
    text_append_string(out, "{\"key\":");
    text_append_json_string(out, slice_of(key));
    text_append_string(out, ",\"value\":{\"");
}

void otlp_envelope_begin(struct otlp_writer *writer, struct text *out, struct slice resource) {
    *writer = (struct otlp_writer){.out = out};
    text_append_string(out, "{\"resourceSpans\":[{\"resource\":");
    text_append_slice(out, resource);
    text_append_string(out, ",\"scopeSpans\":[{\"scope\":{\"name\":\"bank-api\"},\"spans\":[");
}

void otlp_envelope_end(struct otlp_writer *writer) {
    text_append_string(writer->out, "]}]}]}");
}

void otlp_span_begin(struct otlp_writer *writer, const struct span *span) {
    struct text *out = writer->out;
    text_append_string(out, writer->follows_span ? ",{\"traceId\":\"" : "{\"traceId\":\"");
    append_hex(out, span->context->trace_id, TRACE_ID_BYTES);
    text_append_string(out, "\",\"spanId\":\"");
    append_hex(out, span->context->span_id, SPAN_ID_BYTES);
    if (span->parent_span_id != NULL) {
        text_append_string(out, "\",\"parentSpanId\":\"");
        append_hex(out, span->parent_span_id, SPAN_ID_BYTES);
    }
    if (writer->trace_state.length > 0) {
        text_append_string(out, "\",\"traceState\":");
        text_append_json_string(out, writer->trace_state);
        text_append_string(out, ",\"name\":");
    } else {
        text_append_string(out, "\",\"name\":");
    }
    text_append_json_string(out, span->name);
    text_append_string(out, ",\"kind\":");
    text_append_unsigned(out, span->kind);
    text_append_string(out, ",\"startTimeUnixNano\":\"");
    text_append_unsigned(out, span->started_unix_ns);
    text_append_string(out, "\",\"endTimeUnixNano\":\"");
    text_append_unsigned(out, span->ended_unix_ns);
    text_append_string(out, "\",\"attributes\":[");
    writer->follows_span = true;
    writer->follows_item = false;
    writer->in_links = false;
}

static void attribute_begin(struct otlp_writer *writer, const char *key, const char *type) {
    CHECK(!writer->in_links);
    text_append_string(writer->out, writer->follows_item ? "," : "");
    writer->follows_item = true;
    append_key(writer->out, key);
    text_append_string(writer->out, type);
    text_append_string(writer->out, "\":");
}

void otlp_attribute_string(struct otlp_writer *writer, const char *key, struct slice value) {
    attribute_begin(writer, key, "stringValue");
    text_append_json_string(writer->out, value);
    text_append_string(writer->out, "}}");
}

void otlp_attribute_integer(struct otlp_writer *writer, const char *key, int64_t value) {
    attribute_begin(writer, key, "intValue");
    text_append_string(writer->out, "\"");
    text_append_signed(writer->out, value);
    text_append_string(writer->out, "\"}}");
}

void otlp_attribute_decimal(struct otlp_writer *writer, const char *key, const char *decimal) {
    attribute_begin(writer, key, "doubleValue");
    text_append_string(writer->out, decimal);
    text_append_string(writer->out, "}}");
}

void otlp_attribute_boolean(struct otlp_writer *writer, const char *key, bool value) {
    attribute_begin(writer, key, "boolValue");
    text_append_string(writer->out, value ? "true}}" : "false}}");
}

void otlp_link(struct otlp_writer *writer, const struct trace_context *to) {
    if (!writer->in_links) {
        text_append_string(writer->out, "],\"links\":[");
        writer->in_links = true;
        writer->follows_item = false;
    }
    text_append_string(writer->out, writer->follows_item ? ",{\"traceId\":\"" : "{\"traceId\":\"");
    writer->follows_item = true;
    append_hex(writer->out, to->trace_id, TRACE_ID_BYTES);
    text_append_string(writer->out, "\",\"spanId\":\"");
    append_hex(writer->out, to->span_id, SPAN_ID_BYTES);
    text_append_string(writer->out, "\"}");
}

void otlp_span_end(struct otlp_writer *writer, enum span_status status) {
    text_append_string(writer->out, "],\"status\":{");
    if (status != SPAN_STATUS_UNSET) {
        text_append_string(writer->out, "\"code\":");
        text_append_unsigned(writer->out, status);
    }
    text_append_string(writer->out, "}}");
}

// The protocol has an int64 as a decimal string; some collectors send a number. Negative or no number: 0.
static uint64_t read_count(const json_t *value) {
    if (json_is_number(value)) {
        double number = json_number_value(value);
        return number >= COUNT_MAX ? COUNT_MAX : number > 0 ? (uint64_t)number : 0;
    }
    uint64_t count = 0;
    size_t length = json_string_length(value);
    for (size_t i = 0; i < length; i++) {
        char digit = json_string_value(value)[i];
        if (digit < '0' || digit > '9') {
            return 0;
        }
        count = count >= COUNT_MAX ? COUNT_MAX : count * 10 + (uint64_t)(digit - '0');
    }
    return count;
}

uint64_t otlp_read_rejected(struct slice answer, struct text *reason) {
    json_t *root = json_loadb(answer.data == NULL ? "" : answer.data, answer.length,
                              JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    json_t *partial = json_object_get(root, "partialSuccess");
    json_t *message = json_object_get(partial, "errorMessage");
    uint64_t count = read_count(json_object_get(partial, "rejectedSpans"));
    if (json_is_string(message)) {
        text_append(reason, json_string_value(message), json_string_length(message));
    }
    json_decref(root);
    return count;
}
