// Reads the messages of each backend. The statements between two ReadyForQuery are a group: they are written when the
// server has answered all of them, because only then it is known whether they had a transaction of their own.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
#include "server/proxy/prove_script.h"

#include "server/proxy/prove_literal.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum { GROUP_MAX = 64 };

struct named {
    LIST_ENTRY(named) link;
    bool is_portal, was_executed;
    char *name;
    struct text sql; // a portal's has its values
    uint32_t types[SIGHT_VALUES_MAX];
    size_t type_count;
};

struct script_backend {
    LIST_ENTRY(script_backend) link;
    uint32_t pid;
    char status; // from the last ReadyForQuery
    LIST_HEAD(, named) named;
    struct text group[GROUP_MAX];
    size_t count;
    bool ends_itself;       // the group has BEGIN or COMMIT
    unsigned completed;     // statements of the group that the server has run
    char *described;        // the statement whose parameters a Describe has asked for; NULL: none
    unsigned answers_ahead; // ParameterDescriptions that come first; only the last Describe is kept
};

// --- The messages ---

struct reader {
    struct slice rest;
    bool is_short;
};

static uint32_t take_number(struct reader *reader, size_t bytes) {
    uint32_t value = 0;
    if (reader->rest.length < bytes) {
        reader->is_short = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | (unsigned char)reader->rest.data[i];
    }
    reader->rest = (struct slice){reader->rest.data + bytes, reader->rest.length - bytes};
    return value;
}

static struct slice take_string(struct reader *reader) {
    if (reader->rest.length == 0) {
        reader->is_short = true;
        return (struct slice){"", 0};
    }
    size_t length = strnlen(reader->rest.data, reader->rest.length);
    struct slice string = {reader->rest.data, length};
    reader->is_short |= length == reader->rest.length;
    size_t taken = MIN(length + 1, reader->rest.length);
    reader->rest = (struct slice){reader->rest.data + taken, reader->rest.length - taken};
    return string;
}

static size_t take_count(struct reader *reader) {
    size_t count = take_number(reader, 2);
    reader->is_short |= count > SIGHT_VALUES_MAX;
    return MIN(count, (size_t)SIGHT_VALUES_MAX);
}

static size_t take_types(struct reader *reader, uint32_t *types) {
    size_t count = take_count(reader);
    for (size_t i = 0; i < count; i++) {
        types[i] = take_number(reader, 4);
    }
    return count;
}

static size_t take_values(struct reader *reader, struct sight_value *values) {
    int16_t formats[SIGHT_VALUES_MAX];
    size_t format_count = take_count(reader);
    for (size_t i = 0; i < format_count; i++) {
        formats[i] = (int16_t)take_number(reader, 2);
    }
    size_t count = take_count(reader);
    for (size_t i = 0; i < count; i++) {
        uint32_t length = take_number(reader, 4);
        bool is_null = length == UINT32_MAX;
        reader->is_short |= !is_null && length > reader->rest.length;
        size_t taken = is_null || reader->is_short ? 0 : length;
        values[i] = (struct sight_value){{is_null ? NULL : reader->rest.data, taken},
                                         format_count == 1  ? formats[0]
                                         : i < format_count ? formats[i]
                                                            : (int16_t)0};
        reader->rest = (struct slice){reader->rest.data + taken, reader->rest.length - taken};
    }
    return count;
}

// --- Names ---

static char *copy_slice(struct slice slice) {
    char *copy = memory_allocate(slice.length + 1);
    memcpy(copy, slice.length > 0 ? slice.data : "", slice.length);
    copy[slice.length] = '\0';
    return copy;
}

static struct named *find_named(struct script_backend *backend, bool is_portal, struct slice name) {
    struct named *each;
    LIST_FOREACH(each, &backend->named, link) {
        if (each->is_portal == is_portal && slice_equals(slice_of(each->name), name)) {
            return each;
        }
    }
    return NULL;
}

static void drop_named(struct named *named) {
    if (named != NULL) {
        LIST_REMOVE(named, link);
        text_free(&named->sql);
        free(named->name);
        free(named);
    }
}

static struct named *add_named(struct script_backend *backend, bool is_portal, struct slice name) {
    drop_named(find_named(backend, is_portal, name));
    struct named *named = memory_allocate_zeroed(sizeof *named);
    named->is_portal = is_portal;
    named->name = copy_slice(name);
    LIST_INSERT_HEAD(&backend->named, named, link);
    return named;
}

static struct script_backend *backend_of(struct script *script, uint32_t pid) {
    struct script_backend *each;
    LIST_FOREACH(each, &script->backends, link) {
        if (each->pid == pid) {
            return each;
        }
    }
    each = memory_allocate_zeroed(sizeof *each);
    each->pid = pid;
    each->status = 'I';
    LIST_INIT(&each->named);
    LIST_INSERT_HEAD(&script->backends, each, link);
    return each;
}

