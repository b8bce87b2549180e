// The steps that wait at the gates: each logs and publishes its position, waits, and records the release.
// Worker threads.
#include "observability/base/base.h"
#include "workers/database/database.h"
#include "workers/transfer/transfer_events.h"
#include "workers/transfer/transfer_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void log_barrier_pass(const struct transfer *transfer, const struct barrier_ticket *ticket,
                             const struct step *step) {
    const struct barrier_pass *pass = &transfer->result->barrier;
    double waited_ms = (double)(step->ended_ns - step->started_ns) / (double)NANOSECONDS_PER_MILLISECOND;
    if (pass->release == GATE_TIMED_OUT) {
        transfer_log(transfer, LOG_LEVEL_WARN,
                     LOG_FACTS(.event = "barrier_left", .duration_ms = waited_ms, .outcome = "timed_out"),
                     "Barrier timed out after %" PRIu32 " ms with %" PRIu32 "/%" PRIu32 "%s",
                     transfer->request->settings.barrier_timeout_ms, pass->present, ticket->parties,
                     ticket->is_shared ? " (transfers of other replicas are not counted)" : "");
    } else if (pass->release != GATE_RELEASED) {
        transfer_log(
            transfer, LOG_LEVEL_INFO,
            LOG_FACTS(.event = "barrier_left", .duration_ms = waited_ms, .outcome = gate_release_name(pass->release)),
            "Barrier opened early: %s", gate_release_name(pass->release));
    }
}

static void log_arrival(const struct transfer *transfer, const struct barrier_ticket *ticket) {
    if (ticket->is_shared) {
        transfer_log(transfer, LOG_LEVEL_INFO, LOG_FACTS(.event = "barrier_wait"),
                     "Waiting at the barrier of all replicas (%" PRIu32 " here, %" PRIu32 " in all complete it)",
                     ticket->position, ticket->parties);
    } else {
        transfer_log(transfer, LOG_LEVEL_INFO, LOG_FACTS(.event = "barrier_wait"),
                     "Waiting at barrier (%" PRIu32 "/%" PRIu32 ")", ticket->position, ticket->parties);
    }
}

static void log_release(const struct transfer *transfer, const struct barrier_ticket *ticket) {
    transfer_log(transfer, LOG_LEVEL_INFO, LOG_FACTS(.event = "barrier_released"),
                 "BARRIER RELEASED: all %" PRIu32 " transfers proceed now", ticket->parties);
}

void transfer_wait_at_barrier(struct transfer *transfer) {
    const struct settings *settings = &transfer->request->settings;
    if (!settings->barrier_enabled || transfer->passed_barrier) {
        return;
    }
    transfer->passed_barrier = true;
    struct barrier_ticket *ticket = &transfer->barrier;
    uint64_t started_ns = clock_monotonic_ns();
    struct barrier_waiter waiter = {.span = transfer->request->span};
    waiter.backend_pid = transfer->session == NULL ? 0 : db_session_backend(transfer->session);
    waiter.user_data = transfer->request->event_queue;
    (void)snprintf(waiter.name, sizeof waiter.name, "%s", transfer->request->id);
    (void)snprintf(waiter.account, sizeof waiter.account, "%s", transfer->request->from_account);
    gate_barrier_arrive(transfer->gate, settings->gate_version, settings->barrier_count, &waiter, ticket);
    if (!ticket->admitted) {
        return;
    }
    log_arrival(transfer, ticket);
    transfer_publish_arrival(transfer->request, ticket);
    if (ticket->completes) {
        // Log before the release, so that this line comes before the lines of the released transfers.
        log_release(transfer, ticket);
        transfer_publish_release(transfer->request, ticket, GATE_RELEASED);
    }
    struct barrier_pass *pass = &transfer->result->barrier;
    gate_barrier_await(transfer->gate, ticket, settings->barrier_timeout_ms, pass);
    if (ticket->is_shared && pass->release == GATE_RELEASED && ticket->released.count > 0) {
        log_release(transfer, ticket); // the first transfer of this program that leaves the round
    }
    transfer->result->stood_at_barrier = true;
    struct step *step = step_add(&transfer->result->steps, STEP_BARRIER, started_ns);
    step->ended_ns = clock_monotonic_ns();
    step->outcome = gate_release_name(pass->release);
    step->parties = ticket->parties;
    log_barrier_pass(transfer, ticket, step);
    transfer_publish_release(transfer->request, ticket, pass->release);
    transfer_publish_steps(transfer->request, transfer->result);
}

