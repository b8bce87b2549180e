// Recognises the first packets of a connection. https://www.postgresql.org/docs/current/protocol-message-formats.html
#include "server/proxy/startup.h"

#include "server/proxy/wire.h"

enum {
    CODE_CANCEL = 80877102,
    CODE_TLS = 80877103,
    CODE_GSS = 80877104,
    TLS_HANDSHAKE = 0x16, // the first byte of a TLS ClientHello
    HEADER = 8,           // the length and the code
    CANCEL_LEAST = 16,    // with a secret of four bytes
};

static void read_parameters(struct wire_fields fields, struct startup *out) {
    while (!fields.is_short && fields.rest.length > 1) {
        struct slice name = wire_read_string(&fields);
        struct slice value = wire_read_string(&fields);
        if (fields.is_short) {
            return;
        }
        if (slice_equals(name, SLICE_LITERAL("user"))) {
            out->user = value;
        } else if (slice_equals(name, SLICE_LITERAL("database"))) {
            out->database = value;
        }
    }
}

enum startup_kind startup_read(struct slice bytes, struct startup *out) {
    *out = (struct startup){.user = {"", 0}, .database = {"", 0}, .key = {"", 0}};
    if (bytes.length > 0 && bytes.data[0] == TLS_HANDSHAKE) {
        return STARTUP_TLS_HELLO;
    }
    struct wire_fields fields = {.rest = bytes};
    uint32_t length = wire_read_32(&fields);
    if (bytes.length >= 4 && (length < HEADER || length > STARTUP_PACKET_MAX)) {
        return STARTUP_UNKNOWN;
    }
    uint32_t code = wire_read_32(&fields);
    if (bytes.length < HEADER || bytes.length < length) {
        return STARTUP_INCOMPLETE;
    }
    out->length = length;
    fields.rest.length = length - HEADER;
    switch (code) {
    case CODE_TLS: return STARTUP_TLS_REQUEST;
    case CODE_GSS: return STARTUP_GSS_REQUEST;
    case CODE_CANCEL: out->key = fields.rest; return length < CANCEL_LEAST ? STARTUP_UNKNOWN : STARTUP_CANCEL_REQUEST;
    default: break;
    }
    out->version = code;
    read_parameters(fields, out);
    return STARTUP_MESSAGE;
}
