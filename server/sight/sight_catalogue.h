// Tables as the relay describes them: columns by number and name, the primary key, the tables below a view.
#ifndef SERVER_SIGHT_SIGHT_CATALOGUE_H
#define SERVER_SIGHT_SIGHT_CATALOGUE_H

#include "server/sight/sight.h"

#include <sys/queue.h>

enum { KEY_COLUMNS_MAX = 8, CATALOGUE_TABLES_MAX = 20000 };

struct table_column {
    char *name;
    int16_t number;
    uint32_t type;
};

// Lives until the catalogue is freed: a table that is described again gets a new struct, and histories keep the old.
struct table {
    LIST_ENTRY(table) by_oid, by_name;
    SLIST_ENTRY(table) all;
    char *database, *schema, *name;
    char *shown;  // schema.name
    uint32_t oid; // 0: only its name is known
    struct table_column *columns;
    size_t column_count;
    size_t key[KEY_COLUMNS_MAX]; // indexes into columns
    size_t key_count;            // 0: the rows are unknown
    uint32_t *below;             // the tables that a view reads
    size_t below_count;
    struct sight_view_column *origins; // a view's columns whose origin is known
    size_t origin_count;
    bool has_names;           // they are named as their origins
    uint64_t versioned_since; // triggers record the writes that are sent after this place in the order; 0: none does
    uint64_t known_since;     // when it was added; a unit that began before may have read it by its name only
    bool is_gone;             // forgotten, and not added again
};

struct catalogue;
MUST_CHECK struct catalogue *catalogue_new(void);
void catalogue_free(struct catalogue *catalogue);

void catalogue_forget(struct catalogue *catalogue, const char *database);
void catalogue_add(struct catalogue *catalogue, const char *database, uint32_t oid, const char *schema,
                   const char *name, const struct sight_column *columns, size_t count);
void catalogue_add_view(struct catalogue *catalogue, const char *database, const struct sight_view *view);
// The table whose rows a view shows under the same column names; the table itself if it is no such view.
MUST_CHECK struct table *catalogue_shown_by(const struct catalogue *catalogue, struct table *table);
// The field of the table that a field of a view shows; the field itself if that is unknown.
MUST_CHECK struct sight_field catalogue_origin(const struct catalogue *catalogue, const char *database,
                                               struct sight_field field);
// True if `reader` is the table `source`, or a view that reads it.
MUST_CHECK bool catalogue_reads(const struct catalogue *catalogue, const struct table *reader,
                                const struct table *source);
// Triggers record no more.
void catalogue_clear_versioned(struct catalogue *catalogue, const char *database);
MUST_CHECK struct table *catalogue_by_oid(const struct catalogue *catalogue, const char *database, uint32_t oid);
// NULL also if the name is ambiguous without a schema.
MUST_CHECK struct table *catalogue_by_name(const struct catalogue *catalogue, const char *database, const char *schema,
                                           const char *name);
// A table of which only the name is known; NULL if there are too many.
MUST_CHECK struct table *catalogue_placeholder(struct catalogue *catalogue, const char *database, const char *schema,
                                               const char *name);
MUST_CHECK const struct table_column *table_column_named(const struct table *table, const char *name);
MUST_CHECK const struct table_column *table_column_numbered(const struct table *table, int16_t number);
// A bit for each column, by its number; columns beyond 62 have none and are not compared.
MUST_CHECK uint64_t table_column_bit(const struct table_column *column);

#endif
