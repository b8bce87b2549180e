// Makes templates: texts with variables in psql's notation. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_TEMPLATE_H
#define WORKERS_CASE_CASE_TEMPLATE_H

#include "workers/case/case.h"
#include "workers/case/case_memory.h"

// A template that grows piece by piece. Starts as {.memory = memory}.
struct case_template_maker {
    struct case_memory *memory;
    struct case_template made;
    struct text plain; // the plain text behind the last piece
};

void case_template_add_text(struct case_template_maker *maker, struct slice text);
void case_template_add_variable(struct case_template_maker *maker, enum case_piece_kind kind, struct slice name);
// Returns the template, which the memory owns, and frees the maker's own text. The maker can be used again.
MUST_CHECK struct case_template case_template_end(struct case_template_maker *maker);

// Splits a statement into text and variables. psql sends \; and \: without the backslash.
MUST_CHECK struct case_template case_template_of_sql(struct case_memory *memory, struct slice sql);
MUST_CHECK struct case_template case_template_of_text(struct case_memory *memory, struct slice text);

#endif
