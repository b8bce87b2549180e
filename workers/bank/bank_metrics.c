// Declares the bank's metrics and publishes what jobs brought back. Loop thread.
#include "workers/bank/bank_metrics.h"

#include "observability/base/base.h"
#include "workers/transfer/transfer.h"

#include <stdlib.h>

struct bank_metrics {
    const struct strategy *const *strategies; // ends with NULL
    struct metric_family *transfers;
    struct metric_family *unknown;
    struct metric *key_replays;
    struct metric_family *key_conflicts;
    struct metric_family *race_hits;
    struct metric_family *double_spends;
    struct metric_family *lost_updates;
    struct metric_family *balances;
    struct metric_family *money_drift;
    struct metric_family *settings;
    struct metric_family *strategy;
    struct metric_family *transfer_durations;
    struct metric_family *retries;
    struct metric *running;
    struct metric *queued;
    struct metric *overflowed;
    struct metric *overflow_ends[OVERFLOW_ENDS];
    struct metric *barrier_waiting;
    struct metric *barrier_releases;
    struct metric *barrier_timeouts;
    struct metric *barrier_skew;
    struct metric *available;
    struct metric *sessions_idle;
    struct metric *sessions_in_use;
    struct metric *sessions_refused;
    struct metric_family *statement_durations;
    struct metric *statement_duration[STATEMENT_COUNT]; // NULL until the statement has run
};

enum key_conflict { KEY_IN_FLIGHT, KEY_OTHER_REQUEST };
static const char *const key_conflict_reasons[] = {
    [KEY_IN_FLIGHT] = "in_flight", [KEY_OTHER_REQUEST] = "other_request"};

// Seconds; from what two woken threads need to what a loaded machine makes of it.
static const double skew_bounds[] = {0.00001, 0.000025, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.025, 0.1};

static struct metric_family *add(struct metrics *metrics, enum metric_kind kind, const char *name, const char *help,
                                 const char *label_1, const char *label_2) {
    struct metric_definition definition = {.kind = kind, .name = name, .help = help, .labels = {label_1, label_2}};
    if (kind == METRIC_HISTOGRAM) {
        definition.bounds = metrics_latency_bounds;
        definition.bound_count = metrics_latency_bound_count;
    }
    return metrics_add_family(metrics, &definition);
}

static void add_overflow_families(struct bank_metrics *bank, struct metrics *metrics) {
    static const char *const names[OVERFLOW_ENDS] = {
        [OVERFLOW_MOVED] = "queued", [OVERFLOW_REFUSED] = "refused", [OVERFLOW_ABANDONED] = "abandoned"};
    bank->overflowed = metric_without_labels(add(metrics, METRIC_GAUGE, "transfer_overflow_depth",
                                                 "Transfers that wait for room in the queue.", NULL, NULL));
    struct metric_family *ends = add(metrics, METRIC_COUNTER, "transfer_overflow_total",
                                     "Transfers that found the queue full: it had room in time (queued), they got 503 "
                                     "(refused), or their clients left (abandoned).",
                                     "status", NULL);
    for (size_t end = 0; end < OVERFLOW_ENDS; end++) {
        bank->overflow_ends[end] = metric_with(ends, &names[end]);
    }
}

