// What the files of a running transfer and of a batch share, and nobody else includes.
#ifndef WORKERS_TRANSFER_TRANSFER_INTERNAL_H
#define WORKERS_TRANSFER_TRANSFER_INTERNAL_H

#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

// Runs a statement, and with it those that were waiting to travel. `rows` may be NULL.
MUST_CHECK enum db_status transfer_execute(struct transfer *transfer, enum statement statement,
                                           const char *const *values, int value_count, struct db_rows *rows);
// And COMMIT behind it, in the same round trip, if in a transaction. `doubt` is what is not known if the connection
// breaks before the answer.
MUST_CHECK enum db_status transfer_execute_and_commit(struct transfer *transfer, enum statement statement,
                                                      const char *const *values, int value_count, struct db_rows *rows,
                                                      enum transfer_doubt doubt);

MUST_CHECK static inline struct clock_anchor transfer_anchor(const struct transfer_request *request) {
    return (struct clock_anchor){request->received_us, request->received_ns};
}
// Microseconds since 1970 as the answer of a statement has them, by the database's clock, as a moment of the monotonic
// clock; `step` began when the statement was sent and ended when its answer was here.
MUST_CHECK uint64_t transfer_moment_ns(const struct transfer *transfer, const char *database_us,
                                       const struct step *step);

// $1 to $10 of every statement that writes a record, and room for what each has beyond.
#define RECORD_VALUES 10
#define RECORD_VALUES_MAX 17
struct record_values {
    char received_us[24];
    char duration_ms[32];
    char trace_id[TRACE_ID_HEX];
    char sent_us[24];
    char ahead_us[24];
    struct money_text amount;
    struct text steps; // freed by whoever took the values
    const char *values[RECORD_VALUES_MAX];
};
void record_values_take(struct record_values *record, const struct transfer_request *request,
                        const struct transfer_result *result);
// $11 and $12 of those that take a moment of the database's clock into the record.
#define RECORD_CLOCK_VALUES 2
void record_values_take_clock(struct record_values *record, const struct transfer_request *request);

// What the failure of a statement means for the transfer.
MUST_CHECK enum transfer_outcome transfer_outcome_of(struct transfer *transfer, enum db_status status);

// The log line of a race, if it was one.
void transfer_log_race(const struct transfer_request *request, const struct transfer_result *result);

#endif
