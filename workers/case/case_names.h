// The names of the variables that may be set at a place of a program. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_NAMES_H
#define WORKERS_CASE_CASE_NAMES_H

#include "workers/case/case.h"
#include "workers/case/case_memory.h"

struct case_names {
    struct case_known_name {
        const char *name;
        bool is_prefix; // a \gset whose columns are not known sets some variables that begin so
    } * items;
    size_t count;
};

void case_names_add(struct case_memory *memory, struct case_names *names, const char *name, bool is_prefix);
MUST_CHECK bool case_names_have(const struct case_names *names, const char *name);
void case_names_append(struct text *out, const struct case_names *names); // "a, b and all that begin with c"

// Adds the variables that \gset sets for the columns of a statement.
void case_names_add_columns(struct case_memory *memory, struct case_names *names, struct slice sql, const char *prefix);

#endif