static void add_transfer_families(struct bank_metrics *bank, struct metrics *metrics) {
    bank->transfers = add(metrics, METRIC_COUNTER, "transfers_total", "Transfers ended, by outcome.", "status",
                          "strategy");
    bank->unknown = add(metrics, METRIC_COUNTER, "transfers_unknown_total",
                        "Transfers ended without knowing whether they were committed, or for good.", "strategy", NULL);
    bank->key_replays = metric_without_labels(
        add(metrics, METRIC_COUNTER, "idempotency_replays_total",
            "Requests that repeated an Idempotency-Key and got the answer of its transfer.", NULL, NULL));
    bank->key_conflicts = add(metrics, METRIC_COUNTER, "idempotency_conflicts_total",
                              "Requests refused for their Idempotency-Key: its transfer has not ended (in_flight), or "
                              "it belongs to another request (other_request).",
                              "reason", NULL);
    for (size_t i = 0; i < sizeof key_conflict_reasons / sizeof key_conflict_reasons[0]; i++) {
        metric_add(metric_with(bank->key_conflicts, &key_conflict_reasons[i]), 0);
    }
    bank->race_hits = add(metrics, METRIC_COUNTER, "race_condition_hits_total",
                          "Transfers that acted on a balance that had changed since they read it.", "strategy", NULL);
    bank->double_spends = add(metrics, METRIC_COUNTER, "double_spend_detected_total",
                              "Raced transfers that left the source account negative.", "strategy", NULL);
    bank->lost_updates = add(metrics, METRIC_COUNTER, "lost_updates_total",
                             "Raced transfers that overwrote what another transfer had written.", "strategy", NULL);
    bank->balances = add(metrics, METRIC_GAUGE, "account_balance",
                         "Balance in the database at the time of the scrape, for the first 100 accounts.", "account_id",
                         NULL);
    bank->money_drift = add(metrics, METRIC_GAUGE, "money_drift",
                            "All balances less all initial balances: zero unless money was made or lost since the last "
                            "reset.",
                            NULL, NULL);
    bank->settings = add(metrics, METRIC_GAUGE, "lab_setting", "The settings as they are now; true is 1.", "setting",
                         NULL);
    bank->strategy = add(metrics, METRIC_GAUGE, "lab_strategy", "1 for the strategy of the settings, 0 for the others.",
                         "strategy", NULL);
    bank->transfer_durations = add(metrics, METRIC_HISTOGRAM, "transfer_duration_seconds",
                                   "From a transfer's arrival to its outcome.", "strategy", "status");
    bank->retries = add(metrics, METRIC_COUNTER, "transfer_retries_total",
                        "Attempts that lost against another transaction and were made again.", "strategy", "sqlstate");
    bank->running = metric_without_labels(
        add(metrics, METRIC_GAUGE, "concurrent_transfers", "Transfers in progress now.", NULL, NULL));
    bank->queued = metric_without_labels(
        add(metrics, METRIC_GAUGE, "transfer_queue_depth", "Transfers admitted and not yet on a worker.", NULL, NULL));
    add_overflow_families(bank, metrics);
}

static void add_barrier_families(struct bank_metrics *bank, struct metrics *metrics) {
    bank->barrier_waiting = metric_without_labels(
        add(metrics, METRIC_GAUGE, "barrier_waiting_count", "Transfers standing at the barrier now.", NULL, NULL));
    bank->barrier_releases = metric_without_labels(add(metrics, METRIC_COUNTER, "barrier_releases_total",
                                                       "Times a barrier had all its transfers and released them.", NULL,
                                                       NULL));
    bank->barrier_timeouts = metric_without_labels(add(metrics, METRIC_COUNTER, "barrier_timeouts_total",
                                                       "Transfers that gave up waiting at a barrier.", NULL, NULL));
    bank->barrier_skew = metric_without_labels(
        metrics_add_family(metrics, &(struct metric_definition){
                                        .kind = METRIC_HISTOGRAM,
                                        .name = "barrier_release_skew_seconds",
                                        .help = "From the first to the last transfer past a released barrier.",
                                        .bounds = skew_bounds,
                                        .bound_count = sizeof skew_bounds / sizeof skew_bounds[0],
                                    }));
}

static void add_database_families(struct bank_metrics *bank, struct metrics *metrics) {
    bank->available = metric_without_labels(add(metrics, METRIC_GAUGE, "database_available",
                                                "1 while the database serves transfers, as /health says; else 0.", NULL,
                                                NULL));
    struct metric_family *sessions = add(metrics, METRIC_GAUGE, "db_connections",
                                         "Database connections held, by state.", "state", NULL);
    bank->sessions_idle = metric_with(sessions, (const char *[]){"idle"});
    bank->sessions_in_use = metric_with(sessions, (const char *[]){"in_use"});
    bank->sessions_refused = metric_without_labels(
        add(metrics, METRIC_GAUGE, "database_sessions_refused",
            "1 while PostgreSQL refuses more sessions because of a connection limit; else 0.", NULL, NULL));
    bank->statement_durations = add(metrics, METRIC_HISTOGRAM, "db_statement_duration_seconds",
                                    "One SQL statement, sent and answered, lock waits included.", "statement", NULL);
}

