// Writes the races as JSON. Loop thread.
#ifndef SERVER_JSON_JSON_RACES_H
#define SERVER_JSON_JSON_RACES_H

#include "observability/base/base.h"
#include "workers/bank/bank.h"

// The keys of a step, without the braces, so that more may stand before them.
void json_write_step_keys(struct text *out, const struct told_step *step);

// `,"trace_url":` and the address of a trace, made from a template with {trace_id} in it; null without either.
void json_write_trace_url(struct text *out, const char *template, const char *trace_id);

void json_write_races(struct text *out, const struct race_list *races);
// `trace_url` is a template with {trace_id} in it, or NULL.
void json_write_race(struct text *out, const struct race_detail *detail, const char *trace_url);

#endif
