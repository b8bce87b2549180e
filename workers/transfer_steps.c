// The steps that the strategies are made of: each runs its statement, times it, logs it, and says whether the
// transfer goes on. Worker threads.
#include "bank.h"
#include "clock.h"
#include "log.h"
#include "money.h"
#include "strategy.h"
#include "transfer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct amount_text {
    char text[MONEY_TEXT_LENGTH];
};

static struct amount_text as_text(int64_t cents) {
    struct amount_text amount;
    money_format(cents, amount.text);
    return amount;
}

// What the failure of a statement means for the transfer. Inside a transaction nothing has happened until COMMIT;
// outside, everything written stays written, and who fails after that has moved half of the money.
static enum transfer_outcome outcome_of(const struct transfer *transfer, enum db_status status) {
    if (transfer->in_doubt || (transfer->wrote && status == DB_AWAY)) {
        return TRANSFER_OUTCOME_UNKNOWN;
    }
    if (transfer->wrote) {
        return TRANSFER_HALF_DONE;
    }
    switch (status) {
    case DB_OK: return TRANSFER_GOES_ON;
    case DB_AWAY: return TRANSFER_DATABASE_AWAY;
    case DB_CONFLICT: return TRANSFER_CONFLICT;
    case DB_TIMED_OUT: return TRANSFER_LOCK_TIMED_OUT;
    case DB_OUT_OF_RANGE: return TRANSFER_BALANCE_OUT_OF_RANGE;
    case DB_ROLLED_BACK:
    case DB_FAILED: return TRANSFER_FAILED;
    }
    CHECK(false);
}

static enum transfer_outcome take_balances(struct transfer *transfer, const struct db_rows *rows) {
    struct transfer_result *result = transfer->result;
    bool found_from = false;
    bool found_to = false;
    for (int row = 0; row < db_rows_count(rows); row++) {
        bool is_from = strcmp(db_rows_value(rows, row, 0), transfer->request->from_account) == 0;
        int64_t *balance = is_from ? &result->from_balance_before : &result->to_balance_before;
        if (!bank_money_of(rows, row, 1, balance)) {
            return TRANSFER_FAILED;
        }
        found_from |= is_from;
        found_to |= !is_from;
    }
    result->from_balance_after = result->from_balance_before;
    result->to_balance_after = result->to_balance_before;
    if (!found_from) {
        return TRANSFER_UNKNOWN_FROM_ACCOUNT;
    }
    return found_to ? TRANSFER_GOES_ON : TRANSFER_UNKNOWN_TO_ACCOUNT;
}

static enum transfer_outcome read_balances(struct transfer *transfer, enum statement statement, enum step_kind kind) {
    const struct transfer_request *request = transfer->request;
    const char *values[] = {request->from_account, request->to_account};
    struct step *step = step_add(&transfer->result->steps, kind, clock_monotonic_ns());
    struct db_rows rows;
    enum db_status status = db_execute(transfer->session, statement, values, 2, &rows);
    step->ended_ns = clock_monotonic_ns();
    if (status != DB_OK) {
        return outcome_of(transfer, status);
    }
    enum transfer_outcome outcome = take_balances(transfer, &rows);
    db_rows_free(&rows);
    if (outcome != TRANSFER_GOES_ON) {
        return outcome;
    }
    step->account = request->from_account;
    step->value = transfer->result->from_balance_before;
    transfer_log(transfer, LOG_LEVEL_INFO, "STEP 1: Read balance for %s = $%s%s", request->from_account,
                 as_text(step->value).text, kind == STEP_LOCK ? " (row locked)" : "");
    return TRANSFER_GOES_ON;
}

enum transfer_outcome transfer_read(struct transfer *transfer) {
    return read_balances(transfer, STATEMENT_READ_BALANCES, STEP_READ);
}

enum transfer_outcome transfer_lock_and_read(struct transfer *transfer) {
    return read_balances(transfer, STATEMENT_LOCK_BALANCES, STEP_LOCK);
}

