// A transfer from its request to its outcome: the attempts, the pauses between them, and the end. Worker threads.
//
// transfer_run() > transfer_try_until_decided() > transfer_attempt() > the strategy's attempt() > transfer_steps.h.
// Between two attempts: transfer_note_retry(), transfer_back_off(). After the last one: transfer_end().
#include "workers/transfer/transfer.h"

#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database.h"
#include "workers/transfer/strategy.h"
#include "workers/transfer/transfer_events.h"
#include "workers/transfer/transfer_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// The longest pause doubles with each attempt, up to TRANSFER_BACKOFF_MAX_US. The pause is random between half of it
// and all of it, so that two transfers that collided do not collide again.
void transfer_back_off(unsigned attempts) {
    uint64_t longest = TRANSFER_BACKOFF_FIRST_US;
    for (unsigned i = 1; i < attempts && longest < TRANSFER_BACKOFF_MAX_US; i++) {
        longest *= 2;
    }
    (void)usleep((useconds_t)(longest / 2 + random_bits() % (longest / 2 + 1)));
}

// Counts, logs and publishes an attempt that lost and will be repeated.
static void transfer_note_retry(struct transfer *transfer) {
    struct transfer_result *result = transfer->result;
    bool deadlock = strcmp(transfer->conflict, "40P01") == 0;
    bool stale = !deadlock && strcmp(transfer->conflict, "40001") != 0;
    struct step *step = step_add(&result->steps, STEP_RETRY, clock_monotonic_ns());
    step->outcome = stale ? "changed" : deadlock ? "40P01" : "40001";
    result->retries_deadlock += deadlock;
    result->retries_stale += stale;
    result->retries_serialization += !deadlock && !stale;
    transfer_log(transfer, LOG_LEVEL_INFO,
                 LOG_FACTS(.event = "retry", .account = transfer->request->from_account, .outcome = step->outcome),
                 "Lost against another transaction (%s), attempt %u of %d", step->outcome, transfer->result->attempts,
                 TRANSFER_ATTEMPTS_MAX);
    transfer_publish_steps(transfer->request, result);
}

// Ends the transaction of an attempt that failed. The outcome does not depend on the rollback: if it fails, the session
// is closed, and PostgreSQL rolls back.
static void transfer_roll_back(struct transfer *transfer) {
    if (transfer->in_transaction) {
        transfer->in_transaction = false;
        db_roll_back(transfer->session);
    }
}

// Finds the account that does not exist, because the database's encoding cannot write its id.
static enum transfer_outcome transfer_find_unknown(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    const char *ids[] = {request->from_account, request->to_account};
    static const enum transfer_outcome unknown[] = {TRANSFER_UNKNOWN_FROM_ACCOUNT, TRANSFER_UNKNOWN_TO_ACCOUNT};
    for (size_t i = 0; i < 2; i++) {
        bool found = false;
        enum db_status status = transfer_account_exists(transfer->session, ids[i], &found);
        if (status != DB_OK) {
            return transfer_outcome_of(transfer, status);
        }
        if (!found) {
            transfer->result->database = DB_OK;
            return unknown[i];
        }
    }
    return TRANSFER_FAILED; // both exist: a trigger or a rule used a character that the encoding cannot write
}

static enum transfer_outcome transfer_run_strategy(struct transfer *transfer) {
    const struct strategy *strategy = strategy_for(transfer->request);
    if (transfer->request->key == NULL) {
        return strategy->attempt(transfer);
    }
    enum transfer_outcome outcome = transfer_take_key(transfer);
    return outcome == TRANSFER_CONTINUE ? transfer_keep_key(transfer, strategy->attempt(transfer)) : outcome;
}

