// Growable text: answers, log lines, metrics pages and JSON are written into it.
// The owner of the struct frees it with text_free(). There are no locks: one thread at a time uses a text.
#ifndef OBSERVABILITY_BASE_TEXT_H
#define OBSERVABILITY_BASE_TEXT_H

#include "observability/base/check.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *data;      // NULL until the first append; not NUL-terminated unless text_terminated() is called
    size_t length;   // bytes used
    size_t capacity; // bytes allocated
};

// A part of a text that somebody else owns. It is valid until the owner changes or frees that text.
struct slice {
    const char *data;
    size_t length;
};

// clang-format off
#define SLICE_INITIALIZER(literal) {(literal), sizeof(literal) - 1} // initializes a static slice
// clang-format on
#define SLICE_LITERAL(literal) ((struct slice)SLICE_INITIALIZER(literal))

// The text as a slice, valid until the text changes.
MUST_CHECK static inline struct slice text_slice(const struct text *text) {
    return (struct slice){text->data, text->length};
}

MUST_CHECK struct slice slice_of(const char *terminated); // SLICE_LITERAL() is the form for a literal
MUST_CHECK bool slice_equals(struct slice a, struct slice b);
MUST_CHECK bool slice_equals_ignoring_case(struct slice a, struct slice b); // ASCII only
MUST_CHECK bool slice_starts_with(struct slice text, struct slice prefix);
MUST_CHECK bool slice_starts_with_ignoring_case(struct slice text, struct slice prefix); // ASCII only
MUST_CHECK bool slice_ends_with(struct slice text, struct slice suffix);
// Returns the text without the blanks (spaces and tabs) before and behind it.
MUST_CHECK struct slice slice_trim(struct slice text);

// Makes room for `room` more bytes. The append functions below do this themselves.
void text_reserve(struct text *text, size_t room);

// Inline, because an answer needs a dozen appends and the compiler then knows the length of a literal.
static inline void text_append(struct text *text, const char *data, size_t length) {
    if (length == 0) {
        return;
    }
    if (text->capacity - text->length < length) {
        text_reserve(text, length);
    }
    memcpy(text->data + text->length, data, length);
    text->length += length;
}

static inline void text_append_slice(struct text *text, struct slice slice) {
    text_append(text, slice.data, slice.length);
}

static inline void text_append_string(struct text *text, const char *terminated) {
    text_append(text, terminated, strlen(terminated));
}

void text_append_format(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_append_format_list(struct text *text, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
void text_append_unsigned(struct text *text, uint64_t value);
void text_append_signed(struct text *text, int64_t value);
// Writes a NUL behind the text, which does not count in its length. Valid until the text changes.
MUST_CHECK const char *text_terminated(struct text *text);
void text_clear(struct text *text); // empties the text and keeps its memory
void text_free(struct text *text);  // empties the text and frees its memory; the text can be used again

// Returns the length in bytes of the UTF-8 character at the start of `text` (RFC 3629): 1 .. 4, or 0 if `text` is empty
// or does not start with a valid character.
MUST_CHECK size_t utf8_character_length(struct slice text);
MUST_CHECK bool slice_is_utf8(struct slice text);
MUST_CHECK size_t utf8_character_count(struct slice text); // the text must be valid UTF-8

// Appends a JSON string with its quotes, escaped (RFC 8259 section 7). A byte that is not part of valid UTF-8 becomes
// U+FFFD, so an error text can quote any bytes of a client and the answer is still JSON.
void text_append_json_string(struct text *text, struct slice value);

// True if the text is ASCII. Every encoding of a PostgreSQL database can represent such a text.
MUST_CHECK bool string_is_ascii(const char *text);

#endif