static void log_barrier_pass(const struct transfer *transfer, const struct barrier_ticket *ticket) {
    const struct barrier_pass *pass = &transfer->result->barrier;
    if (pass->release == GATE_TIMED_OUT) {
        transfer_log(transfer, LOG_LEVEL_WARN, "Barrier timed out after %" PRIu32 " ms with %" PRIu32 "/%" PRIu32,
                     transfer->request->settings.barrier_timeout_ms, pass->present, ticket->parties);
    } else if (pass->release != GATE_RELEASED) {
        transfer_log(transfer, LOG_LEVEL_INFO, "Barrier opened early: %s", gate_release_name(pass->release));
    }
}

void transfer_wait_at_barrier(struct transfer *transfer) {
    const struct settings *settings = &transfer->request->settings;
    if (!settings->barrier_enabled || transfer->passed_barrier) {
        return;
    }
    transfer->passed_barrier = true;
    struct barrier_ticket ticket;
    uint64_t started_ns = clock_monotonic_ns();
    gate_barrier_arrive(transfer->gate, settings->gate_version, settings->barrier_count, &transfer->request->span,
                        &ticket);
    if (ticket.round == NULL) {
        return;
    }
    transfer_log(transfer, LOG_LEVEL_INFO, "Waiting at barrier (%" PRIu32 "/%" PRIu32 ")", ticket.position,
                 ticket.parties);
    if (ticket.position == ticket.parties) {
        // Before the release, so that the line stands before what the released ones do.
        transfer_log(transfer, LOG_LEVEL_INFO, "BARRIER RELEASED: all %" PRIu32 " transfers proceed now",
                     ticket.parties);
    }
    struct barrier_pass *pass = &transfer->result->barrier;
    gate_barrier_await(transfer->gate, &ticket, settings->barrier_timeout_ms, pass);
    transfer->result->stood_at_barrier = true;
    struct step *step = step_add(&transfer->result->steps, STEP_BARRIER, started_ns);
    step->ended_ns = clock_monotonic_ns();
    step->outcome = gate_release_name(pass->release);
    step->parties = ticket.parties;
    log_barrier_pass(transfer, &ticket);
}

void transfer_delay(struct transfer *transfer) {
    const struct settings *settings = &transfer->request->settings;
    if (!settings->delay_enabled || settings->delay_ms == 0 || transfer->passed_delay) {
        return;
    }
    transfer->passed_delay = true;
    struct step *step = step_add(&transfer->result->steps, STEP_DELAY, clock_monotonic_ns());
    transfer_log(transfer, LOG_LEVEL_INFO, "Debug delay: %" PRIu32 " ms", settings->delay_ms);
    step->outcome = gate_release_name(gate_delay(transfer->gate, settings->gate_version, settings->delay_ms));
    step->ended_ns = clock_monotonic_ns();
}

bool transfer_check(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    int64_t balance = transfer->result->from_balance_before;
    struct step *step = step_add(&transfer->result->steps, STEP_CHECK, clock_monotonic_ns());
    step->account = request->from_account;
    step->value = balance;
    transfer_log(transfer, LOG_LEVEL_INFO, "STEP 2: Check if $%s >= $%s", as_text(balance).text,
                 as_text(request->amount).text);
    return balance >= request->amount;
}

// An UPDATE of one balance; `after` is what it left, as the UPDATE itself returned it.
static enum transfer_outcome change_balance(struct transfer *transfer, enum statement statement, enum step_kind kind,
                                            const char *account, int64_t *after) {
    struct amount_text amount = as_text(transfer->request->amount);
    const char *values[] = {account, amount.text};
    struct step *step = step_add(&transfer->result->steps, kind, clock_monotonic_ns());
    struct db_rows rows;
    enum db_status status = db_execute(transfer->session, statement, values, 2, &rows);
    step->ended_ns = clock_monotonic_ns();
    // Outside a transaction the write stands at once; one whose answer never came may stand as well.
    transfer->in_doubt |= !transfer->in_transaction && status == DB_AWAY;
    if (status != DB_OK) {
        return outcome_of(transfer, status);
    }
    bool found = db_rows_count(&rows) == 1; // unless it was deleted since it was read
    bool good = found && bank_money_of(&rows, 0, 0, after);
    db_rows_free(&rows);
    if (!good) {
        return transfer->wrote ? TRANSFER_HALF_DONE : TRANSFER_FAILED;
    }
    transfer->wrote |= !transfer->in_transaction;
    step->account = account;
    step->value = *after;
    return TRANSFER_GOES_ON;
}

