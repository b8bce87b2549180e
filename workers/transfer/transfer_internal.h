// The private header of this folder: functions that the steps of a transfer share. The batch folder includes it as
// well.
#ifndef WORKERS_TRANSFER_TRANSFER_INTERNAL_H
#define WORKERS_TRANSFER_TRANSFER_INTERNAL_H

#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

// Sends the queued statements and this one in one round trip. `rows` may be NULL.
MUST_CHECK enum db_status transfer_execute(struct transfer *transfer, enum statement statement,
                                           const char *const *values, int value_count, struct db_rows *rows);
// The same, and COMMIT behind it if in a transaction. If the connection breaks before the answer, the result's doubt is
// set to `doubt`.
MUST_CHECK enum db_status transfer_execute_and_commit(struct transfer *transfer, enum statement statement,
                                                      const char *const *values, int value_count, struct db_rows *rows,
                                                      enum transfer_doubt doubt);

MUST_CHECK static inline struct clock_anchor transfer_anchor(const struct transfer_request *request) {
    return (struct clock_anchor){request->received_us, request->received_ns};
}
// Converts a time in the answer of a statement (microseconds since 1970 on the database's clock) to the monotonic
// clock. `step` began when the statement was sent, and ended when its answer arrived.
MUST_CHECK uint64_t transfer_moment_ns(const struct transfer *transfer, int64_t database_us, const struct step *step);

// The parameters $1 to $10 of every statement that writes a record, with room for further parameters of each statement.
#define RECORD_VALUES 10
#define RECORD_VALUES_MAX 17
struct record_values {
    char received_us[24];
    char duration_ms[32];
    char trace_id[TRACE_ID_HEX];
    char sent_us[24];
    char ahead_us[24];
    struct money_text amount;
    struct text steps; // the caller frees it after the statement
    const char *values[RECORD_VALUES_MAX];
};
void record_values_take(struct record_values *record, const struct transfer_request *request,
                        struct transfer_result *result);
// Adds $11 and $12, for statements that record a time of the database's clock.
#define RECORD_CLOCK_VALUES 2
void record_values_take_clock(struct record_values *record, const struct transfer_request *request);

// Returns the outcome of a transfer after a statement with this status.
MUST_CHECK enum transfer_outcome transfer_outcome_of(struct transfer *transfer, enum db_status status);

// The outcome after a read at the standby that ended with this status: nothing has happened.
MUST_CHECK enum transfer_outcome transfer_standby_failed(struct transfer *transfer, enum db_status status);

// Takes the seq of the record from the first row of the statement that wrote it.
void transfer_take_seq(struct transfer *transfer, const struct db_rows *rows, int column);
// Sets the commit time of the writes of this attempt.
void transfer_note_commit(struct step_list *list);

// Logs the race if the transfer raced, over `account`. `version_found` is the version that its write replaced, or
// WRITE_VERSION_UNKNOWN.
void transfer_log_race(const struct transfer_request *request, const struct transfer_result *result,
                       const char *account, int64_t version_found);

#endif
