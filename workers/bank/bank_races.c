// Reads the races. Worker threads.
#include "workers/bank/bank_races.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The columns of a race, and behind them, in a list, those of the totals.
enum race_column {
    RACE_ID,
    RACE_IDS,
    RACE_TRANSFERS,
    RACE_ACCOUNT,
    RACE_AT,
    RACE_STRATEGIES,
    RACE_VERDICT,
    RACE_LOWEST,
    RACE_SUCCEEDED,
    RACE_REFUSED,
    TOTAL_TRANSFERS,
    TOTAL_RACED_TRANSFERS,
    TOTAL_DOUBLE_SPENDS,
    TOTAL_LOST_UPDATES,
    TOTAL_DRIFT,
    TOTAL_SINCE
};

// Behind the columns of a record: which race it belongs to, and its place among all records.
enum { MEMBER_RESET = 17, MEMBER_RACE, MEMBER_SEQ };

static bool take_race(const struct db_rows *rows, int row, struct race *out) {
    out->id = db_rows_value(rows, row, RACE_ID);
    out->ids = db_rows_value(rows, row, RACE_IDS);
    out->transfer_count = (uint64_t)db_rows_integer(rows, row, RACE_TRANSFERS);
    out->account = db_rows_value(rows, row, RACE_ACCOUNT);
    out->at = db_rows_value(rows, row, RACE_AT);
    out->strategies = db_rows_value(rows, row, RACE_STRATEGIES);
    out->verdict = db_rows_value(rows, row, RACE_VERDICT);
    out->succeeded = (uint64_t)db_rows_integer(rows, row, RACE_SUCCEEDED);
    out->refused = (uint64_t)db_rows_integer(rows, row, RACE_REFUSED);
    return money_column_read(rows, row, RACE_LOWEST, &out->lowest_balance);
}

enum db_status bank_read_races(struct db_session *session, unsigned limit, struct race_list *out) {
    *out = (struct race_list){0};
    char limit_text[16];
    (void)snprintf(limit_text, sizeof limit_text, "%u", limit);
    const char *values[] = {limit_text};
    enum db_status status = db_execute(session, STATEMENT_READ_RACES, values, 1, &out->rows);
    if (status != DB_OK) {
        return status;
    }
    const struct db_rows *rows = &out->rows;
    bool good = db_rows_count(rows) > 0;
    if (good) {
        out->totals.money_drift = money_column_sum(rows, 0, TOTAL_DRIFT);
        good = out->totals.money_drift != NULL;
    }
    if (good) {
        out->totals.transfers = (uint64_t)db_rows_integer(rows, 0, TOTAL_TRANSFERS);
        out->totals.raced_transfers = (uint64_t)db_rows_integer(rows, 0, TOTAL_RACED_TRANSFERS);
        out->totals.double_spends = (uint64_t)db_rows_integer(rows, 0, TOTAL_DOUBLE_SPENDS);
        out->totals.lost_updates = (uint64_t)db_rows_integer(rows, 0, TOTAL_LOST_UPDATES);
        out->totals.since = db_rows_is_null(rows, 0, TOTAL_SINCE) ? NULL : db_rows_value(rows, 0, TOTAL_SINCE);
        out->count = db_rows_is_null(rows, 0, RACE_ID) ? 0 : (size_t)db_rows_count(rows);
    }
    out->races = memory_allocate_zeroed((out->count + 1) * sizeof *out->races);
    for (size_t i = 0; i < out->count && good; i++) {
        good = take_race(rows, (int)i, &out->races[i]);
    }
    if (!good) {
        race_list_free(out);
    }
    return good ? DB_OK : DB_FAILED;
}

// --- One race ---

static bool take_steps(const struct db_rows *rows, struct race_detail *out) {
    out->step_count = (size_t)db_rows_count(rows);
    out->steps = memory_allocate_zeroed((out->step_count + 1) * sizeof *out->steps);
    for (int row = 0; row < (int)out->step_count; row++) {
        struct race_step *race_step = &out->steps[row];
        struct step_view *step = &race_step->step;
        race_step->transfer_id = db_rows_value(rows, row, 0);
        step->name = db_rows_value(rows, row, 1);
        step->account = db_rows_value(rows, row, 2);
        step->has_value = !db_rows_is_null(rows, row, 3);
        step->at_us = db_rows_integer(rows, row, 4);
        step->took_us = db_rows_integer(rows, row, 5);
        step->parties = (uint32_t)db_rows_integer(rows, row, 6);
        step->outcome = db_rows_value(rows, row, 7);
        step->committed_at_us = db_rows_integer(rows, row, 8);
        if (step->has_value && !money_column_read(rows, row, 3, &step->value)) {
            return false;
        }
    }
    return true;
}

static bool take_missed(const struct db_rows *rows, struct race_detail *out) {
    out->missed_count = (size_t)db_rows_count(rows);
    out->missed = memory_allocate_zeroed((out->missed_count + 1) * sizeof *out->missed);
    bool good = true;
    for (int row = 0; row < (int)out->missed_count && good; row++) {
        struct missed_write *missed = &out->missed[row];
        missed->stale_reader = db_rows_value(rows, row, 0);
        missed->read_at_us = db_rows_integer(rows, row, 1);
        missed->writer = db_rows_value(rows, row, 3);
        missed->written_at_us = db_rows_integer(rows, row, 4);
        missed->account = db_rows_value(rows, row, 6);
        missed->committed_by_us = db_rows_integer(rows, row, 7);
        missed->uncommitted_at_read = db_rows_value(rows, row, 8)[0] == 't';
        missed->not_replayed = db_rows_value(rows, row, 9)[0] == 't';
        good = money_column_read(rows, row, 2, &missed->value_read) &&
               money_column_read(rows, row, 5, &missed->value_written);
    }
    return good;
}

