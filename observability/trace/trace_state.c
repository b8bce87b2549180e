// Validates a tracestate header and copies it. Loop thread. The limits below are those of the specification.
#include "observability/trace/trace_state.h"

#define MEMBERS_MAX 32
#define KEY_MAX 256
#define TENANT_MAX 241
#define SYSTEM_MAX 14
#define VALUE_MAX 256

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name(struct slice name, size_t most, bool may_start_with_digit) {
    if (name.length == 0 || name.length > most) {
        return false;
    }
    if (!is_lower(name.data[0]) && !(may_start_with_digit && is_digit(name.data[0]))) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '*' && c != '/') {
            return false;
        }
    }
    return true;
}

// A key is "key" or "tenant@system".
static bool is_key(struct slice key) {
    const char *at = memchr(key.data, '@', key.length);
    if (at == NULL) {
        return is_name(key, KEY_MAX, false);
    }
    size_t tenant = (size_t)(at - key.data);
    return is_name((struct slice){key.data, tenant}, TENANT_MAX, true) &&
           is_name((struct slice){at + 1, key.length - tenant - 1}, SYSTEM_MAX, false);
}

static bool is_value(struct slice value) {
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] < ' ' || value.data[i] > '~' || value.data[i] == '=') {
            return false;
        }
    }
    return value.length > 0 && value.length <= VALUE_MAX;
}

struct state_keys {
    struct slice keys[MEMBERS_MAX];
    size_t count;
};

// Returns false if the list is full, or if it has the key already.
static bool add_key(struct state_keys *list, struct slice key) {
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equals(list->keys[i], key)) {
            return false;
        }
    }
    if (list->count == MEMBERS_MAX) {
        return false;
    }
    list->keys[list->count++] = key;
    return true;
}

static bool append_members(struct text *out, struct slice header) {
    struct state_keys list = {.count = 0};
    while (header.length > 0) {
        const char *comma = memchr(header.data, ',', header.length);
        size_t length = comma == NULL ? header.length : (size_t)(comma - header.data);
        size_t step = comma == NULL ? length : length + 1;
        struct slice member = slice_trim((struct slice){header.data, length});
        header = (struct slice){header.data + step, header.length - step};
        if (member.length == 0) {
            continue; // an empty member is allowed
        }
        const char *equals = memchr(member.data, '=', member.length);
        if (equals == NULL) {
            return false;
        }
        struct slice key = {member.data, (size_t)(equals - member.data)};
        struct slice value = {equals + 1, member.length - key.length - 1};
        if (!is_key(key) || !is_value(value) || !add_key(&list, key)) {
            return false;
        }
        text_append_string(out, list.count > 1 ? "," : "");
        text_append_slice(out, member);
    }
    return true;
}

void trace_state_append(struct text *out, struct slice header) {
    size_t before = out->length;
    if (!append_members(out, header)) {
        out->length = before;
    }
}
