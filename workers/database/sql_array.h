// An array parameter in PostgreSQL's text form, {"a","b\"c"}
// (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). Any thread.
//
// The caller owns the array. It starts with zeros, and text_free(&array->text) frees it.
#ifndef WORKERS_DATABASE_SQL_ARRAY_H
#define WORKERS_DATABASE_SQL_ARRAY_H

#include "observability/base/base.h"

#include <stdint.h>

struct sql_array {
    struct text text;
};

void sql_array_add(struct sql_array *array, const char *value);
void sql_array_add_money(struct sql_array *array, int64_t cents);
// Returns the complete text, valid until the array is freed. No value may be added afterwards.
MUST_CHECK const char *sql_array_end(struct sql_array *array);

#endif
