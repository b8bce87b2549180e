// The events of GET /events: each is encoded once, kept in the ring, and written to every subscriber. Loop thread.
//
// Transfers are sampled while there is a subscriber, and for a minute after the last one left, so that a page that
// reloads can resume. At most 64 at once and then 16 a second are sampled, so the cost for subscribers is bounded under
// load. The other transfers are only counted.
#ifndef SERVER_EVENTS_EVENTS_H
#define SERVER_EVENTS_EVENTS_H

#include "observability/metrics/metrics.h"
#include "server/events/event_stream.h"
#include "workers/bank/bank.h"
#include "workers/jobs/jobs.h"
#include "workers/transfer/transfer.h"

struct conn;
struct events;

// `trace_url` is a template with {trace_id} in it, or NULL.
MUST_CHECK struct events *events_new(uv_loop_t *loop, struct metrics *metrics, const char *trace_url);
// Sends "bye" to the subscribers and closes their connections.
void events_end(struct events *events);
void events_leave_loop(struct events *events); // call it once, after the last worker has finished
void events_free(struct events *events);       // after the loop has ended
void events_sweep(struct events *events);      // call it every SWEEP_INTERVAL_MS

// A transfer is about to be submitted: decides whether it is sampled.
void events_admit(struct events *events, struct transfer_job *transfer);
// It has ended, and this is the answer: 200 for one with a record, else a problem with `detail`.
void events_transfer_ended(struct transfer_job *transfer, int status, struct slice detail);
void events_settings_changed(struct events *events, const struct settings *settings);
void events_reset(struct events *events, const struct account_list *accounts);

MUST_CHECK bool events_are_full(const struct events *events); // no more subscribers
// Makes the connection a subscriber. `last_id` is what it had last, or empty.
void events_subscribe(struct events *events, struct conn *conn, struct slice last_id, const struct settings *settings);

#endif
