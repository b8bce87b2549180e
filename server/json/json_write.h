// JSON out: the parts that more than one answer or event has. An answer's own part is written by its handler. Loop
// thread. Money goes from cents to text with no floating point in between.
#ifndef SERVER_JSON_JSON_WRITE_H
#define SERVER_JSON_JSON_WRITE_H

#include "observability/base/base.h"
#include "workers/bank/bank.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

// As the functions of json_writer.h: each adds a member of the given name, or an element if the name is NULL.
void json_add_account(struct json_writer *json, const char *name, const struct account *account);
void json_add_accounts(struct json_writer *json, const char *name, const struct account_list *accounts);
void json_add_record(struct json_writer *json, const char *name, const struct transfer_record *record);
void json_add_settings(struct json_writer *json, const char *name, const struct settings *settings);
// Adds "trace_url": the address of the trace, made from a template with {trace_id} in it; null without either.
void json_add_trace_url(struct json_writer *json, const char *template, const char *trace_id);

// These add members to an object that is open already, so that others may stand beside them.
void json_add_record_members(struct json_writer *json, const struct transfer_record *record);
// Adds "replica", or nothing if the program has no name.
void json_add_replica(struct json_writer *json, const char *replica);
void json_add_step_members(struct json_writer *json, const struct step_view *step);

#endif
