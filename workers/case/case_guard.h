// Moves the check of a value into the UPDATE that depends on it. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_GUARD_H
#define WORKERS_CASE_CASE_GUARD_H

#include "workers/case/case.h"
#include "workers/case/case_memory.h"

// Changes the session, and appends the changed lines as a diff. False: there is no place where that can be done without
// a person.
MUST_CHECK bool case_place_guard(struct case_memory *memory, struct case_session *session, struct text *diff);

// Appends a line of a diff; a text of several lines gives several. `end`: what stands behind the text.
void case_append_diff(struct text *diff, char sign, const char *text, const char *end);
// Appends a statement as it stands in the file.
void case_append_statement_diff(struct text *diff, char sign, const struct case_instruction *statement);

#endif
