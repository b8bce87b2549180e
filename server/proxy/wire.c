// Finds the messages of PostgreSQL's protocol in a stream, and the fields of a message.
#include "server/proxy/wire.h"

static uint32_t big_endian_32(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// Takes bytes of the header. True: the header is complete, and `left` is set.
static bool take_header(struct wire *wire, struct slice chunk, size_t *at) {
    while (wire->header_length < WIRE_HEADER && *at < chunk.length) {
        wire->header[wire->header_length++] = (unsigned char)chunk.data[(*at)++];
    }
    if (wire->header_length < WIRE_HEADER) {
        return false;
    }
    uint32_t length = big_endian_32(wire->header + 1);
    if (length < 4 || length > WIRE_LENGTH_MAX) {
        wire->is_broken = true;
        return false;
    }
    wire->left = length - 4;
    return true;
}

static void keep(struct wire *wire, const char *data, size_t length) {
    if (wire->header[0] != '\0' && strchr(wire->wanted, wire->header[0]) != NULL) {
        text_append(&wire->kept, data, MIN(length, WIRE_KEEP_MAX - wire->kept.length));
    }
}

bool wire_next(struct wire *wire, struct slice chunk, size_t *offset, struct wire_message *message) {
    size_t begin = *offset;
    size_t at = begin;
    bool is_new = wire->header_length < WIRE_HEADER; // no byte of the body has been seen
    if (wire->header_length == 0) {
        text_free(&wire->kept);
    }
    if (wire->is_broken || (is_new && !take_header(wire, chunk, &at))) {
        *offset = chunk.length;
        return false;
    }
    size_t taken = MIN(wire->left, chunk.length - at);
    bool in_one_chunk = is_new && taken == wire->left;
    if (!in_one_chunk) {
        keep(wire, chunk.data + at, taken);
    }
    struct slice body = {chunk.data + at, taken};
    at += taken;
    wire->left -= (uint32_t)taken;
    *offset = at;
    if (wire->left > 0) {
        return false;
    }
    uint32_t length = big_endian_32(wire->header + 1) - 4;
    wire->header_length = 0;
    *message = (struct wire_message){
        .type = (char)wire->header[0],
        .is_whole = in_one_chunk || wire->kept.length == length,
        .begin = begin,
        .end = at,
        .body = in_one_chunk ? body : text_slice(&wire->kept),
    };
    return true;
}

bool wire_is_between(const struct wire *wire) {
    return wire->header_length == 0 && !wire->is_broken;
}

void wire_free(struct wire *wire) {
    text_free(&wire->kept);
}

struct slice wire_read_bytes(struct wire_fields *fields, size_t length) {
    if (length > fields->rest.length) {
        *fields = (struct wire_fields){.is_short = true};
        return (struct slice){"", 0};
    }
    struct slice read = {fields->rest.data, length};
    fields->rest = (struct slice){read.data + length, fields->rest.length - length};
    return read;
}

uint32_t wire_read_32(struct wire_fields *fields) {
    struct slice read = wire_read_bytes(fields, 4);
    return read.length < 4 ? 0 : big_endian_32((const unsigned char *)read.data);
}

struct slice wire_read_string(struct wire_fields *fields) {
    const char *end = fields->rest.length == 0 ? NULL : memchr(fields->rest.data, '\0', fields->rest.length);
    struct slice read = wire_read_bytes(fields, end == NULL ? SIZE_MAX : (size_t)(end - fields->rest.data) + 1);
    return (struct slice){read.data, read.length == 0 ? 0 : read.length - 1};
}

struct slice wire_error_field(struct slice body, char code) {
    struct wire_fields fields = {.rest = body};
    while (!fields.is_short && fields.rest.length > 0 && fields.rest.data[0] != '\0') {
        char found = fields.rest.data[0];
        (void)wire_read_bytes(&fields, 1);
        struct slice value = wire_read_string(&fields);
        if (found == code && !fields.is_short) {
            return value;
        }
    }
    return (struct slice){"", 0};
}

static void append_field(struct text *out, char code, const char *value) {
    text_append(out, &code, 1);
    text_append(out, value, strlen(value) + 1);
}

void wire_append_fatal(struct text *out, const char *sqlstate, const char *message) {
    struct text body = {0};
    append_field(&body, 'S', "FATAL");
    append_field(&body, 'V', "FATAL");
    append_field(&body, 'C', sqlstate);
    append_field(&body, 'M', message);
    text_append(&body, "", 1);
    uint32_t length = (uint32_t)body.length + 4;
    char header[WIRE_HEADER] = {'E', (char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length};
    text_append(out, header, sizeof header);
    text_append(out, body.data, body.length);
    text_free(&body);
}