static enum transfer_outcome transfer_attempt(struct transfer *transfer) {
    transfer->in_transaction = transfer->keeps_key = false;
    transfer->pending_count = 0;
    struct transfer_result *result = transfer->result;
    result->attempts++;
    result->standing = STANDING_NOTHING;
    result->doubt = DOUBT_NONE;
    result->race_detected = result->double_spend = result->lost_update = false;
    result->database = db_session_open(transfer->session, &transfer->session_was_open);
    if (result->database != DB_OK) {
        return TRANSFER_DATABASE_UNAVAILABLE;
    }
    enum transfer_outcome outcome = transfer_run_strategy(transfer);
    (void)snprintf(transfer->conflict, sizeof transfer->conflict, "%s", db_session_sqlstate(transfer->session));
    transfer_roll_back(transfer);
    bool is_unknown = outcome == TRANSFER_FAILED && result->database == DB_NOT_REPRESENTABLE;
    return is_unknown ? transfer_find_unknown(transfer) : outcome;
}

static enum transfer_outcome transfer_try_until_decided(struct transfer *transfer) {
    for (;;) {
        enum transfer_outcome outcome = transfer_attempt(transfer);
        // The connection broke while the session was idle, or its server has changed: retry on a new connection. Only
        // an old connection is retried in this way, which bounds the loop.
        if (outcome == TRANSFER_DATABASE_UNAVAILABLE && transfer->session_was_open) {
            continue;
        }
        if (outcome != TRANSFER_CONFLICT || transfer->result->attempts >= TRANSFER_ATTEMPTS_MAX) {
            return outcome;
        }
        transfer_note_retry(transfer);
        transfer_back_off(transfer->result->attempts);
    }
}

// The outcome in the log: a key that stopped a transfer has words of its own.
static const char *transfer_outcome_word(enum transfer_outcome outcome) {
    switch (outcome) {
    case TRANSFER_KEY_REUSED: return "key_reused";
    case TRANSFER_KEY_IN_FLIGHT: return "key_in_flight";
    default: return transfer_outcome_metric(outcome);
    }
}

void transfer_end(const struct transfer_request *request, struct transfer_result *result) {
    result->duration_ns = clock_monotonic_ns() - request->received_ns;
    bool unknown = result->outcome == TRANSFER_OUTCOME_UNKNOWN;
    double duration_ms = (double)result->duration_ns / (double)NANOSECONDS_PER_MILLISECOND;
    const char *outcome = unknown ? "outcome unknown" : transfer_outcome_word(result->outcome);
    bool moved = result->outcome == TRANSFER_SUCCESS;
    request_log(request, unknown ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
                LOG_FACTS(.event = "transfer_ended", .account = request->from_account,
                          .amount = money_text_of(request->amount).text,
                          .balance = moved ? money_text_of(result->from_balance_after).text : NULL,
                          .duration_ms = duration_ms, .outcome = unknown ? "unknown" : outcome,
                          .idempotency_key = request->key),
                "Transfer ended: %s in %.1f ms", outcome, duration_ms);
}

// A failover may lose a commit that is only on this server, so its outcome is unknown. A refusal moved no money: its
// outcome stays.
static void transfer_doubt_replication(struct transfer *transfer) {
    struct transfer_result *result = transfer->result;
    bool posted = result->outcome == TRANSFER_SUCCESS || result->outcome == TRANSFER_REPLAYED;
    if (posted && db_session_is_unreplicated(transfer->session)) {
        result->outcome = TRANSFER_OUTCOME_UNKNOWN;
        result->doubt = DOUBT_REPLICATION;
    }
}

void transfer_run(const struct transfer_request *request, struct db_session *session, struct gate *gate,
                  const char *thread_id, struct transfer_result *result) {
    struct transfer transfer = {.request = request, .result = result, .session = session, .gate = gate};
    result->thread_id = thread_id;
    result->outcome = transfer_try_until_decided(&transfer);
    // A race counts only if its writes were committed, even if a later statement failed.
    if (result->outcome != TRANSFER_SUCCESS && result->standing == STANDING_NOTHING) {
        result->race_detected = result->double_spend = result->lost_update = false;
    }
    transfer_doubt_replication(&transfer);
    gate_barrier_end(gate, &transfer.barrier);
    transfer_end(request, result);
}
