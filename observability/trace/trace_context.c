// W3C Trace Context: reads and writes traceparent headers, makes random ids. Any thread; there is no state.
#include "observability/trace/trace_context.h"

#include <stdlib.h>

// Offsets of the parts of a traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".
enum {
    VERSION_AT = 0,
    TRACE_ID_AT = 3,
    SPAN_ID_AT = 36,
    FLAGS_AT = 53,
    VERSION_0_LENGTH = TRACEPARENT_LENGTH - 1,
};

#define VERSION_FORBIDDEN 0xFF
#define FLAG_SAMPLED 0x01

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') { // the specification allows lower case only
        return digit - 'a' + 10;
    }
    return -1;
}

static bool read_hex(const char *hex, uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int high = hex_value(hex[2 * i]);
        int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static void write_hex(const uint8_t *bytes, size_t count, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0xF];
    }
}

static bool all_zero(const uint8_t *bytes, size_t count) {
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

// A version above 00 may be longer, but only with a further dash. A comma means that two header lines were joined into
// one (RFC 9110 section 5.3); two traceparents contradict each other, so they are refused.
static bool length_fits_version(struct slice text, uint8_t version) {
    if (version == VERSION_FORBIDDEN) {
        return false;
    }
    if (version == 0 || text.length == VERSION_0_LENGTH) {
        return text.length == VERSION_0_LENGTH;
    }
    return text.data[VERSION_0_LENGTH] == '-' && memchr(text.data, ',', text.length) == NULL;
}

bool trace_context_parse(struct slice traceparent, struct trace_context *out) {
    const char *text = traceparent.data;
    if (traceparent.length < VERSION_0_LENGTH) {
        return false;
    }
    if (text[TRACE_ID_AT - 1] != '-' || text[SPAN_ID_AT - 1] != '-' || text[FLAGS_AT - 1] != '-') {
        return false;
    }

    uint8_t version;
    uint8_t flags;
    struct trace_context parsed = {0};
    if (!read_hex(text + VERSION_AT, &version, 1) || !length_fits_version(traceparent, version)) {
        return false;
    }
    if (!read_hex(text + TRACE_ID_AT, parsed.trace_id, TRACE_ID_BYTES) || all_zero(parsed.trace_id, TRACE_ID_BYTES)) {
        return false;
    }
    if (!read_hex(text + SPAN_ID_AT, parsed.span_id, SPAN_ID_BYTES) || all_zero(parsed.span_id, SPAN_ID_BYTES)) {
        return false;
    }
    if (!read_hex(text + FLAGS_AT, &flags, 1)) {
        return false;
    }
    parsed.sampled = (flags & FLAG_SAMPLED) != 0;
    *out = parsed;
    return true;
}

static void fill_random(uint8_t *bytes, size_t count) {
    do {
        arc4random_buf(bytes, count);
    } while (all_zero(bytes, count)); // the specification makes an all-zero id invalid
}

void trace_context_start(struct trace_context *out, bool sampled) {
    fill_random(out->trace_id, TRACE_ID_BYTES);
    fill_random(out->span_id, SPAN_ID_BYTES);
    out->sampled = sampled;
}

void trace_context_child(const struct trace_context *parent, struct trace_context *out) {
    *out = *parent;
    fill_random(out->span_id, SPAN_ID_BYTES);
}

void trace_context_trace_id(const struct trace_context *context, char out[static TRACE_ID_HEX]) {
    write_hex(context->trace_id, TRACE_ID_BYTES, out);
    out[TRACE_ID_HEX - 1] = '\0';
}

void trace_context_span_id(const struct trace_context *context, char out[static SPAN_ID_HEX]) {
    write_hex(context->span_id, SPAN_ID_BYTES, out);
    out[SPAN_ID_HEX - 1] = '\0';
}

void trace_context_traceparent(const struct trace_context *context, char out[static TRACEPARENT_LENGTH]) {
    memcpy(out, "00-", TRACE_ID_AT);
    write_hex(context->trace_id, TRACE_ID_BYTES, out + TRACE_ID_AT);
    out[SPAN_ID_AT - 1] = '-';
    write_hex(context->span_id, SPAN_ID_BYTES, out + SPAN_ID_AT);
    memcpy(out + FLAGS_AT - 1, context->sampled ? "-01" : "-00", sizeof "-00");
}