// At zero from the start, so that a first race is an increase an alert can see.
static void add_series_of(struct bank_metrics *bank, const char *strategy) {
    metric_add(metric_with(bank->transfers, (const char *[]){"success", strategy}), 0);
    metric_add(metric_with(bank->transfers, (const char *[]){"insufficient_funds", strategy}), 0);
    metric_add(metric_with(bank->transfers, (const char *[]){"error", strategy}), 0);
    metric_add(metric_with(bank->unknown, &strategy), 0);
    metric_add(metric_with(bank->race_hits, &strategy), 0);
    metric_add(metric_with(bank->double_spends, &strategy), 0);
    metric_add(metric_with(bank->lost_updates, &strategy), 0);
    metric_add(metric_with(bank->retries, (const char *[]){strategy, "none"}), 0);
    metric_add(metric_with(bank->retries, (const char *[]){strategy, "40001"}), 0);
    metric_add(metric_with(bank->retries, (const char *[]){strategy, "40P01"}), 0);
}

struct bank_metrics *bank_metrics_add(struct metrics *metrics, const struct strategy *const *strategies) {
    struct bank_metrics *bank = memory_allocate_zeroed(sizeof *bank);
    bank->strategies = strategies;
    add_transfer_families(bank, metrics);
    add_barrier_families(bank, metrics);
    add_database_families(bank, metrics);
    for (size_t i = 0; strategies[i] != NULL; i++) {
        add_series_of(bank, strategies[i]->name);
    }
    return bank;
}

void bank_metrics_free(struct bank_metrics *bank) {
    free(bank);
}

static double seconds(uint64_t nanoseconds) {
    return (double)nanoseconds / (double)NANOSECONDS_PER_SECOND;
}

static void publish_barrier(struct bank_metrics *bank, const struct barrier_pass *pass) {
    if (pass->measured_skew) { // one waiter of each released round
        metric_add(bank->barrier_releases, 1);
        metric_observe(bank->barrier_skew, seconds(pass->skew_ns));
    }
    if (pass->release == GATE_TIMED_OUT) {
        metric_add(bank->barrier_timeouts, 1);
    }
}

static void publish_retries(struct bank_metrics *bank, const char *strategy, const struct transfer_result *result) {
    if (result->retries_stale > 0) { // found out without an error, so without an SQLSTATE
        metric_add(metric_with(bank->retries, (const char *[]){strategy, "none"}), result->retries_stale);
    }
    if (result->retries_serialization > 0) {
        metric_add(metric_with(bank->retries, (const char *[]){strategy, "40001"}), result->retries_serialization);
    }
    if (result->retries_deadlock > 0) {
        metric_add(metric_with(bank->retries, (const char *[]){strategy, "40P01"}), result->retries_deadlock);
    }
}

// True if the key decided: no transfer was attempted, so it counts in no other metric.
static bool publish_key(struct bank_metrics *bank, enum transfer_outcome outcome) {
    if (outcome == TRANSFER_REPLAYED) {
        metric_add(bank->key_replays, 1);
    } else if (outcome == TRANSFER_KEY_IN_FLIGHT || outcome == TRANSFER_KEY_REUSED) {
        enum key_conflict conflict = outcome == TRANSFER_KEY_IN_FLIGHT ? KEY_IN_FLIGHT : KEY_OTHER_REQUEST;
        metric_add(metric_with(bank->key_conflicts, &key_conflict_reasons[conflict]), 1);
    } else {
        return false;
    }
    return true;
}