// Exact, not a guess: the row itself said what it held when it was changed.
static void detect_race(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    struct transfer_result *result = transfer->result;
    int64_t found = result->from_balance_after + request->amount;
    result->race_detected = found != result->from_balance_before;
    if (!result->race_detected) {
        return;
    }
    if (result->from_balance_after < 0) {
        transfer_log(transfer, LOG_LEVEL_WARN, "RACE CONDITION DETECTED: %s is negative: $%s", request->from_account,
                     as_text(result->from_balance_after).text);
    } else {
        transfer_log(transfer, LOG_LEVEL_WARN, "RACE CONDITION DETECTED: %s was $%s when read, $%s when changed",
                     request->from_account, as_text(result->from_balance_before).text, as_text(found).text);
    }
}

enum transfer_outcome transfer_deduct(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    transfer_log(transfer, LOG_LEVEL_INFO, "STEP 3: Deducting $%s from %s", as_text(request->amount).text,
                 request->from_account);
    enum transfer_outcome outcome = change_balance(transfer, STATEMENT_DEDUCT, STEP_DEDUCT, request->from_account,
                                                   &transfer->result->from_balance_after);
    if (outcome == TRANSFER_GOES_ON) {
        detect_race(transfer);
    }
    return outcome;
}

enum transfer_outcome transfer_credit(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    transfer_log(transfer, LOG_LEVEL_INFO, "STEP 4: Adding $%s to %s", as_text(request->amount).text,
                 request->to_account);
    return change_balance(transfer, STATEMENT_CREDIT, STEP_CREDIT, request->to_account,
                          &transfer->result->to_balance_after);
}

enum transfer_outcome transfer_record(struct transfer *transfer, enum transfer_outcome outcome) {
    const struct transfer_request *request = transfer->request;
    const struct transfer_result *result = transfer->result;
    char timestamp_us[24];
    char duration_ms[32];
    char trace_id[TRACE_ID_HEX];
    struct text steps = {0};
    uint64_t duration_us = (clock_monotonic_ns() - request->received_ns) / NANOSECONDS_PER_MICROSECOND;
    (void)snprintf(timestamp_us, sizeof timestamp_us, "%" PRId64, request->received_us);
    (void)snprintf(duration_ms, sizeof duration_ms, "%" PRIu64 ".%03" PRIu64, duration_us / 1000, duration_us % 1000);
    trace_context_trace_id(&request->trace, trace_id);
    step_list_append_json(&result->steps, request->received_us, request->received_ns, &steps);
    struct amount_text amount = as_text(request->amount);
    struct amount_text from_before = as_text(result->from_balance_before);
    struct amount_text from_after = as_text(result->from_balance_after);
    struct amount_text to_before = as_text(result->to_balance_before);
    struct amount_text to_after = as_text(result->to_balance_after);
    const char *values[] = {
        request->id,
        timestamp_us,
        request->from_account,
        request->to_account,
        amount.text,
        from_before.text,
        from_after.text,
        to_before.text,
        to_after.text,
        transfer_outcome_status(outcome),
        result->thread_id,
        duration_ms,
        request->settings.strategy->name,
        result->race_detected ? "true" : "false",
        trace_id,
        text_terminated(&steps),
    };
    enum db_status status = db_execute(transfer->session, STATEMENT_RECORD_TRANSFER, values,
                                       sizeof values / sizeof values[0], NULL);
    text_free(&steps);
    transfer->in_doubt |= !transfer->in_transaction && status == DB_AWAY; // it may stand in the table, unanswered
    return status == DB_OK ? outcome : outcome_of(transfer, status);
}

enum transfer_outcome transfer_begin(struct transfer *transfer) {
    enum db_status status = db_execute(transfer->session, STATEMENT_BEGIN, NULL, 0, NULL);
    transfer->in_transaction = status == DB_OK;
    return outcome_of(transfer, status);
}

enum transfer_outcome transfer_commit(struct transfer *transfer, enum transfer_outcome outcome) {
    enum db_status status = db_execute(transfer->session, STATEMENT_COMMIT, NULL, 0, NULL);
    transfer->in_transaction = false;
    if (status == DB_OK) {
        return outcome;
    }
    // Once COMMIT is on its way, silence may mean that it was done.
    return status == DB_AWAY ? TRANSFER_OUTCOME_UNKNOWN : outcome_of(transfer, status);
}
