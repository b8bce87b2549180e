// The proxy's knowledge as a whole, and the question before a statement is forwarded.
#include "server/sight/sight_names.h"

#include <stdlib.h>

#define MEGABYTE ((size_t)1024 * 1024)

struct sight *sight_new(const struct sight_options *options) {
    struct sight *sight = memory_allocate_zeroed(sizeof *sight);
    sight->options = *options;
    if (sight->options.memory_max == 0) {
        sight->options.memory_max = 64 * MEGABYTE;
    }
    if (sight->options.session_memory_max == 0) {
        sight->options.session_memory_max = MEGABYTE;
    }
    sight->catalogue = catalogue_new();
    sight->history = history_new(sight->options.memory_max);
    sight->findings = findings_new(&sight->options);
    sight->cache = sql_cache_new(sight->options.memory_max / 8);
    return sight;
}

void sight_free(struct sight *sight) {
    CHECK(sight->session_count == 0);
    versions_free(sight->versions);
    history_free(sight->history);
    findings_free(sight->findings);
    sql_cache_free(sight->cache);
    catalogue_free(sight->catalogue);
    free(sight);
}

struct sight_counters sight_counters(const struct sight *sight) {
    return (struct sight_counters){
        .statements = sight->statements,
        .unparsed = sight->unparsed,
        .units = history_units(sight->history),
        .reads = sight->reads,
        .writes = sight->writes,
        .dropped = sight->dropped + history_dropped(sight->history) + findings_dropped(sight->findings),
        .memory = history_bytes(sight->history) + sql_cache_bytes(sight->cache),
    };
}

void sight_forget_tables(struct sight *sight, const char *database) {
    catalogue_forget(sight->catalogue, database);
}

void sight_add_table(struct sight *sight, const char *database, uint32_t oid, const char *schema, const char *name,
                     const struct sight_column *columns, size_t count) {
    catalogue_add(sight->catalogue, database, oid, schema, name, columns, count);
    struct table *table = catalogue_by_oid(sight->catalogue, database, oid);
    if (table != NULL && table->known_since == 0) {
        table->known_since = history_next(sight->history);
    }
}

void sight_add_view(struct sight *sight, const char *database, const struct sight_view *view) {
    catalogue_add_view(sight->catalogue, database, view);
}

// --- The question ---

static const struct sql_statement *first_write(const struct sql_text *text) {
    for (size_t i = 0; i < text->count; i++) {
        if (text->statements[i].verb > SIGHT_SELECT) {
            return &text->statements[i];
        }
    }
    return text->count > 0 ? &text->statements[0] : NULL;
}

