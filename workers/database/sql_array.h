// An array as a parameter: PostgreSQL's text form, {"a","b\"c"}.
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO. Owned by whoever began it with zeros; freed with
// text_free(&array->text). Any thread.
#ifndef WORKERS_DATABASE_SQL_ARRAY_H
#define WORKERS_DATABASE_SQL_ARRAY_H

#include "observability/base/base.h"

#include <stdint.h>

struct sql_array {
    struct text text;
};

void sql_array_add(struct sql_array *array, const char *value);
void sql_array_add_money(struct sql_array *array, int64_t cents);
// Complete, NUL-terminated; valid until the array is freed. Nothing may be added after it.
MUST_CHECK const char *sql_array_end(struct sql_array *array);

#endif
