// The parts that the steps of a batch share: its accounts, the outcome of a failed statement, and the values that all
// of its records have in common. Worker threads.
#include "observability/base/base.h"
#include "workers/batch/batch_internal.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCKS_APART_US 1000

static int compare_id(const void *id, const void *account) {
    return strcmp(id, ((const struct batch_account *)account)->id);
}

struct batch_account *batch_account_of(struct batch *batch, const char *id) {
    return bsearch(id, batch->accounts, batch->account_count, sizeof batch->accounts[0], compare_id);
}

#define TEXT_OF(number) TEXT_OF_TOKEN(number)
#define TEXT_OF_TOKEN(token) #token

const char *batch_lock_timeout(const struct batch *batch) {
    return batch->alone ? TEXT_OF(DATABASE_LOCK_TIMEOUT_MS) : TEXT_OF(BATCH_LOCK_TIMEOUT_MS);
}

enum transfer_outcome batch_outcome_of(struct batch *batch, enum db_status status) {
    batch->database = status;
    if (batch->doubt != DOUBT_NONE) {
        return TRANSFER_OUTCOME_UNKNOWN;
    }
    switch (status) {
    case DB_OK: return TRANSFER_CONTINUE;
    case DB_CONNECTION_LOST:
    case DB_NOT_SENT:
    case DB_UNAVAILABLE:
    case DB_STALE: return TRANSFER_DATABASE_UNAVAILABLE;
    case DB_CONFLICT: return TRANSFER_CONFLICT;
    case DB_TIMED_OUT: return TRANSFER_LOCK_TIMED_OUT;
    case DB_CONDITION_FAILED:
        log_write(LOG_LEVEL_ERROR, NULL, "The database did not keep all that a batch wrote: a trigger or a rule?");
        return TRANSFER_FAILED;
    case DB_OUT_OF_RANGE: // each was judged against the range
    case DB_NULL_REFUSED:
    case DB_DUPLICATE:
    case DB_NOT_REPRESENTABLE: // batch.c sets the transfer aside that sent it
    case DB_NOT_ASKED:
    case DB_ROLLED_BACK:
    case DB_FAILED: return TRANSFER_FAILED;
    }
    CHECK(false);
}

void batch_moment_take(struct batch_moment *moment, const struct batch *batch) {
    const struct transfer_request *first = &batch->transfers[0]->request;
    moment->now_ns = clock_monotonic_ns();
    moment->now_us = first->received_us +
                     (int64_t)((moment->now_ns - first->received_ns) / NANOSECONDS_PER_MICROSECOND);
    (void)snprintf(moment->steps_refused, sizeof moment->steps_refused,
                   "[{\"step\":\"batch\",\"parties\":%zu,\"at_us\":@},{\"step\":\"check\",\"at_us\":@,\"took_us\":0}]",
                   batch->count);
    (void)snprintf(moment->steps_posted, sizeof moment->steps_posted,
                   "%.*s,{\"step\":\"deduct\",\"at_us\":@,\"took_us\":0},"
                   "{\"step\":\"credit\",\"at_us\":@,\"took_us\":0}]",
                   (int)strlen(moment->steps_refused) - 1, moment->steps_refused);
}

void batch_add_arrival(const struct batch_moment *moment, const struct transfer_request *request,
                       struct sql_array *received, struct sql_array *waited) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, request->received_us);
    sql_array_add(received, text);
    int64_t waited_us = (int64_t)((moment->now_ns - request->received_ns) / NANOSECONDS_PER_MICROSECOND);
    // The steps of all transfers have the same moment, because they are sorted by it. The two clocks are read one after
    // the other, so their difference varies by microseconds; it varies by more only if the clock was set.
    int64_t since_us = moment->now_us - request->received_us;
    bool is_rounding = since_us >= 0 && imaxabs(since_us - waited_us) < CLOCKS_APART_US;
    (void)snprintf(text, sizeof text, "%" PRId64, is_rounding ? since_us : waited_us);
    sql_array_add(waited, text);
}

static void add_step(struct transfer_result *result, enum step_kind kind, const char *account, int64_t value,
                     uint64_t now_ns) {
    struct step *step = step_add(&result->steps, kind, now_ns);
    step->account = account;
    step->value = value;
    step->committed_ns = kind == STEP_CHECK ? 0 : clock_monotonic_ns(); // it is noted when the batch has committed
}

void batch_note_read(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns) {
    const struct transfer_request *request = &transfer->request;
    struct transfer_result *result = &transfer->result;
    int64_t balance = result->from_balance_before;
    struct step *step = step_add(&result->steps, STEP_BATCH, request->received_ns);
    step->ended_ns = now_ns;
    step->parties = (uint32_t)batch->count;
    step->account = request->from_account;
    step->value = balance;
    add_step(result, STEP_CHECK, request->from_account, balance, now_ns);
    request_log(request, LOG_LEVEL_INFO,
                LOG_FACTS(.event = "read", .account = request->from_account, .balance = money_text_of(balance).text),
                "STEP 1: Read balance for %s = $%s (row locked, batch of %zu)", request->from_account,
                money_text_of(balance).text, batch->count);
    request_log(request, LOG_LEVEL_INFO,
                LOG_FACTS(.event = "check", .account = request->from_account,
                          .amount = money_text_of(request->amount).text, .balance = money_text_of(balance).text,
                          .outcome = balance >= request->amount ? "enough" : "insufficient_funds"),
                "STEP 2: Check if $%s >= $%s", money_text_of(balance).text, money_text_of(request->amount).text);
}

void batch_note_success(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns) {
    const struct transfer_request *request = &transfer->request;
    struct transfer_result *result = &transfer->result;
    batch_note_read(batch, transfer, now_ns);
    recent_writes_end(recent_writes_begin(request->from_account, request->id), true, result->from_balance_after,
                      WRITE_VERSION_UNKNOWN);
    recent_writes_end(recent_writes_begin(request->to_account, request->id), true, result->to_balance_after,
                      WRITE_VERSION_UNKNOWN);
    add_step(result, STEP_DEDUCT, request->from_account, result->from_balance_after, now_ns);
    add_step(result, STEP_CREDIT, request->to_account, result->to_balance_after, now_ns);
    request_log(
        request, LOG_LEVEL_INFO,
        LOG_FACTS(.event = "deduct", .account = request->from_account, .amount = money_text_of(request->amount).text),
        "STEP 3: Deducting $%s from %s", money_text_of(request->amount).text, request->from_account);
    request_log(
        request, LOG_LEVEL_INFO,
        LOG_FACTS(.event = "credit", .account = request->to_account, .amount = money_text_of(request->amount).text),
        "STEP 4: Adding $%s to %s", money_text_of(request->amount).text, request->to_account);
}