static void copy_shown(char *out, size_t size, const char *text) {
    size_t length = MIN(strlen(text), size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

// The units that a statement may belong to: that of its label, of the transaction, and of the session outside of
// transactions. Each may be NULL.
enum { UNITS = 3 };
struct units {
    const struct unit *list[UNITS];
};

static struct units units_of(const struct sight_session *session) {
    const struct unit *trace = session->asked_label[0] != '\0'
                                   ? history_find_trace(session->sight->history, session->asked_label)
                                   : NULL;
    return (struct units){{trace, session->transaction.unit, session->loose}};
}

// `key`: NULL is that of an unknown row.
static enum sight_read_before read_by(const struct history *history, const struct unit *unit, const struct table *table,
                                      const char *key, bool is_insert) {
    const struct row *row = key != NULL ? history_find_row(history, table, slice_of(key)) : NULL;
    if (unit == NULL) {
        return SIGHT_NOT_READ;
    }
    if (row != NULL && history_find_read(unit, row) != NULL) {
        return SIGHT_READ_ROW;
    }
    // A unit that has read other rows of the table by their keys has not read this one.
    const struct row *whole = history_find_row(history, table, SLICE_LITERAL(""));
    bool has_read = key == NULL || table->key_count == 0 || is_insert
                        ? history_has_read_table(unit, table)
                        : whole != NULL && history_find_read(unit, whole) != NULL;
    return has_read ? SIGHT_READ_TABLE : SIGHT_NOT_READ;
}

// Whether the units of the session have read this row. `locked`: their first read of it took a lock.
static enum sight_read_before read_by_session(const struct sight_session *session, const struct table *table,
                                              const char *key, bool is_insert, bool *locked) {
    const struct history *history = session->sight->history;
    struct units units = units_of(session);
    enum sight_read_before read = SIGHT_NOT_READ;
    *locked = false;
    for (size_t i = 0; i < UNITS && read != SIGHT_READ_ROW; i++) {
        enum sight_read_before by_unit = read_by(history, units.list[i], table, key, is_insert);
        read = MAX(read, by_unit);
        *locked = read == SIGHT_READ_ROW &&
                  history_find_read(units.list[i], history_find_row(history, table, slice_of(key)))->first_locked;
    }
    return read;
}

static bool is_certain(const struct sight_session *session, const struct table *table) {
    struct units units = units_of(session);
    bool is_certain = table->oid != 0 && !session->is_blind;
    for (size_t i = 0; i < UNITS; i++) {
        is_certain = is_certain && (units.list[i] == NULL || units.list[i]->begun > table->known_since);
    }
    return is_certain;
}

static void ask(struct sight_session *session, const struct sql_text *text, const struct parameters *parameters,
                struct sight_intent *intent) {
    const struct sql_statement *statement = first_write(text);
    copy_shown(session->asked_label, sizeof session->asked_label, text->label);
    if (statement == NULL) {
        return;
    }
    intent->verb = statement->verb;
    intent->fingerprint = statement->fingerprint;
    intent->locks = statement->locks;
    struct table *table = effects_table(session, statement);
    if (table == NULL) {
        return;
    }
    char *key = statement->is_precise && statement->verb != SIGHT_INSERT ? effects_key(statement, table, parameters)
                                                                         : NULL;
    struct write columns = {0};
    effects_columns(statement, table, &columns);
    intent->is_guarded = (columns.guarded & columns.set) != 0;
    intent->table = table->oid;
    copy_shown(intent->name, sizeof intent->name, table->shown);
    if (key != NULL && strlen(key) < sizeof intent->row) {
        copy_shown(intent->row, sizeof intent->row, key);
    }
    intent->read_before = read_by_session(session, table, key, intent->verb == SIGHT_INSERT, &intent->read_locked);
    intent->is_certain = is_certain(session, table);
    free(key);
}

void sight_ask_query(struct sight_session *session, struct slice sql, struct sight_intent *intent) {
    *intent = (struct sight_intent){0};
    struct sql_text *text = sql_cache_get(session->sight->cache, sql);
    ask(session, text, &(struct parameters){0}, intent);
    sql_text_release(text);
    session->asked = *intent;
}

void sight_ask_execute(struct sight_session *session, struct slice name, struct sight_intent *intent) {
    *intent = (struct sight_intent){0};
    const struct portal *portal = names_portal(session, name);
    if (portal != NULL) {
        const struct prepared *prepared = portal->prepared;
        struct parameters parameters = {portal->values, portal->value_count, prepared->types, prepared->type_count};
        ask(session, prepared->text, &parameters, intent);
    }
    session->asked = *intent;
}

const char *sight_asked_row(const struct sight_session *session) {
    return session->asked.row;
}

static enum sight_read_before has_read(const struct sight_session *session, const struct sight_intent *asked) {
    const struct table *table = catalogue_by_oid(session->sight->catalogue, session->database, asked->table);
    const char *key = asked->row[0] != '\0' ? asked->row : NULL;
    bool locked;
    return table == NULL ? SIGHT_READ_TABLE
                         : read_by_session(session, table, key, asked->verb == SIGHT_INSERT, &locked);
}

enum sight_meeting sight_meeting(const struct sight_session *one, const struct sight_session *other) {
    if (strcmp(one->database, other->database) != 0) {
        return SIGHT_APART;
    }
    enum sight_read_before read_by_one = has_read(one, &other->asked);
    enum sight_read_before read_by_other = has_read(other, &one->asked);
    enum sight_read_before read = MAX(read_by_one, read_by_other);
    bool is_same_table = strcmp(one->asked.name, other->asked.name) == 0;
    return read == SIGHT_READ_ROW                      ? SIGHT_MEET_ROW
           : read == SIGHT_READ_TABLE && is_same_table ? SIGHT_MEET_TABLE
                                                       : SIGHT_APART;
}

// --- Findings ---

size_t sight_finding_count(const struct sight *sight) {
    return findings_count(sight->findings);
}

const struct sight_finding *sight_finding_at(const struct sight *sight, size_t position) {
    return findings_at(sight->findings, position);
}

void sight_set_level(struct sight *sight, uint64_t id, enum sight_level level) {
    findings_set_level(sight->findings, id, level);
}

void sight_findings_json(const struct sight *sight, struct json_writer *json) {
    json_open_object(json, NULL);
    json_open_array(json, "findings");
    for (size_t i = 0; i < sight_finding_count(sight); i++) {
        sight_finding_json(sight_finding_at(sight, i), json, NULL);
    }
    json_close_array(json);
    versions_json(sight, json);
    json_close_object(json);
}
