// Looks for one name in the list of names of an AuthenticationSASL message.
#include "server/proxy/sasl.h"

#include "server/proxy/wire.h"

enum {
    CODE_SASL = 10, // AuthenticationSASL among the messages of type 'R'
    CODE_LENGTH = 4,
};

#define BINDING "SCRAM-SHA-256-PLUS" // its NUL is on the wire as well

static void write_length(char *message, size_t length) {
    for (size_t i = 0; i < 4; i++) {
        message[1 + i] = (char)(length >> (24 - 8 * i));
    }
}

size_t sasl_remove_binding(char *message, size_t length) {
    if (length < WIRE_HEADER) {
        return 0;
    }
    struct wire_fields fields = {.rest = {message + WIRE_HEADER, length - WIRE_HEADER}};
    if (message[0] != 'R' || wire_read_32(&fields) != CODE_SASL) {
        return 0;
    }
    char *found = NULL;
    bool has_other = false;
    while (!fields.is_short && fields.rest.length > 0 && fields.rest.data[0] != '\0') {
        size_t at = (size_t)(fields.rest.data - message);
        bool is_it = slice_equals(wire_read_string(&fields), SLICE_LITERAL(BINDING));
        found = is_it ? message + at : found;
        has_other = has_other || !is_it;
    }
    if (found == NULL || !has_other || fields.is_short) {
        return 0;
    }
    size_t behind = (size_t)(message + length - found) - sizeof BINDING;
    memmove(found, found + sizeof BINDING, behind);
    write_length(message, length - sizeof BINDING - 1);
    return sizeof BINDING + sasl_remove_binding(message, length - sizeof BINDING); // no server offers it twice
}

bool sasl_chooses_binding(struct slice body) {
    struct wire_fields fields = {.rest = body};
    return slice_equals(wire_read_string(&fields), SLICE_LITERAL(BINDING)) && !fields.is_short;
}
