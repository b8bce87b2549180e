// The framing of PostgreSQL's protocol, read while the bytes pass by. Pure functions over one chunk at a time.
// A message is a type byte, a length that counts itself, and a body. https://www.postgresql.org/docs/current/protocol.html
//
// A message inside one chunk is returned as a slice of that chunk. A message that is cut by the end of a chunk is
// copied, up to WIRE_KEEP_MAX bytes of its body, if its type is wanted.
#ifndef SERVER_PROXY_WIRE_H
#define SERVER_PROXY_WIRE_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_HEADER = 5,
    WIRE_LENGTH_MAX = 0x3FFFFFFF, // PostgreSQL's MaxAllocSize
    WIRE_KEEP_MAX = 32 * 1024,    // the copied part of a body; the rest of the body is only counted
};

struct wire {
    const char *wanted; // the types whose bodies are copied when a chunk cuts them
    unsigned char header[WIRE_HEADER];
    unsigned header_length; // WIRE_HEADER: inside a body
    uint32_t left;          // bytes of the body that are still to come
    struct text kept;       // the copied start of the body
    bool is_broken;         // a length that no server accepts: the rest of the stream is not read
};

struct wire_message {
    char type;
    bool is_whole;     // `body` is the whole body; false: only its start, or nothing
    size_t begin;      // offset of its first byte in this chunk
    size_t end;        // offset behind its last byte
    struct slice body; // valid until the next call, and while the chunk is
};

// Finds the next message that ends in the chunk. `*offset` is where the search begins, and is set behind the message,
// or to the end of the chunk if no message ends in it (then the result is false).
MUST_CHECK bool wire_next(struct wire *wire, struct slice chunk, size_t *offset, struct wire_message *message);
// True if the stream stands between two messages.
MUST_CHECK bool wire_is_between(const struct wire *wire);
void wire_free(struct wire *wire);

// A reader of the fields of a body. A read beyond the end sets `is_short` and gives zeroes.
struct wire_fields {
    struct slice rest;
    bool is_short;
};

MUST_CHECK uint32_t wire_read_32(struct wire_fields *fields);
struct slice wire_read_bytes(struct wire_fields *fields, size_t length);
// A text that ends with NUL. The slice does not contain the NUL.
struct slice wire_read_string(struct wire_fields *fields);

// The field `code` of an ErrorResponse or NoticeResponse ('C' is the SQLSTATE, 'M' the message); empty: it has none.
MUST_CHECK struct slice wire_error_field(struct slice body, char code);
// Appends an ErrorResponse of severity FATAL.
void wire_append_fatal(struct text *out, const char *sqlstate, const char *message);

#endif
