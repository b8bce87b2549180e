// Two hash tables, by oid and by name. Tables are few and never removed before the end.
#include "server/sight/sight_catalogue.h"

#include "server/sight/sight_sql.h"

#include <stdlib.h>

enum { SLOTS = 512 };
LIST_HEAD(table_slot, table);

struct catalogue {
    struct table_slot by_oid[SLOTS], by_name[SLOTS];
    SLIST_HEAD(, table) all;
    size_t count;
};

static char *copy_string(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = memory_allocate(size);
    memcpy(copy, text, size);
    return copy;
}

struct catalogue *catalogue_new(void) {
    return memory_allocate_zeroed(sizeof(struct catalogue));
}

static void free_table(struct table *table) {
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].name);
    }
    free(table->columns);
    free(table->below);
    free(table->origins);
    free(table->database);
    free(table->schema);
    free(table->name);
    free(table->shown);
    free(table);
}

void catalogue_free(struct catalogue *catalogue) {
    while (!SLIST_EMPTY(&catalogue->all)) {
        struct table *table = SLIST_FIRST(&catalogue->all);
        SLIST_REMOVE_HEAD(&catalogue->all, all);
        free_table(table);
    }
    free(catalogue);
}

static size_t slot_of_name(const char *database, const char *name) {
    return sql_hash(sql_hash(SQL_HASH_START, database, strlen(database) + 1), name, strlen(name)) % SLOTS;
}

static size_t slot_of_oid(const char *database, uint32_t oid) {
    return sql_hash(sql_hash(SQL_HASH_START, database, strlen(database)), (const char *)&oid, sizeof oid) % SLOTS;
}

static struct table *find_by_oid(const struct catalogue *catalogue, const char *database, uint32_t oid) {
    struct table *table;
    LIST_FOREACH(table, &catalogue->by_oid[slot_of_oid(database, oid)], by_oid) {
        if (table->oid == oid && strcmp(table->database, database) == 0) {
            return table;
        }
    }
    return NULL;
}

struct table *catalogue_by_oid(const struct catalogue *catalogue, const char *database, uint32_t oid) {
    struct table *table = find_by_oid(catalogue, database, oid);
    return table != NULL && !table->is_gone ? table : NULL;
}

void catalogue_forget(struct catalogue *catalogue, const char *database) {
    struct table *table;
    SLIST_FOREACH(table, &catalogue->all, all) {
        table->is_gone |= table->oid != 0 && strcmp(table->database, database) == 0;
    }
}

void catalogue_clear_versioned(struct catalogue *catalogue, const char *database) {
    struct table *table;
    SLIST_FOREACH(table, &catalogue->all, all) {
        if (strcmp(table->database, database) == 0) {
            table->versioned_since = 0;
        }
    }
}

static struct table *find_by_name(const struct catalogue *catalogue, const char *database, const char *schema,
                                  const char *name, bool is_placeholder) {
    struct table *table;
    struct table *found = NULL;
    LIST_FOREACH(table, &catalogue->by_name[slot_of_name(database, name)], by_name) {
        if (strcmp(table->name, name) == 0 && strcmp(table->database, database) == 0 &&
            (table->oid == 0) == is_placeholder && !table->is_gone &&
            (schema == NULL || strcmp(table->schema, schema) == 0)) {
            if (found != NULL) {
                return NULL;
            }
            found = table;
        }
    }
    return found;
}

struct table *catalogue_by_name(const struct catalogue *catalogue, const char *database, const char *schema,
                                const char *name) {
    return find_by_name(catalogue, database, schema, name, false);
}

static struct table *add(struct catalogue *catalogue, const char *database, uint32_t oid, const char *schema,
                         const char *name) {
    struct table *old = oid != 0 ? find_by_oid(catalogue, database, oid) : NULL;
    if (old != NULL) {
        LIST_REMOVE(old, by_oid);
        LIST_REMOVE(old, by_name);
    } else if (catalogue->count >= CATALOGUE_TABLES_MAX) {
        return NULL;
    }
    struct table *table = memory_allocate_zeroed(sizeof *table);
    struct text shown = {0};
    text_append_format(&shown, "%s%s%s", schema, schema[0] != '\0' ? "." : "", name);
    table->database = copy_string(database);
    table->schema = copy_string(schema);
    table->name = copy_string(name);
    table->shown = copy_string(text_terminated(&shown));
    table->oid = oid;
    text_free(&shown);
    SLIST_INSERT_HEAD(&catalogue->all, table, all);
    LIST_INSERT_HEAD(&catalogue->by_name[slot_of_name(database, name)], table, by_name);
    LIST_INSERT_HEAD(&catalogue->by_oid[slot_of_oid(database, oid)], table, by_oid);
    catalogue->count++;
    return table;
}

// A table that is described again keeps its struct, and with it the history of its rows.
static bool is_same(const struct table *table, const char *schema, const char *name, const struct sight_column *columns,
                    size_t count) {
    bool is_same = strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0 && table->below == NULL &&
                   table->column_count == count;
    size_t keys = 0;
    for (size_t i = 0; is_same && i < count; i++) {
        const struct table_column *own = &table->columns[i];
        bool in_key = keys < table->key_count && table->key[keys] == i;
        is_same = own->number == columns[i].number && own->type == columns[i].type &&
                  strcmp(own->name, columns[i].name) == 0 && in_key == columns[i].in_key;
        keys += in_key;
    }
    return is_same;
}

