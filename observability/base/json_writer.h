// Writes JSON into a text and adds the commas. Any thread; one thread at a time uses a writer.
//
//     struct json_writer json = {.out = &body};
//     json_open_object(&json, NULL);
//     json_add_string(&json, "id", "alice");
//     json_close_object(&json);                  // {"id":"alice"}
//
// Each function that adds a value takes the name of the member, or NULL for an element of an array and for the
// outermost value. Names are not escaped, so they must be plain.
#ifndef OBSERVABILITY_BASE_JSON_WRITER_H
#define OBSERVABILITY_BASE_JSON_WRITER_H

#include "observability/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
    struct text *out;
    bool needs_comma; // the current object or array has a value already
};

// Begins a value: writes the comma and the name. The caller appends the value to the returned text as JSON.
// Inline, because the compiler then knows the length of each name and needs no call for it.
static inline struct text *json_add(struct json_writer *json, const char *name) {
    struct text *out = json->out;
    if (json->needs_comma) {
        text_append(out, ",", 1);
    }
    json->needs_comma = true;
    if (name != NULL) {
        text_append(out, "\"", 1);
        text_append_string(out, name);
        text_append(out, "\":", 2);
    }
    return out;
}

static inline void json_open_object(struct json_writer *json, const char *name) {
    text_append(json_add(json, name), "{", 1);
    json->needs_comma = false;
}

static inline void json_close_object(struct json_writer *json) {
    text_append(json->out, "}", 1);
    json->needs_comma = true;
}

static inline void json_open_array(struct json_writer *json, const char *name) {
    text_append(json_add(json, name), "[", 1);
    json->needs_comma = false;
}

static inline void json_close_array(struct json_writer *json) {
    text_append(json->out, "]", 1);
    json->needs_comma = true;
}

static inline void json_add_slice(struct json_writer *json, const char *name, struct slice value) {
    text_append_json_string(json_add(json, name), value);
}

static inline void json_add_string(struct json_writer *json, const char *name, const char *value) {
    text_append_json_string(json_add(json, name), slice_of(value));
}

static inline void json_add_null(struct json_writer *json, const char *name) {
    text_append_string(json_add(json, name), "null");
}

// Adds a string, or null if `value` is NULL or empty.
static inline void json_add_string_or_null(struct json_writer *json, const char *name, const char *value) {
    if (value == NULL || value[0] == '\0') {
        json_add_null(json, name);
    } else {
        json_add_string(json, name, value);
    }
}

static inline void json_add_signed(struct json_writer *json, const char *name, int64_t value) {
    text_append_signed(json_add(json, name), value);
}

static inline void json_add_unsigned(struct json_writer *json, const char *name, uint64_t value) {
    text_append_unsigned(json_add(json, name), value);
}

static inline void json_add_boolean(struct json_writer *json, const char *name, bool value) {
    text_append_string(json_add(json, name), value ? "true" : "false");
}

#endif
