// Reads the header Idempotency-Key.
#include "server/api/idempotency_key.h"

#include "workers/limits.h"

#include <string.h>

#define EXAMPLE ": send a value such as \"8e03978e-40d5-43dd-bc93-6894a57f9324\""

static bool refuse(struct text *problem, const char *words) {
    text_append_format(problem, "The header Idempotency-Key %s" EXAMPLE, words);
    return false;
}

static bool is_printable(char c) {
    return c >= ' ' && c <= '~';
}

// A string of RFC 8941, section 3.3.3: printable ASCII in quotes, with \" and \\ for the two characters.
static bool read_quoted(struct slice value, struct text *key, struct text *problem) {
    for (size_t i = 1; i < value.length; i++) {
        char c = value.data[i];
        if (c == '"') {
            return i + 1 == value.length ? true : refuse(problem, "has something behind its closing quote");
        }
        if (c == '\\') {
            i++;
            if (i == value.length || (value.data[i] != '"' && value.data[i] != '\\')) {
                return refuse(problem, "has a backslash that stands before neither a quote nor a backslash");
            }
            c = value.data[i];
        }
        if (!is_printable(c)) {
            return refuse(problem, "may hold printable ASCII characters only");
        }
        text_append(key, &c, 1);
    }
    return refuse(problem, "has no closing quote");
}

static bool read_bare(struct slice value, struct text *key, struct text *problem) {
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];
        if (!is_printable(c) || strchr(" \",;\\", c) != NULL) {
            return refuse(problem, "without quotes may hold printable ASCII characters only, and no space, quote, "
                                   "comma, semicolon or backslash");
        }
    }
    text_append_slice(key, value);
    return true;
}

bool idempotency_key_read(struct slice value, char **out, struct text *problem) {
    struct slice trimmed = slice_trim(value);
    struct text key = {0};
    bool is_quoted = trimmed.length > 0 && trimmed.data[0] == '"';
    bool good = is_quoted ? read_quoted(trimmed, &key, problem) : read_bare(trimmed, &key, problem);
    if (good && (key.length == 0 || key.length > IDEMPOTENCY_KEY_MAX)) {
        good = refuse(problem, "must be 1 to 255 characters long");
    }
    if (good) {
        *out = memory_allocate(key.length + 1);
        memcpy(*out, text_terminated(&key), key.length + 1);
    }
    text_free(&key);
    return good;
}
