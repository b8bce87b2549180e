// Growable texts, numbers and JSON strings appended to them, and slices of other texts.
// Any thread; a text belongs to one thread at a time.
#include "observability/base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_FIRST_CAPACITY 256
#define DECIMAL_DIGITS_MAX 20 // UINT64_MAX has so many digits

struct slice slice_of(const char *terminated) {
    return (struct slice){terminated, strlen(terminated)};
}

bool slice_equals(struct slice a, struct slice b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter + ('a' - 'A')) : letter;
}

bool slice_equals_ignoring_case(struct slice a, struct slice b) {
    if (a.length != b.length) {
        return false;
    }
    for (size_t i = 0; i < a.length; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool slice_starts_with(struct slice text, struct slice prefix) {
    return text.length >= prefix.length && slice_equals((struct slice){text.data, prefix.length}, prefix);
}

bool slice_starts_with_ignoring_case(struct slice text, struct slice prefix) {
    return text.length >= prefix.length && slice_equals_ignoring_case((struct slice){text.data, prefix.length}, prefix);
}

bool slice_ends_with(struct slice text, struct slice suffix) {
    if (text.length < suffix.length) {
        return false;
    }
    return suffix.length == 0 ||
           slice_equals((struct slice){text.data + (text.length - suffix.length), suffix.length}, suffix);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice text) {
    while (text.length > 0 && is_blank(text.data[0])) {
        text = (struct slice){text.data + 1, text.length - 1};
    }
    while (text.length > 0 && is_blank(text.data[text.length - 1])) {
        text.length--;
    }
    return text;
}

// The capacity doubles, so that appending n bytes one by one copies about n bytes in all.
void text_reserve(struct text *text, size_t room) {
    CHECK(text->length <= SIZE_MAX / 4 && room <= SIZE_MAX / 4);
    size_t needed = text->length + room;
    if (needed <= text->capacity) {
        return;
    }
    size_t capacity = 2 * text->capacity;
    if (capacity < TEXT_FIRST_CAPACITY) {
        capacity = TEXT_FIRST_CAPACITY;
    }
    if (capacity < needed) {
        capacity = needed;
    }
    text->data = memory_resize(text->data, capacity);
    text->capacity = capacity;
}

void text_append_format(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_append_format_list(text, format, arguments);
    va_end(arguments);
}

void text_append_format_list(struct text *text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    text_reserve(text, 1);
    size_t room = text->capacity - text->length;
    int written = vsnprintf(text->data + text->length, room, format, arguments);
    CHECK(written >= 0);
    if ((size_t)written >= room) { // the result was cut: print it again with room for it and its NUL
        text_reserve(text, (size_t)written + 1);
        CHECK(vsnprintf(text->data + text->length, (size_t)written + 1, format, again) == written);
    }
    va_end(again);
    text->length += (size_t)written;
}

void text_append_unsigned(struct text *text, uint64_t value) {
    char digits[DECIMAL_DIGITS_MAX];
    char *end = digits + sizeof digits;
    char *first = end;
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    text_append(text, first, (size_t)(end - first));
}

void text_append_signed(struct text *text, int64_t value) {
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        text_append(text, "-", 1);
        magnitude = -magnitude; // unsigned arithmetic can negate INT64_MIN as well
    }
    text_append_unsigned(text, magnitude);
}

const char *text_terminated(struct text *text) {
    text_reserve(text, 1);
    text->data[text->length] = '\0';
    return text->data;
}

void text_clear(struct text *text) {
    text->length = 0;
}

void text_free(struct text *text) {
    free(text->data);
    *text = (struct text){0};
}

static size_t utf8_length_by_lead(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2) { // 80 .. BF are continuation bytes; C0 and C1 start overlong forms
        return 0;
    }
    if (lead < 0xE0) {
        return 2;
    }
    if (lead < 0xF0) {
        return 3;
    }
    return lead <= 0xF4 ? 4 : 0;
}

static bool utf8_second_byte_is_valid(unsigned char lead, unsigned char second) {
    switch (lead) {
    case 0xE0: // overlong below U+0800
        return second >= 0xA0 && second <= 0xBF;
    case 0xED: // surrogates from U+D800
        return second >= 0x80 && second <= 0x9F;
    case 0xF0: // overlong below U+10000
        return second >= 0x90 && second <= 0xBF;
    case 0xF4: // above U+10FFFF
        return second >= 0x80 && second <= 0x8F;
    default: return second >= 0x80 && second <= 0xBF;
    }
}

// RFC 3629 section 4.
size_t utf8_character_length(struct slice text) {
    if (text.length == 0) {
        return 0;
    }
    unsigned char lead = (unsigned char)text.data[0];
    size_t length = utf8_length_by_lead(lead);
    if (length <= 1) {
        return length;
    }
    if (text.length < length || !utf8_second_byte_is_valid(lead, (unsigned char)text.data[1])) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (((unsigned char)text.data[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool slice_is_utf8(struct slice text) {
    while (text.length > 0) {
        size_t length = utf8_character_length(text);
        if (length == 0) {
            return false;
        }
        text = (struct slice){text.data + length, text.length - length};
    }
    return true;
}

size_t utf8_character_count(struct slice text) {
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80; // skips continuation bytes
    }
    return count;
}

static bool json_needs_no_escape(unsigned char byte) {
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static void append_json_escape(struct text *text, char letter) {
    switch (letter) {
    case '"': text_append(text, "\\\"", 2); return;
    case '\\': text_append(text, "\\\\", 2); return;
    case '\n': text_append(text, "\\n", 2); return;
    case '\r': text_append(text, "\\r", 2); return;
    case '\t': text_append(text, "\\t", 2); return;
    default: {
        static const char hex[] = "0123456789abcdef";
        char escape[] = {'\\', 'u', '0', '0', hex[((unsigned char)letter >> 4) & 0xF], hex[letter & 0xF]};
        text_append(text, escape, sizeof escape);
    }
    }
}

// Appends one character that needs an escape or is not ASCII. Returns how many bytes of `rest` it read.
static size_t append_json_character(struct text *text, struct slice rest) {
    size_t length = utf8_character_length(rest);
    if (length > 1) {
        text_append(text, rest.data, length);
        return length;
    }
    if (length == 1) {
        append_json_escape(text, rest.data[0]);
    } else {
        text_append_string(text, "\xEF\xBF\xBD"); // U+FFFD
    }
    return 1;
}

void text_append_json_string(struct text *text, struct slice value) {
    text_append(text, "\"", 1);
    size_t at = 0;
    while (at < value.length) {
        size_t plain = at;
        while (plain < value.length && json_needs_no_escape((unsigned char)value.data[plain])) {
            plain++;
        }
        if (plain > at) {
            text_append(text, value.data + at, plain - at);
        }
        at = plain;
        if (at < value.length) {
            at += append_json_character(text, (struct slice){value.data + at, value.length - at});
        }
    }
    text_append(text, "\"", 1);
}

bool string_is_ascii(const char *text) {
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}
