// Writes spans as OTLP JSON, and reads partialSuccess with jansson. Exporter's thread.
#include "observability/otlp/otlp_json.h"

#include <jansson.h>
#include <string.h>

#define COUNT_MAX 1000000000 // more spans than any envelope has

static void add_hex(struct json_writer *json, const char *name, const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    struct text *out = json_add(json, name);
    text_append(out, "\"", 1);
    for (size_t i = 0; i < count; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 0xF]};
        text_append(out, pair, sizeof pair);
    }
    text_append(out, "\"", 1);
}

static void add_ids(struct json_writer *json, const struct trace_context *context) {
    add_hex(json, "traceId", context->trace_id, TRACE_ID_BYTES);
    add_hex(json, "spanId", context->span_id, SPAN_ID_BYTES);
}

// The protocol's 64-bit integers are decimal strings.
static void add_moment(struct json_writer *json, const char *name, uint64_t unix_ns) {
    struct text *out = json_add(json, name);
    text_append(out, "\"", 1);
    text_append_unsigned(out, unix_ns);
    text_append(out, "\"", 1);
}

void otlp_envelope_begin(struct otlp_writer *writer, struct text *out, struct slice resource) {
    *writer = (struct otlp_writer){.json = {.out = out}};
    struct json_writer *json = &writer->json;
    json_open_object(json, NULL);
    json_open_array(json, "resourceSpans");
    json_open_object(json, NULL);
    text_append_slice(json_add(json, "resource"), resource);
    json_open_array(json, "scopeSpans");
    json_open_object(json, NULL);
    json_open_object(json, "scope");
    json_add_string(json, "name", "bank-api");
    json_close_object(json);
    json_open_array(json, "spans");
}

void otlp_envelope_end(struct otlp_writer *writer) {
    struct json_writer *json = &writer->json;
    json_close_array(json);
    json_close_object(json);
    json_close_array(json);
    json_close_object(json);
    json_close_array(json);
    json_close_object(json);
}

void otlp_span_begin(struct otlp_writer *writer, const struct span *span) {
    struct json_writer *json = &writer->json;
    json_open_object(json, NULL);
    add_ids(json, span->context);
    if (span->parent_span_id != NULL) {
        add_hex(json, "parentSpanId", span->parent_span_id, SPAN_ID_BYTES);
    }
    if (writer->trace_state.length > 0) {
        json_add_slice(json, "traceState", writer->trace_state);
    }
    json_add_slice(json, "name", span->name);
    json_add_unsigned(json, "kind", span->kind);
    add_moment(json, "startTimeUnixNano", span->started_unix_ns);
    add_moment(json, "endTimeUnixNano", span->ended_unix_ns);
    json_open_array(json, "attributes");
    writer->in_links = false;
}

static struct json_writer *attribute_begin(struct otlp_writer *writer, const char *key) {
    CHECK(!writer->in_links);
    json_open_object(&writer->json, NULL);
    json_add_string(&writer->json, "key", key);
    json_open_object(&writer->json, "value");
    return &writer->json;
}

static void attribute_end(struct otlp_writer *writer) {
    json_close_object(&writer->json);
    json_close_object(&writer->json);
}

void otlp_attribute_string(struct otlp_writer *writer, const char *key, struct slice value) {
    json_add_slice(attribute_begin(writer, key), "stringValue", value);
    attribute_end(writer);
}

void otlp_attribute_integer(struct otlp_writer *writer, const char *key, int64_t value) {
    struct text *out = json_add(attribute_begin(writer, key), "intValue");
    text_append(out, "\"", 1);
    text_append_signed(out, value);
    text_append(out, "\"", 1);
    attribute_end(writer);
}

void otlp_attribute_decimal(struct otlp_writer *writer, const char *key, const char *decimal) {
    text_append_string(json_add(attribute_begin(writer, key), "doubleValue"), decimal);
    attribute_end(writer);
}

void otlp_attribute_boolean(struct otlp_writer *writer, const char *key, bool value) {
    json_add_boolean(attribute_begin(writer, key), "boolValue", value);
    attribute_end(writer);
}

void otlp_link(struct otlp_writer *writer, const struct trace_context *to) {
    struct json_writer *json = &writer->json;
    if (!writer->in_links) {
        json_close_array(json);
        json_open_array(json, "links");
        writer->in_links = true;
    }
    json_open_object(json, NULL);
    add_ids(json, to);
    json_close_object(json);
}

void otlp_span_end(struct otlp_writer *writer, enum span_status status) {
    struct json_writer *json = &writer->json;
    json_close_array(json);
    json_open_object(json, "status");
    if (status != SPAN_STATUS_UNSET) {
        json_add_unsigned(json, "code", status);
    }
    json_close_object(json);
    json_close_object(json);
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