void bank_metrics_publish_transfer(struct bank_metrics *bank, const struct transfer_request *request,
                                   const struct transfer_result *result) {
    const char *strategy = request->settings.strategy->name;
    publish_retries(bank, strategy, result);
    if (result->stood_at_barrier) {
        publish_barrier(bank, &result->barrier);
    }
    if (publish_key(bank, result->outcome)) {
        return;
    }
    if (result->outcome == TRANSFER_UNKNOWN_FROM_ACCOUNT || result->outcome == TRANSFER_UNKNOWN_TO_ACCOUNT) {
        return; // a request that named nothing to move; http_requests_total has it as a 404
    }
    const char *status = transfer_outcome_metric(result->outcome);
    metric_add(metric_with(bank->transfers, (const char *[]){status, strategy}), 1);
    struct metric *duration = metric_with(bank->transfer_durations, (const char *[]){strategy, status});
    struct metric *race_hits = metric_with(bank->race_hits, &strategy);
    if (transfer_is_kept(request, result)) {
        char trace_id[TRACE_ID_HEX];
        trace_context_trace_id(&request->trace, trace_id);
        metric_observe_in_trace(duration, seconds(result->duration_ns), trace_id);
        if (result->race_detected) {
            metric_add_in_trace(race_hits, 1, trace_id);
        }
    } else {
        metric_observe(duration, seconds(result->duration_ns));
        metric_add(race_hits, result->race_detected ? 1 : 0);
    }
    if (result->outcome == TRANSFER_OUTCOME_UNKNOWN) {
        metric_add(metric_with(bank->unknown, &strategy), 1);
    }
    if (result->double_spend) {
        metric_add(metric_with(bank->double_spends, &strategy), 1);
    }
    if (result->lost_update) {
        metric_add(metric_with(bank->lost_updates, &strategy), 1);
    }
}

// A server runs few of the statements. A histogram has 19 series, so it is made when its statement first runs.
static struct metric *statement_duration(struct bank_metrics *bank, enum statement statement) {
    struct metric **duration = &bank->statement_duration[statement];
    if (*duration == NULL) {
        *duration = metric_with(bank->statement_durations, (const char *[]){statement_texts[statement].name});
    }
    return *duration;
}

void bank_metrics_publish_statements(struct bank_metrics *bank, struct statement_trace *trace) {
    while (trace->published < trace->count) {
        const struct statement_run *run = &trace->runs[trace->published++];
        metric_observe(statement_duration(bank, run->statement), seconds(run->ended_ns - run->started_ns));
    }
}

void bank_metrics_publish_overflow(struct bank_metrics *bank, enum overflow_end end) {
    metric_add(bank->overflow_ends[end], 1);
}

void bank_metrics_set_gauges(struct bank_metrics *bank, const struct bank_gauges *gauges) {
    metric_set(bank->running, gauges->transfers_running);
    metric_set(bank->queued, gauges->transfers_queued);
    metric_set(bank->overflowed, gauges->transfers_overflowed);
    metric_set(bank->barrier_waiting, gauges->barrier_waiting);
    metric_set(bank->sessions_idle, gauges->sessions_idle);
    metric_set(bank->sessions_in_use, gauges->sessions_in_use);
    metric_set(bank->sessions_refused, gauges->sessions_refused);
}

void bank_metrics_set_available(struct bank_metrics *bank, bool available) {
    metric_set(bank->available, available);
}

void bank_metrics_set_balances(struct bank_metrics *bank, const struct account_list *accounts) {
    metric_family_clear(bank->balances);
    for (size_t i = 0; i < accounts->count; i++) {
        const char *id = accounts->accounts[i].id;
        metric_set(metric_with(bank->balances, &id), (double)accounts->accounts[i].balance / 100.0);
    }
}

void bank_metrics_set_money_drift(struct bank_metrics *bank, bool known, double drift) {
    metric_family_clear(bank->money_drift);
    if (known) {
        metric_set(metric_without_labels(bank->money_drift), drift);
    }
}

static void set_setting(struct bank_metrics *bank, const char *setting, double value) {
    metric_set(metric_with(bank->settings, &setting), value);
}

void bank_metrics_set_settings(struct bank_metrics *bank, const struct settings *settings) {
    set_setting(bank, "delay_enabled", settings->delay_enabled);
    set_setting(bank, "delay_ms", settings->delay_ms);
    set_setting(bank, "barrier_enabled", settings->barrier_enabled);
    set_setting(bank, "barrier_count", settings->barrier_count);
    set_setting(bank, "barrier_timeout_ms", settings->barrier_timeout_ms);
    set_setting(bank, "use_transactions", settings_use_transactions(settings));
    for (const struct strategy *const *strategy = bank->strategies; *strategy != NULL; strategy++) {
        metric_set(metric_with(bank->strategy, &(*strategy)->name), *strategy == settings->strategy);
    }
}