void catalogue_add(struct catalogue *catalogue, const char *database, uint32_t oid, const char *schema,
                   const char *name, const struct sight_column *columns, size_t count) {
    struct table *old = find_by_oid(catalogue, database, oid);
    if (old != NULL && is_same(old, schema, name, columns, count)) {
        old->is_gone = false;
        return;
    }
    struct table *table = add(catalogue, database, oid, schema, name);
    if (table == NULL) {
        return;
    }
    size_t keys = 0;
    table->columns = memory_allocate_zeroed(MAX(count, (size_t)1) * sizeof *table->columns);
    table->column_count = count;
    for (size_t i = 0; i < count; i++) {
        table->columns[i] = (struct table_column){copy_string(columns[i].name), columns[i].number, columns[i].type};
        if (columns[i].in_key && keys < KEY_COLUMNS_MAX) {
            table->key[keys] = i;
        }
        keys += columns[i].in_key;
    }
    table->key_count = keys <= KEY_COLUMNS_MAX ? keys : 0;
}

static bool is_same_view(const struct table *table, const struct sight_view *view) {
    bool is_same = table->below != NULL && table->below_count == view->table_count &&
                   memcmp(table->below, view->tables, view->table_count * sizeof *view->tables) == 0 &&
                   table->origin_count == view->column_count && table->has_names == view->has_names;
    for (size_t i = 0; is_same && i < view->column_count; i++) {
        const struct sight_view_column *own = &table->origins[i];
        is_same = own->number == view->columns[i].number && own->table == view->columns[i].table &&
                  own->column == view->columns[i].column;
    }
    return is_same;
}

void catalogue_add_view(struct catalogue *catalogue, const char *database, const struct sight_view *view) {
    struct table *old = find_by_oid(catalogue, database, view->oid);
    if (old != NULL && is_same_view(old, view)) {
        old->is_gone = false;
        return;
    }
    struct table *table = add(catalogue, database, view->oid, view->schema, view->name);
    if (table == NULL) {
        return;
    }
    table->below = memory_allocate(MAX(view->table_count, (size_t)1) * sizeof *table->below);
    memcpy(table->below, view->tables, view->table_count * sizeof *view->tables);
    table->below_count = view->table_count;
    table->origins = memory_allocate(MAX(view->column_count, (size_t)1) * sizeof *table->origins);
    memcpy(table->origins, view->columns, view->column_count * sizeof *view->columns);
    table->origin_count = view->column_count;
    table->has_names = view->has_names;
}

enum { VIEW_DEPTH_MAX = 16 }; // a view may read another view

struct table *catalogue_shown_by(const struct catalogue *catalogue, struct table *table) {
    struct table *shown = table;
    for (size_t depth = 0; shown->below != NULL && depth < VIEW_DEPTH_MAX; depth++) {
        struct table *below = shown->has_names ? catalogue_by_oid(catalogue, shown->database, shown->origins[0].table)
                                               : NULL;
        if (below == NULL) {
            return table;
        }
        shown = below;
    }
    return shown;
}

struct sight_field catalogue_origin(const struct catalogue *catalogue, const char *database, struct sight_field field) {
    for (size_t depth = 0; depth < VIEW_DEPTH_MAX; depth++) {
        const struct table *table = field.table != 0 ? catalogue_by_oid(catalogue, database, field.table) : NULL;
        const struct sight_view_column *origin = NULL;
        for (size_t i = 0; table != NULL && i < table->origin_count; i++) {
            origin = table->origins[i].number == field.column ? &table->origins[i] : origin;
        }
        if (origin == NULL) {
            return field;
        }
        field.table = origin->table;
        field.column = origin->column;
    }
    return field;
}

static bool reads(const struct catalogue *catalogue, const struct table *table, const struct table *other,
                  size_t depth) {
    bool found = table == other;
    for (size_t i = 0; !found && i < table->below_count && depth < VIEW_DEPTH_MAX; i++) {
        const struct table *below = catalogue_by_oid(catalogue, table->database, table->below[i]);
        found = below != NULL && reads(catalogue, below, other, depth + 1);
    }
    return found;
}

bool catalogue_reads(const struct catalogue *catalogue, const struct table *reader, const struct table *source) {
    return reads(catalogue, reader, source, 0);
}

struct table *catalogue_placeholder(struct catalogue *catalogue, const char *database, const char *schema,
                                    const char *name) {
    struct table *found = find_by_name(catalogue, database, schema != NULL ? schema : "", name, true);
    return found != NULL ? found : add(catalogue, database, 0, schema != NULL ? schema : "", name);
}

const struct table_column *table_column_named(const struct table *table, const char *name) {
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

const struct table_column *table_column_numbered(const struct table *table, int16_t number) {
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].number == number) {
            return &table->columns[i];
        }
    }
    return NULL;
}

uint64_t table_column_bit(const struct table_column *column) {
    return column != NULL && column->number > 0 && column->number < 63 ? UINT64_C(1) << column->number : 0;
}
