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
}

void sight_add_view(struct sight *sight, const char *database, uint32_t oid, const char *schema, const char *name,
                    const uint32_t *tables, size_t count) {
    catalogue_add_view(sight->catalogue, database, oid, schema, name, tables, count);
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

static void answer_read(const struct history *history, const struct unit *unit, const struct table *table,
                        const char *key, struct sight_intent *intent) {
    const struct row *row = key != NULL ? history_find_row(history, table, slice_of(key)) : NULL;
    const struct read *read = unit != NULL && row != NULL ? history_find_read(unit, row) : NULL;
    if (read != NULL) {
        intent->read_before = SIGHT_READ_ROW;
        intent->read_locked = read->first_locked;
    } else if (unit != NULL && intent->read_before == SIGHT_NOT_READ) {
        // A unit that has read other rows of the table by their keys has not read this one.
        const struct row *whole = history_find_row(history, table, SLICE_LITERAL(""));
        bool has_read = key == NULL || table->key_count == 0 ? history_has_read_table(unit, table)
                                                             : whole != NULL && history_find_read(unit, whole) != NULL;
        intent->read_before = has_read || (intent->verb == SIGHT_INSERT && history_has_read_table(unit, table))
                                  ? SIGHT_READ_TABLE
                                  : SIGHT_NOT_READ;
    }
}

static void ask(struct sight_session *session, const struct sql_text *text, const struct parameters *parameters,
                struct sight_intent *intent) {
    const struct sql_statement *statement = first_write(text);
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
    answer_read(session->sight->history, session->transaction.unit, table, key, intent);
    if (intent->read_before != SIGHT_READ_ROW) {
        answer_read(session->sight->history, session->loose, table, key, intent);
    }
    free(key);
}

void sight_ask_query(struct sight_session *session, struct slice sql, struct sight_intent *intent) {
    *intent = (struct sight_intent){0};
    struct sql_text *text = sql_cache_get(session->sight->cache, sql);
    ask(session, text, &(struct parameters){0}, intent);
    sql_text_release(text);
}

void sight_ask_execute(struct sight_session *session, struct slice name, struct sight_intent *intent) {
    *intent = (struct sight_intent){0};
    const struct portal *portal = names_portal(session, name);
    if (portal != NULL) {
        const struct prepared *prepared = portal->prepared;
        struct parameters parameters = {portal->values, portal->value_count, prepared->types, prepared->type_count};
        ask(session, prepared->text, &parameters, intent);
    }
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
