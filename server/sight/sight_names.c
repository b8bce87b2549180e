// A statement that cannot be kept, because the session is full, is unknown when it is bound.
#include "server/sight/sight_names.h"

#include <stdlib.h>

struct description *description_new(const struct sight_field *fields, size_t count) {
    count = MIN(count, (size_t)SIGHT_VALUES_MAX);
    struct description *description = memory_allocate(sizeof *description + count * sizeof *fields);
    description->references = 1;
    description->count = count;
    if (count > 0) {
        memcpy(description->fields, fields, count * sizeof *fields);
    }
    return description;
}

struct description *description_keep(struct description *description) {
    description->references++;
    return description;
}

void description_release(struct description *description) {
    if (description != NULL && --description->references == 0) {
        free(description);
    }
}

// --- Prepared statements ---

static size_t prepared_size(const struct prepared *prepared) {
    return sizeof *prepared + prepared->text->size + strlen(prepared->name);
}

struct prepared *prepared_keep(struct prepared *prepared) {
    prepared->references++;
    return prepared;
}

void prepared_release(struct sight_session *session, struct prepared *prepared) {
    if (prepared != NULL && --prepared->references == 0) {
        session->memory -= prepared_size(prepared);
        sql_text_release(prepared->text);
        description_release(prepared->description);
        free(prepared->types);
        free(prepared);
    }
}

struct prepared *names_prepared(const struct sight_session *session, struct slice name) {
    struct prepared *prepared;
    LIST_FOREACH(prepared, &session->prepared, link) {
        if (slice_equals(slice_of(prepared->name), name)) {
            return prepared;
        }
    }
    return NULL;
}

static void close_prepared(struct sight_session *session, struct prepared *prepared) {
    if (prepared != NULL) {
        LIST_REMOVE(prepared, link);
        prepared_release(session, prepared);
    }
}

void names_set_types(struct prepared *prepared, const uint32_t *types, size_t count) {
    free(prepared->types);
    prepared->type_count = MIN(count, (size_t)SIGHT_VALUES_MAX);
    prepared->types = memory_allocate(MAX(prepared->type_count, (size_t)1) * sizeof *types);
    if (prepared->type_count > 0) {
        memcpy(prepared->types, types, prepared->type_count * sizeof *types);
    }
}

void names_parse(struct sight_session *session, struct slice name, struct slice sql, const uint32_t *types,
                 size_t type_count) {
    struct prepared *old = names_prepared(session, name);
    // The server refuses a name that exists. Which of the two texts it runs from now on is unknown here, because the
    // old one may have been deallocated in a way that was not seen.
    bool is_ambiguous = old != NULL && name.length > 0 && !slice_equals(old->text->sql, sql);
    struct sql_text *text = sql_cache_get(session->sight->cache, is_ambiguous ? SLICE_LITERAL("") : sql);
    close_prepared(session, old);
    if (session->memory + text->size > session->sight->options.session_memory_max) {
        session->sight->dropped++;
        sql_text_release(text);
        return;
    }
    struct prepared *prepared = memory_allocate_zeroed(sizeof *prepared + name.length + 1);
    memcpy(prepared->name, name.data, name.length);
    prepared->references = 1;
    prepared->text = text;
    names_set_types(prepared, types, type_count);
    session->memory += prepared_size(prepared);
    LIST_INSERT_HEAD(&session->prepared, prepared, link);
}

// --- Portals ---

struct portal *portal_keep(struct portal *portal) {
    portal->references++;
    return portal;
}

void portal_release(struct sight_session *session, struct portal *portal) {
    if (portal == NULL || --portal->references > 0) {
        return;
    }
    for (size_t i = 0; i < portal->value_count; i++) {
        free((char *)(uintptr_t)portal->values[i].data.data);
    }
    free(portal->values);
    free(portal->formats);
    description_release(portal->description);
    prepared_release(session, portal->prepared);
    session->memory -= portal->size;
    free(portal);
}

struct portal *names_portal(const struct sight_session *session, struct slice name) {
    struct portal *portal;
    LIST_FOREACH(portal, &session->portals, link) {
        if (slice_equals(slice_of(portal->name), name)) {
            return portal;
        }
    }
    return NULL;
}

static void close_portal(struct sight_session *session, struct portal *portal) {
    if (portal != NULL) {
        LIST_REMOVE(portal, link);
        portal_release(session, portal);
    }
}

static void copy_values(struct portal *portal, const struct sight_value *values, size_t count) {
    portal->value_count = count;
    portal->values = memory_allocate_zeroed(MAX(count, (size_t)1) * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        portal->values[i].format = values[i].format;
        if (values[i].data.data != NULL && values[i].data.length <= BOUND_VALUE_MAX) {
            char *copy = memory_allocate(values[i].data.length + 1);
            memcpy(copy, values[i].data.data, values[i].data.length);
            portal->values[i].data = (struct slice){copy, values[i].data.length};
            portal->size += values[i].data.length;
        }
    }
    portal->size += count * sizeof *values;
}

void names_bind(struct sight_session *session, struct slice portal_name, struct slice name,
                const struct sight_value *values, size_t value_count, const int16_t *formats, size_t format_count) {
    close_portal(session, names_portal(session, portal_name));
    struct prepared *prepared = names_prepared(session, name);
    value_count = MIN(value_count, (size_t)SIGHT_VALUES_MAX);
    format_count = MIN(format_count, (size_t)SIGHT_VALUES_MAX);
    if (prepared == NULL || session->memory > session->sight->options.session_memory_max) {
        session->sight->dropped++;
        return;
    }
    struct portal *portal = memory_allocate_zeroed(sizeof *portal + portal_name.length + 1);
    memcpy(portal->name, portal_name.data, portal_name.length);
    portal->references = 1;
    portal->size = sizeof *portal + portal_name.length + format_count * sizeof *formats;
    portal->prepared = prepared_keep(prepared);
    copy_values(portal, values, value_count);
    portal->format_count = format_count;
    portal->formats = memory_allocate(MAX(format_count, (size_t)1) * sizeof *formats);
    if (format_count > 0) {
        memcpy(portal->formats, formats, format_count * sizeof *formats);
    }
    session->memory += portal->size;
    LIST_INSERT_HEAD(&session->portals, portal, link);
}

void names_close(struct sight_session *session, char kind, struct slice name) {
    if (kind == 'S') {
        close_prepared(session, names_prepared(session, name));
    } else {
        close_portal(session, names_portal(session, name));
    }
}

void names_close_all(struct sight_session *session) {
    struct prepared *next_prepared;
    for (struct prepared *each = LIST_FIRST(&session->prepared); each != NULL; each = next_prepared) {
        next_prepared = LIST_NEXT(each, link);
        close_prepared(session, each);
    }
    struct portal *next_portal;
    for (struct portal *each = LIST_FIRST(&session->portals); each != NULL; each = next_portal) {
        next_portal = LIST_NEXT(each, link);
        close_portal(session, each);
    }
}
