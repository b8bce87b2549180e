// The steps that read and check the balances. Each runs its statement, records its time, logs it, and returns whether
// the transfer continues. Worker threads.
#include "observability/base/base.h"
#include "workers/database/database.h"
#include "workers/transfer/transfer_events.h"
#include "workers/transfer/transfer_internal.h"

#include <string.h>

uint64_t transfer_moment_ns(const struct transfer *transfer, int64_t database_us, const struct step *step) {
    return database_clock_moment_ns(transfer_anchor(transfer->request), database_us, step->started_ns, step->ended_ns);
}

static enum transfer_outcome take_balances(struct transfer *transfer, const struct db_rows *rows) {
    struct transfer_result *result = transfer->result;
    bool found_from = false;
    bool found_to = false;
    for (int row = 0; row < db_rows_count(rows); row++) {
        bool is_from = strcmp(db_rows_value(rows, row, 0), transfer->request->from_account) == 0;
        int64_t *balance = is_from ? &result->from_balance_before : &result->to_balance_before;
        int64_t *version = is_from ? &transfer->from_version : &transfer->to_version;
        if (!money_column_read(rows, row, 1, balance)) {
            return TRANSFER_FAILED;
        }
        *version = db_rows_integer(rows, row, 2);
        found_from |= is_from;
        found_to |= !is_from;
    }
    result->from_balance_after = result->from_balance_before;
    result->to_balance_after = result->to_balance_before;
    if (!found_from) {
        return TRANSFER_UNKNOWN_FROM_ACCOUNT;
    }
    return found_to ? TRANSFER_CONTINUE : TRANSFER_UNKNOWN_TO_ACCOUNT;
}

static void publish_read(struct transfer *transfer, struct step *step, const char *note) {
    const struct transfer_request *request = transfer->request;
    step->account = request->from_account;
    step->value = transfer->result->from_balance_before;
    transfer_publish_steps(request, transfer->result);
    transfer_log(
        transfer, LOG_LEVEL_INFO,
        LOG_FACTS(.event = "read", .account = request->from_account, .balance = money_text_of(step->value).text),
        "STEP 1: Read balance for %s = $%s%s", request->from_account, money_text_of(step->value).text, note);
}

static enum transfer_outcome read_balances(struct transfer *transfer, enum statement statement, enum step_kind kind) {
    const struct transfer_request *request = transfer->request;
    const char *values[] = {request->from_account, request->to_account};
    struct step *step = step_add(&transfer->result->steps, kind, clock_monotonic_ns());
    struct db_rows rows;
    enum db_status status = transfer_execute(transfer, statement, values, 2, &rows);
    step->ended_ns = clock_monotonic_ns();
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    enum transfer_outcome outcome = take_balances(transfer, &rows);
    // A read ends at the database's time just after its snapshot, so that it can be compared with writes. There a lock
    // begins to wait. It ends with the answer, because the wait for the lock is over then.
    if (outcome == TRANSFER_CONTINUE) {
        uint64_t snapshot_ns = transfer_moment_ns(transfer, db_rows_integer(&rows, 0, 3), step);
        *(kind == STEP_READ ? &step->ended_ns : &step->started_ns) = snapshot_ns;
    }
    db_rows_free(&rows);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    publish_read(transfer, step, kind == STEP_LOCK ? " (row locked)" : "");
    return TRANSFER_CONTINUE;
}

enum transfer_outcome transfer_read(struct transfer *transfer) {
    return read_balances(transfer, STATEMENT_READ_BALANCES, STEP_READ);
}

// The step ends with the answer: the standby's clock may differ from the primary's, so its moments are not compared.
enum transfer_outcome transfer_read_standby(struct transfer *transfer) {
    const char *values[] = {transfer->request->from_account, transfer->request->to_account};
    struct db_rows rows;
    uint64_t started_ns = clock_monotonic_ns();
    enum db_status status = db_execute_at_standby(transfer->session, true, STATEMENT_READ_BALANCES, values, 2, &rows);
    if (status == DB_NOT_REPRESENTABLE) {
        return transfer_read(transfer); // the primary has the same encoding, and the account's 404
    }
    if (status != DB_OK) {
        return transfer_standby_failed(transfer, status);
    }
    enum transfer_outcome outcome = take_balances(transfer, &rows);
    db_rows_free(&rows);
    if (outcome == TRANSFER_UNKNOWN_FROM_ACCOUNT || outcome == TRANSFER_UNKNOWN_TO_ACCOUNT) {
        return transfer_read(transfer); // the standby may not have replayed the account yet
    }
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    struct step *step = step_add(&transfer->result->steps, STEP_READ, started_ns);
    step->ended_ns = clock_monotonic_ns();
    step->outcome = "standby";
    publish_read(transfer, step, " (at the standby)");
    return TRANSFER_CONTINUE;
}

enum transfer_outcome transfer_lock_and_read(struct transfer *transfer) {
    return read_balances(transfer, STATEMENT_LOCK_BALANCES, STEP_LOCK);
}

bool transfer_check(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    int64_t balance = transfer->result->from_balance_before;
    struct step *step = step_add(&transfer->result->steps, STEP_CHECK, clock_monotonic_ns());
    step->account = request->from_account;
    step->value = balance;
    transfer_publish_steps(request, transfer->result);
    transfer_log(transfer, LOG_LEVEL_INFO,
                 LOG_FACTS(.event = "check", .account = request->from_account,
                           .amount = money_text_of(request->amount).text, .balance = money_text_of(balance).text,
                           .outcome = balance >= request->amount ? "enough" : "insufficient_funds"),
                 "STEP 2: Check if $%s >= $%s", money_text_of(balance).text, money_text_of(request->amount).text);
    return balance >= request->amount;
}

enum db_status transfer_account_exists(struct db_session *session, const char *id, bool *found) {
    struct sql_array ids = {0};
    struct db_rows rows;
    sql_array_add(&ids, id);
    const char *values[] = {sql_array_end(&ids)};
    enum db_status status = db_execute(session, STATEMENT_READ_ACCOUNTS_OF, values, 1, &rows);
    text_free(&ids.text);
    *found = status == DB_OK && db_rows_count(&rows) > 0;
    if (status == DB_OK) {
        db_rows_free(&rows);
    }
    return status == DB_NOT_REPRESENTABLE ? DB_OK : status;
}
