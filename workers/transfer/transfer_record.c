// Makes the record of a transfer that has ended, or takes it from the database's answer. Any thread.
#include "workers/transfer/transfer_record.h"

#include "workers/database/database.h"
#include "workers/transfer/strategy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void transfer_record_of(const struct transfer_request *request, const struct transfer_result *result,
                        struct transfer_record *out) {
    *out = (struct transfer_record){
        .id = request->id,
        .from_account = request->from_account,
        .to_account = request->to_account,
        .amount = request->amount,
        .from_balance_before = result->from_balance_before,
        .from_balance_after = result->from_balance_after,
        .to_balance_before = result->to_balance_before,
        .to_balance_after = result->to_balance_after,
        .status = transfer_outcome_status(result->outcome),
        .thread_id = result->thread_id,
        // A repeat of the key is answered from the row in the table, so the first answer has its duration as well.
        .duration_us = request->key == NULL ? result->duration_ns / NANOSECONDS_PER_MICROSECOND : result->recorded_us,
        .strategy = request->settings.strategy->name,
        .race_detected = result->race_detected,
        .anomaly = transfer_anomaly(result),
        .replica = replica_name(),
    };
    clock_format_timestamp(request->received_us, out->timestamp);
    trace_context_trace_id(&request->trace, out->trace_id);
}

// "12.345" milliseconds, as numeric(12,3) is printed, to microseconds. A record of an older version, made while a clock
// was set back, may hold a negative number: that is no duration, so it reads as 0.
static uint64_t microseconds_of(const char *milliseconds) {
    if (milliseconds[0] == '-') {
        return 0;
    }
    char *point = NULL;
    uint64_t whole = strtoull(milliseconds, &point, 10);
    uint64_t fraction = *point == '.' ? strtoull(point + 1, NULL, 10) : 0;
    return whole * 1000 + fraction;
}

bool transfer_record_take(const struct db_rows *rows, int row, struct transfer_record *out) {
    const char *trace_id = db_rows_value(rows, row, 15); // SQL's NULL reads as ""
    *out = (struct transfer_record){
        .id = db_rows_value(rows, row, 0),
        .from_account = db_rows_value(rows, row, 2),
        .to_account = db_rows_value(rows, row, 3),
        .status = db_rows_value(rows, row, 9),
        .thread_id = db_rows_value(rows, row, 10),
        .duration_us = microseconds_of(db_rows_value(rows, row, 11)),
        .strategy = db_rows_value(rows, row, 12),
        .race_detected = db_rows_value(rows, row, 13)[0] == 't',
        .anomaly = db_rows_is_null(rows, row, 14) ? NULL : db_rows_value(rows, row, 14),
        .replica = db_rows_is_null(rows, row, 16) ? NULL : db_rows_value(rows, row, 16),
    };
    (void)snprintf(out->timestamp, sizeof out->timestamp, "%s", db_rows_value(rows, row, 1));
    if (strlen(trace_id) < sizeof out->trace_id) { // a longer text is not a trace id
        (void)snprintf(out->trace_id, sizeof out->trace_id, "%s", trace_id);
    }
    return money_column_read(rows, row, 4, &out->amount) &&
           money_column_read(rows, row, 5, &out->from_balance_before) &&
           money_column_read(rows, row, 6, &out->from_balance_after) &&
           money_column_read(rows, row, 7, &out->to_balance_before) &&
           money_column_read(rows, row, 8, &out->to_balance_after);
}

void transfer_replay_free(struct transfer_replay *replay) {
    if (replay != NULL) {
        db_rows_free(&replay->rows);
        free(replay);
    }
}
