// Decodes the bodies of messages. https://www.postgresql.org/docs/current/protocol-message-formats.html
// A body that ends too early gives what stands before its end.
#include "server/sight/sight.h"

struct cursor {
    struct slice rest;
    bool is_short; // the body has ended
};

static uint32_t take_number(struct cursor *cursor, size_t bytes) {
    uint32_t value = 0;
    if (cursor->rest.length < bytes) {
        cursor->is_short = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | (unsigned char)cursor->rest.data[i];
    }
    cursor->rest = (struct slice){cursor->rest.data + bytes, cursor->rest.length - bytes};
    return value;
}

static int16_t take_16(struct cursor *cursor) {
    return (int16_t)take_number(cursor, 2);
}

static uint32_t take_32(struct cursor *cursor) {
    return take_number(cursor, 4);
}

// A text with a NUL behind it.
static struct slice take_string(struct cursor *cursor) {
    const char *end = cursor->rest.length > 0 ? memchr(cursor->rest.data, '\0', cursor->rest.length) : NULL;
    struct slice string = {cursor->rest.data, end != NULL ? (size_t)(end - cursor->rest.data) : cursor->rest.length};
    size_t taken = string.length + (end != NULL);
    cursor->is_short |= end == NULL;
    cursor->rest = (struct slice){cursor->rest.data + taken, cursor->rest.length - taken};
    return string;
}

// A statement that was cut may mean something else than the whole, so it is unknown.
static struct slice take_sql(struct cursor *cursor) {
    struct slice sql = take_string(cursor);
    return cursor->is_short ? SLICE_LITERAL("") : sql;
}

// A value with its length before it; -1 is NULL. A value that was cut is NULL too.
static struct slice take_value(struct cursor *cursor) {
    uint32_t length = take_32(cursor);
    if (cursor->is_short || length == UINT32_MAX) {
        return (struct slice){NULL, 0};
    }
    if (length > cursor->rest.length) {
        cursor->is_short = true;
        return (struct slice){NULL, 0};
    }
    struct slice value = {cursor->rest.data, length};
    cursor->rest = (struct slice){cursor->rest.data + length, cursor->rest.length - length};
    return value;
}

static size_t take_count(struct cursor *cursor) {
    return (uint16_t)take_16(cursor);
}

static size_t take_types(struct cursor *cursor, uint32_t types[static SIGHT_VALUES_MAX]) {
    size_t count = take_count(cursor);
    size_t kept = 0;
    for (size_t i = 0; i < count && !cursor->is_short; i++) {
        uint32_t type = take_32(cursor);
        if (!cursor->is_short && kept < SIGHT_VALUES_MAX) {
            types[kept++] = type;
        }
    }
    return kept;
}

static size_t take_formats(struct cursor *cursor, int16_t formats[static SIGHT_VALUES_MAX]) {
    size_t count = take_count(cursor);
    size_t kept = 0;
    for (size_t i = 0; i < count && !cursor->is_short; i++) {
        int16_t format = take_16(cursor);
        if (!cursor->is_short && kept < SIGHT_VALUES_MAX) {
            formats[kept++] = format;
        }
    }
    return kept;
}

static void read_parse(struct sight_session *session, struct cursor *cursor) {
    struct slice name = take_string(cursor);
    struct slice sql = take_sql(cursor);
    uint32_t types[SIGHT_VALUES_MAX];
    size_t count = take_types(cursor, types);
    sight_parse(session, name, sql, types, count);
}

static void read_bind(struct sight_session *session, struct cursor *cursor) {
    struct slice portal = take_string(cursor);
    struct slice name = take_string(cursor);
    int16_t formats[SIGHT_VALUES_MAX];
    struct sight_value values[SIGHT_VALUES_MAX];
    size_t format_count = take_formats(cursor, formats);
    size_t count = take_count(cursor);
    size_t kept = 0;
    for (size_t i = 0; i < count && !cursor->is_short; i++) {
        struct slice data = take_value(cursor);
        int16_t format = format_count == 1 ? formats[0] : i < format_count ? formats[i] : (int16_t)0;
        if (kept < SIGHT_VALUES_MAX) {
            values[kept++] = (struct sight_value){data, format};
        }
    }
    format_count = take_formats(cursor, formats);
    sight_bind(session, portal, name, values, kept, formats, format_count);
}

static void read_kind_and_name(struct sight_session *session, char type, struct cursor *cursor) {
    char kind = (char)take_number(cursor, 1);
    struct slice name = take_string(cursor);
    if (type == 'D') {
        sight_describe(session, kind, name);
    } else {
        sight_close(session, kind, name);
    }
}

void sight_client_message(struct sight_session *session, char type, struct slice body, uint64_t now_ns) {
    struct cursor cursor = {.rest = body};
    switch (type) {
    case 'Q': sight_query(session, take_sql(&cursor), now_ns); break;
    case 'P': read_parse(session, &cursor); break;
    case 'B': read_bind(session, &cursor); break;
    case 'D':
    case 'C': read_kind_and_name(session, type, &cursor); break;
    case 'E': sight_execute(session, take_string(&cursor), now_ns); break;
    case 'S':
    case 'F': sight_sync(session); break;
    default: break;
    }
}

static void read_row_description(struct sight_session *session, struct cursor *cursor) {
    struct sight_field fields[SIGHT_VALUES_MAX];
    size_t count = take_count(cursor);
    size_t kept = 0;
    for (size_t i = 0; i < count && !cursor->is_short; i++) {
        struct sight_field field;
        (void)take_string(cursor);
        field.table = take_32(cursor);
        field.column = take_16(cursor);
        field.type = take_32(cursor);
        (void)take_16(cursor);
        (void)take_32(cursor);
        field.format = take_16(cursor);
        if (!cursor->is_short && kept < SIGHT_VALUES_MAX) {
            fields[kept++] = field;
        }
    }
    sight_row_description(session, fields, kept);
}

static void read_data_row(struct sight_session *session, struct cursor *cursor, uint64_t now_ns) {
    struct slice values[SIGHT_VALUES_MAX];
    size_t count = take_count(cursor);
    size_t kept = 0;
    for (size_t i = 0; i < count && !cursor->is_short && kept < SIGHT_VALUES_MAX; i++) {
        values[kept++] = take_value(cursor);
    }
    sight_data_row(session, values, kept, now_ns);
}

// The fields of an error: a letter and a text each; C is the SQLSTATE.
static void read_error(struct sight_session *session, struct cursor *cursor, uint64_t now_ns) {
    struct slice sqlstate = SLICE_LITERAL("");
    while (cursor->rest.length > 0) {
        char field = (char)take_number(cursor, 1);
        struct slice value = take_string(cursor);
        sqlstate = field == 'C' ? value : sqlstate;
    }
    sight_error(session, sqlstate, now_ns);
}

void sight_server_message(struct sight_session *session, char type, struct slice body, uint64_t now_ns) {
    struct cursor cursor = {.rest = body};
    uint32_t types[SIGHT_VALUES_MAX];
    switch (type) {
    case 't': sight_parameter_types(session, types, take_types(&cursor, types)); break;
    case 'T': read_row_description(session, &cursor); break;
    case 'n': sight_no_data(session); break;
    case 'D': read_data_row(session, &cursor, now_ns); break;
    case 'C': sight_command_complete(session, take_string(&cursor), now_ns); break;
    case 's':
    case 'I': sight_portal_suspended(session); break;
    case 'E': read_error(session, &cursor, now_ns); break;
    case 'Z': sight_ready(session, (char)take_number(&cursor, 1), now_ns); break;
    default: break;
    }
}
