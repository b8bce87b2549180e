// A transfer on its worker thread. Everything here blocks; nothing here may run on the loop.
//
// transfer_run() is called by a transfer's job. It calls the strategy, which calls the steps of transfer_steps.h.
#ifndef WORKERS_TRANSFER_TRANSFER_H
#define WORKERS_TRANSFER_TRANSFER_H

#include "observability/log/log.h"
#include "workers/transfer/feed.h"
#include "workers/transfer/settings.h"
#include "workers/transfer/step.h"
#include "workers/transfer/strategy.h"
#include "workers/transfer/told_step.h"
#include "workers/transfer/transfer_record.h"
#include "workers/transfer/transfer_request.h"
#include "workers/transfer/transfer_spans.h"
#include "workers/transfer/transfer_steps.h"
#include "workers/transfer/transfer_tell.h"

// A log line about a transfer; what it says is worked out only if the level is wanted.
#define request_log(request, level, ...)                                                                               \
    (log_enabled(level)                                                                                                \
         ? log_write((level), &(struct log_context){.transfer_id = (request)->id, .trace = &(request)->trace},         \
                     __VA_ARGS__)                                                                                      \
         : (void)0)
#define transfer_log(transfer, level, ...) request_log((transfer)->request, level, __VA_ARGS__)

// Runs the request to its outcome, with the strategy and the gates of its settings.
void transfer_run(const struct transfer_request *request, struct db_session *session, struct gate *gate,
                  const char *thread_id, struct transfer_result *result);

// Only waits at the barrier, for a transfer that will be booked with others.
void transfer_pass_barrier(const struct transfer_request *request, struct gate *gate, struct transfer_result *result);

// Whether the database has this account. No account has an id that the database's encoding cannot write.
MUST_CHECK enum db_status transfer_account_exists(struct db_session *session, const char *id, bool *found);

// Pauses before attempt `attempts` + 1.
void transfer_back_off(unsigned attempts);
// Takes the time and writes the last line of the log.
void transfer_end(const struct transfer_request *request, struct transfer_result *result);

#endif