void transfer_pass_barrier(const struct transfer_request *request, struct gate *gate, struct transfer_result *result) {
    struct transfer transfer = {.request = request, .result = result, .gate = gate};
    transfer_wait_at_barrier(&transfer);
    gate_barrier_end(gate, &transfer.barrier);
}

void transfer_delay(struct transfer *transfer) {
    const struct settings *settings = &transfer->request->settings;
    if (!settings->delay_enabled || settings->delay_ms == 0 || transfer->passed_delay) {
        return;
    }
    transfer->passed_delay = true;
    struct step *step = step_add(&transfer->result->steps, STEP_DELAY, clock_monotonic_ns());
    transfer_log(transfer, LOG_LEVEL_INFO, LOG_FACTS(.event = "delay", .duration_ms = settings->delay_ms),
                 "Debug delay: %" PRIu32 " ms", settings->delay_ms);
    step->outcome = gate_release_name(gate_delay(transfer->gate, settings->gate_version, settings->delay_ms));
    step->ended_ns = clock_monotonic_ns();
    transfer_publish_steps(transfer->request, transfer->result);
}

// Counts the backends of the list that wait for a lock of this session. False: the statement failed, and so will the
// next one of the transaction.
static bool count_waiting(struct transfer *transfer, const int backends[], uint32_t count, uint32_t *waiting) {
    struct sql_array pids = {0};
    for (uint32_t i = 0; i < count; i++) {
        char pid[16];
        (void)snprintf(pid, sizeof pid, "%d", backends[i]);
        sql_array_add(&pids, pid);
    }
    const char *values[] = {sql_array_end(&pids)};
    struct db_rows rows;
    enum db_status status = db_execute(transfer->session, STATEMENT_COUNT_WAITING, values, 1, &rows);
    text_free(&pids.text);
    if (status != DB_OK) {
        return false;
    }
    *waiting = (uint32_t)db_rows_integer(&rows, 0, 0);
    db_rows_free(&rows);
    return true;
}

// Repeats the count until every rival that has not ended waits for the row. A rival that was refused ends without
// waiting, and then no longer counts.
static enum gate_release await_rivals(struct transfer *transfer) {
    const struct settings *settings = &transfer->request->settings;
    uint64_t deadline = clock_monotonic_ns() + settings->barrier_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    int backends[WORKER_THREADS_MAX];
    for (uint32_t pause_ms = 1;; pause_ms = pause_ms < HOLD_PAUSE_MAX_MS ? pause_ms * 2 : pause_ms) {
        uint32_t waiting = 0;
        uint32_t rivals = gate_barrier_rivals(transfer->gate, &transfer->barrier, backends, WORKER_THREADS_MAX);
        if (rivals == 0 || !count_waiting(transfer, backends, rivals, &waiting) || waiting >= rivals) {
            return GATE_RELEASED;
        }
        if (clock_monotonic_ns() >= deadline) {
            return GATE_TIMED_OUT;
        }
        enum gate_release release = gate_delay(transfer->gate, settings->gate_version, pause_ms);
        if (release != GATE_RELEASED) {
            return release;
        }
    }
}

void transfer_hold_row(struct transfer *transfer) {
    uint32_t rivals = gate_barrier_rivals(transfer->gate, &transfer->barrier, NULL, 0);
    if (rivals == 0 || transfer->result->race_detected) {
        return; // it has no rivals, or it has waited for the row itself, and the race has already happened
    }
    struct step *step = step_add(&transfer->result->steps, STEP_HOLD, clock_monotonic_ns());
    step->parties = rivals;
    transfer_log(transfer, LOG_LEVEL_INFO, LOG_FACTS(.event = "hold", .account = transfer->request->from_account),
                 "Holding the row of %s until %" PRIu32 " more stand behind it", transfer->request->from_account,
                 rivals);
    enum gate_release release = await_rivals(transfer);
    step->outcome = gate_release_name(release);
    step->ended_ns = clock_monotonic_ns();
    transfer_publish_steps(transfer->request, transfer->result);
    if (release == GATE_TIMED_OUT) {
        transfer_log(
            transfer, LOG_LEVEL_WARN,
            LOG_FACTS(.event = "hold_ended", .account = transfer->request->from_account, .outcome = "timed_out"),
            "Barrier timed out after %" PRIu32 " ms at the row of %s", transfer->request->settings.barrier_timeout_ms,
            transfer->request->from_account);
    }
}
