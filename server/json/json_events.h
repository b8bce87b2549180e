// Writes the data of events as JSON, one line each. Loop thread.
#ifndef SERVER_JSON_JSON_EVENTS_H
#define SERVER_JSON_JSON_EVENTS_H

#include "observability/base/base.h"
#include "workers/jobs/jobs.h"
#include "workers/transfer/transfer.h"

void json_write_admitted(struct text *out, const struct transfer_request *request);
void json_write_step_event(struct text *out, const struct queued_event *event);
void json_write_barrier_arrival(struct text *out, const struct queued_event *event);
void json_write_barrier_release(struct text *out, const struct queued_event *event);
// `trace_url` is a template with {trace_id} in it, or NULL.
void json_write_transfer_event(struct text *out, const struct transfer_job *transfer, int status, struct slice detail,
                               const char *trace_url);

#endif