// --- The text ---

static void complain(struct script *script, const char *words) {
    if (script->is_on && script->problem.length == 0) {
        text_append_string(&script->problem, words);
    }
}

static bool has_word(struct slice sql, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= sql.length; i++) {
        if (strncasecmp(sql.data + i, word, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool begins_with(struct slice sql, const char *word) {
    size_t length = strlen(word);
    return sql.length >= length && strncasecmp(sql.data, word, length) == 0 &&
           (sql.length == length || !isalnum((unsigned char)sql.data[length]));
}

static struct slice trim(struct slice sql) {
    while (sql.length > 0 && (isspace((unsigned char)sql.data[0]) || sql.data[0] == ';')) {
        sql = (struct slice){sql.data + 1, sql.length - 1};
    }
    while (sql.length > 0 && (isspace((unsigned char)sql.data[sql.length - 1]) || sql.data[sql.length - 1] == ';')) {
        sql.length--;
    }
    return sql;
}

// Drivers and pools ask about the catalogue and the session: such statements race with nothing, but each would multiply
// the orders.
static bool is_housekeeping(struct slice sql) {
    static const char *const verbs[] = {"show", "discard", "deallocate", "reset", "listen", "unlisten"};
    static const char *const catalogue[] = {"pg_catalog.", " pg_type", " pg_class", " pg_attribute",
                                            "information_schema"};
    bool keeps_setting = has_word(sql, "isolation") || has_word(sql, "transaction") || has_word(sql, "search_path");
    if (sql.length == 0 || (begins_with(sql, "set") && !keeps_setting)) {
        return true;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (begins_with(sql, verbs[i])) {
            return true;
        }
    }
    for (size_t i = 0; begins_with(sql, "select") && i < sizeof catalogue / sizeof catalogue[0]; i++) {
        if (has_word(sql, catalogue[i])) {
            return true;
        }
    }
    return false;
}

static void write_statement(struct script *script, struct slice sql) {
    if (is_housekeeping(sql)) {
        script->left_out++;
        return;
    }
    if (begins_with(sql, "copy") && (has_word(sql, "stdin") || has_word(sql, "stdout"))) {
        complain(script, "COMMAND uses COPY with the client, whose rows are not recorded");
    }
    script->names_level |= has_word(sql, "isolation level") || has_word(sql, "transaction_isolation");
    if (++script->statements > SCRIPT_STATEMENTS_MAX) {
        complain(script, "COMMAND runs too many statements for all orders: give one that does less");
        return;
    }
    text_append_slice(&script->sql, sql);
    text_append_string(&script->sql, memmem(sql.data, sql.length, "--", 2) != NULL ? "\n;\n" : ";\n");
}

static void note(struct script *script, struct script_backend *backend, struct slice sql) {
    if (!script->is_on) {
        return;
    }
    if (backend->count == GROUP_MAX) {
        complain(script, "COMMAND sends too many statements at once");
        return;
    }
    struct slice trimmed = trim(sql);
    text_append_slice(&backend->group[backend->count++], trimmed);
}

static void add_line(struct script *script, const char *command) {
    text_append_format(&script->sql, "%s%s", command, command[0] == '\0' ? "" : ";\n");
}

static void end_group(struct script *script, struct script_backend *backend, char status) {
    bool is_alone = backend->status == 'I' && status == 'I';
    bool wants_transaction = is_alone && backend->completed > 1 && !backend->ends_itself;
    if (script->open != 0 && script->open != backend->pid && backend->count > 0) {
        complain(script, "COMMAND uses two connections at once, so its statements are not one session");
    }
    add_line(script, wants_transaction ? "BEGIN" : "");
    for (size_t i = 0; i < backend->count; i++) {
        write_statement(script, text_slice(&backend->group[i]));
        text_free(&backend->group[i]);
    }
    add_line(script, wants_transaction ? "COMMIT" : "");
    if (script->is_on) {
        script->open = status != 'I' ? backend->pid : script->open == backend->pid ? 0 : script->open;
    }
    backend->status = status;
    backend->count = backend->completed = 0;
    backend->ends_itself = false;
}

// --- The client ---

static void on_parse(struct script_backend *backend, struct reader *reader) {
    struct slice name = take_string(reader);
    struct named *named = add_named(backend, false, name);
    text_append_slice(&named->sql, take_string(reader));
    named->type_count = take_types(reader, named->types);
}

static void on_bind(struct script *script, struct script_backend *backend, struct reader *reader) {
    struct sight_value values[SIGHT_VALUES_MAX];
    struct slice portal_name = take_string(reader);
    const struct named *prepared = find_named(backend, false, take_string(reader));
    size_t count = take_values(reader, values);
    struct named *portal = add_named(backend, true, portal_name);
    if (prepared == NULL) {
        complain(script, "COMMAND uses a statement that was prepared before it began: let it open its own connection");
        return;
    }
    size_t refused = literal_append_sql(&portal->sql, text_slice(&prepared->sql), values, count, prepared->types,
                                        prepared->type_count);
    if (refused > 0 && script->is_on && script->problem.length == 0) {
        text_append_format(&script->problem, "the value of $%zu has a binary form that is not understood, in: %.*s",
                           refused, (int)prepared->sql.length, prepared->sql.data);
    }
}

static void on_execute(struct script *script, struct script_backend *backend, struct reader *reader) {
    struct named *portal = find_named(backend, true, take_string(reader));
    if (portal != NULL && !portal->was_executed) { // else it fetches more rows of the same statement
        portal->was_executed = true;
        note(script, backend, text_slice(&portal->sql));
    }
}

static void on_describe(struct script_backend *backend, struct reader *reader) {
    if ((char)take_number(reader, 1) == 'S') {
        backend->answers_ahead += backend->described != NULL;
        free(backend->described);
        backend->described = copy_slice(take_string(reader));
    }
}

static void on_close(struct script_backend *backend, struct reader *reader) {
    char kind = (char)take_number(reader, 1);
    drop_named(find_named(backend, kind == 'P', take_string(reader)));
}

static void on_client(struct script *script, struct script_backend *backend, char type, struct reader *reader) {
    switch (type) {
    case 'Q': note(script, backend, take_string(reader)); break;
    case 'P': on_parse(backend, reader); break;
    case 'B': on_bind(script, backend, reader); break;
    case 'E': on_execute(script, backend, reader); break;
    case 'D': on_describe(backend, reader); break;
    case 'C': on_close(backend, reader); break;
    default: return;
    }
    if (reader->is_short) {
        complain(script, "COMMAND sends a statement that is too long, or has too many values");
    }
}

// --- The server ---

static void on_parameter_types(struct script_backend *backend, struct reader *reader) {
    uint32_t types[SIGHT_VALUES_MAX];
    size_t count = take_types(reader, types);
    if (backend->answers_ahead > 0) {
        backend->answers_ahead--;
        return;
    }
    struct named *named = backend->described != NULL ? find_named(backend, false, slice_of(backend->described)) : NULL;
    if (named != NULL) {
        memcpy(named->types, types, count * sizeof *types);
        named->type_count = count;
    }
    free(backend->described);
    backend->described = NULL;
}

static void on_complete(struct script_backend *backend, struct slice tag) {
    backend->completed++;
    backend->ends_itself |= slice_equals(tag, SLICE_LITERAL("BEGIN")) || slice_equals(tag, SLICE_LITERAL("COMMIT")) ||
                            slice_equals(tag, SLICE_LITERAL("ROLLBACK")) ||
                            slice_equals(tag, SLICE_LITERAL("START TRANSACTION"));
}

static void on_server(struct script *script, struct script_backend *backend, char type, struct reader *reader) {
    switch (type) {
    case 't': on_parameter_types(backend, reader); break;
    case 'C': on_complete(backend, take_string(reader)); break;
    case 'Z': end_group(script, backend, (char)take_number(reader, 1)); break;
    default: break;
    }
}

void script_message(struct script *script, uint32_t backend, bool of_client, char type, struct slice body) {
    struct reader reader = {.rest = body};
    if (of_client) {
        on_client(script, backend_of(script, backend), type, &reader);
    } else {
        on_server(script, backend_of(script, backend), type, &reader);
    }
}

// --- Begin and end ---

static void free_backend(struct script_backend *backend) {
    LIST_REMOVE(backend, link);
    for (struct named *named = LIST_FIRST(&backend->named), *next; named != NULL; named = next) {
        next = LIST_NEXT(named, link);
        drop_named(named);
    }
    for (size_t i = 0; i < backend->count; i++) {
        text_free(&backend->group[i]);
    }
    free(backend->described);
    free(backend);
}

void script_begin(struct script *script) {
    text_clear(&script->sql);
    text_clear(&script->problem);
    script->statements = script->left_out = 0;
    script->open = 0;
    script->names_level = false;
    script->is_on = true;
}

void script_finish(struct script *script) {
    script->is_on = false;
    if (script->open != 0) {
        write_statement(script, SLICE_LITERAL("ROLLBACK"));
        script->open = 0;
    }
    if (script->statements == 0 && script->problem.length == 0) {
        text_append_string(&script->problem, "COMMAND ran no statement that could race");
    }
}

void script_free(struct script *script) {
    for (struct script_backend *backend = LIST_FIRST(&script->backends), *next; backend != NULL; backend = next) {
        next = LIST_NEXT(backend, link);
        free_backend(backend);
    }
    text_free(&script->sql);
    text_free(&script->problem);
}
