// Runs a transfer on its worker thread. The functions may block: worker threads only.
//
// The job of a transfer calls transfer_run(). It calls the strategy, which calls the steps of transfer_steps.h.
#ifndef WORKERS_TRANSFER_TRANSFER_H
#define WORKERS_TRANSFER_TRANSFER_H

#include "observability/log/log.h"
#include "workers/transfer/event_queue.h"
#include "workers/transfer/recent_writes.h"
#include "workers/transfer/settings.h"
#include "workers/transfer/step.h"
#include "workers/transfer/step_view.h"
#include "workers/transfer/strategy.h"
#include "workers/transfer/transfer_events.h"
#include "workers/transfer/transfer_record.h"
#include "workers/transfer/transfer_request.h"
#include "workers/transfer/transfer_spans.h"
#include "workers/transfer/transfer_steps.h"

// Writes a log line about a transfer. `facts` is LOG_FACTS() with members of struct log_fields. The arguments are
// evaluated only if the level is enabled.
#define request_log(request, level, facts, ...)                                                                        \
    (log_enabled(level) ? log_write((level),                                                                           \
                                    &(struct log_context){.transfer_id = (request)->id,                                \
                                                          .trace = &(request)->trace,                                  \
                                                          .strategy = (request)->settings.strategy->name,              \
                                                          .fields = facts},                                            \
                                    __VA_ARGS__)                                                                       \
                        : (void)0)
#define transfer_log(transfer, level, facts, ...) request_log((transfer)->request, level, facts, __VA_ARGS__)
#define LOG_FACTS(...) (&(struct log_fields){__VA_ARGS__})

// Runs the request with the strategy and the gates of its settings, and fills the result. `thread_id` is borrowed.
void transfer_run(const struct transfer_request *request, struct db_session *session, struct gate *gate,
                  const char *thread_id, struct transfer_result *result);

// Only waits at the barrier, for a transfer that will be posted in a batch.
void transfer_pass_barrier(const struct transfer_request *request, struct gate *gate, struct transfer_result *result);

// Looks for the account. If the database's encoding cannot write the id, the result is DB_OK and `found` is false.
MUST_CHECK enum db_status transfer_account_exists(struct db_session *session, const char *id, bool *found);

// Sleeps before attempt `attempts` + 1.
void transfer_back_off(unsigned attempts);
// Sets the duration and writes the last log line of the transfer.
void transfer_end(const struct transfer_request *request, struct transfer_result *result);

#endif