static void take_waits(const struct db_rows *rows, struct race_detail *out) {
    out->wait_count = (size_t)db_rows_count(rows);
    out->waits = memory_allocate_zeroed((out->wait_count + 1) * sizeof *out->waits);
    for (int row = 0; row < (int)out->wait_count; row++) {
        struct lock_wait *wait = &out->waits[row];
        wait->waiter = db_rows_value(rows, row, 0);
        wait->step = db_rows_value(rows, row, 1);
        wait->holder = db_rows_value(rows, row, 2);
        wait->from_us = db_rows_integer(rows, row, 3);
        wait->to_us = db_rows_integer(rows, row, 4);
    }
}

// The records of the race. Begins the transaction: what is read next is of the same moment, for a race that grows old
// in between has members that the others no longer know.
static enum db_status begin_with_members(struct db_session *session, const char *transfer_id, struct db_rows *members) {
    char most[16];
    (void)snprintf(most, sizeof most, "%d", RACE_TRANSFERS_MAX);
    const char *values[] = {transfer_id, most};
    // The lock of the log may take DATABASE_LOCK_TIMEOUT_MS; the two reads behind it share the rest. The limit stands
    // behind the lock, because a SELECT before it would take the snapshot too early (see keep_log).
    char milliseconds[16];
    (void)snprintf(milliseconds, sizeof milliseconds, "%d",
                   (DATABASE_ANSWER_TIMEOUT_MS - DATABASE_LOCK_TIMEOUT_MS) / 2);
    const char *limits[] = {milliseconds, milliseconds};
    struct db_call calls[] = {
        {.statement = STATEMENT_BEGIN_READING},
        {.statement = STATEMENT_KEEP_LOG},
        {.statement = STATEMENT_LIMIT_TIME, .values = limits, .value_count = 2},
        {.statement = STATEMENT_READ_RACE, .values = values, .value_count = 2, .keep_rows = true},
    };
    enum db_status status = db_execute_all(session, calls, sizeof calls / sizeof calls[0]);
    *members = calls[3].rows;
    return status;
}

// Reads the steps, missed writes and lock waits of the members in one round trip.
static enum db_status read_detail(struct db_session *session, const struct db_rows *members, struct race_detail *out) {
    const char *reset = db_rows_value(members, 0, MEMBER_RESET);
    const char *of_race[] = {reset, db_rows_value(members, 0, MEMBER_RACE)};
    struct sql_array ids = {0};
    for (size_t i = 0; i < out->transfers.count; i++) {
        sql_array_add(&ids, out->transfers.records[i].id);
    }
    const char *of_members[] = {reset, sql_array_end(&ids)};
    struct db_call calls[] = {
        {.statement = STATEMENT_READ_RACE_SUMMARY, .values = of_race, .value_count = 2, .keep_rows = true},
        {.statement = STATEMENT_READ_RACE_STEPS, .values = of_members, .value_count = 2, .keep_rows = true},
        {.statement = STATEMENT_READ_MISSED_WRITES, .values = of_members, .value_count = 2, .keep_rows = true},
        {.statement = STATEMENT_READ_LOCK_WAITS, .values = of_members, .value_count = 2, .keep_rows = true},
    };
    enum db_status status = db_execute_all(session, calls, sizeof calls / sizeof calls[0]);
    text_free(&ids.text);
    if (status != DB_OK) {
        return status;
    }
    out->race_rows = calls[0].rows;
    out->step_rows = calls[1].rows;
    out->missed_rows = calls[2].rows;
    out->wait_rows = calls[3].rows;
    bool good = db_rows_count(&out->race_rows) == 1 && take_race(&out->race_rows, 0, &out->race) &&
                take_steps(&out->step_rows, out) && take_missed(&out->missed_rows, out);
    take_waits(&out->wait_rows, out);
    return good ? DB_OK : DB_FAILED;
}

static enum db_status take_race_of(struct db_session *session, struct race_detail *out) {
    if (!bank_take_records(&out->transfers)) {
        return DB_FAILED;
    }
    return out->transfers.count == 0 ? DB_OK : read_detail(session, &out->transfers.rows, out);
}

enum db_status bank_read_race(struct db_session *session, const char *transfer_id, struct race_detail *out) {
    *out = (struct race_detail){0};
    enum db_status status = begin_with_members(session, transfer_id, &out->transfers.rows);
    if (status == DB_OK) {
        status = take_race_of(session, out);
    }
    db_roll_back(session); // nothing was written
    if (status != DB_OK) {
        race_detail_free(out);
    }
    return status;
}

int64_t race_detail_seq(const struct race_detail *detail, size_t transfer) {
    return db_rows_integer(&detail->transfers.rows, (int)transfer, MEMBER_SEQ);
}

void race_list_free(struct race_list *list) {
    free(list->races);
    db_rows_free(&list->rows);
    *list = (struct race_list){0};
}

void race_detail_free(struct race_detail *detail) {
    transfer_record_list_free(&detail->transfers);
    free(detail->steps);
    free(detail->missed);
    free(detail->waits);
    db_rows_free(&detail->race_rows);
    db_rows_free(&detail->step_rows);
    db_rows_free(&detail->missed_rows);
    db_rows_free(&detail->wait_rows);
    *detail = (struct race_detail){0};
}
