// The bank's own metrics: what the transfers, the gates and the database sessions measured. Loop thread.
#ifndef WORKERS_BANK_BANK_METRICS_H
#define WORKERS_BANK_BANK_METRICS_H

#include "observability/metrics/metrics.h"
#include "workers/bank/bank_reads.h"
#include "workers/database/database.h"
#include "workers/transfer/transfer.h"

struct bank_metrics; // handles into a registry, which must outlive them

struct bank_gauges {
    unsigned transfers_running;
    unsigned transfers_queued;
    unsigned transfers_overflowed; // that wait for room in the queue
    unsigned barrier_waiting;
    unsigned sessions_idle;
    unsigned sessions_in_use;
    bool sessions_refused; // PostgreSQL refuses more because of a connection limit
};

// How a transfer that found the queue full has left the overflow.
enum overflow_end {
    OVERFLOW_MOVED,     // the queue had room for it
    OVERFLOW_REFUSED,   // no room in time; also one that found the overflow full
    OVERFLOW_ABANDONED, // its client had left
    OVERFLOW_ENDS
};

// `strategies` ends with NULL and lives for ever: each has its series from the start.
MUST_CHECK struct bank_metrics *bank_metrics_add(struct metrics *metrics, const struct strategy *const *strategies);
void bank_metrics_free(struct bank_metrics *bank);

// Publishes a transfer that has ended. Call it once for each transfer.
void bank_metrics_publish_transfer(struct bank_metrics *bank, const struct transfer_request *request,
                                   const struct transfer_result *result);
void bank_metrics_publish_overflow(struct bank_metrics *bank, enum overflow_end end);
// Publishes the statements that were not published before.
void bank_metrics_publish_statements(struct bank_metrics *bank, struct statement_trace *trace);

// Call the next five functions at a scrape.
void bank_metrics_set_gauges(struct bank_metrics *bank, const struct bank_gauges *gauges);
// `available`: GET /health reports the database as "ok".
void bank_metrics_set_available(struct bank_metrics *bank, bool available);
void bank_metrics_set_balances(struct bank_metrics *bank, const struct account_list *accounts);
// `drift` is in the major unit. `known` is false if it could not be read: then there is no such series.
void bank_metrics_set_money_drift(struct bank_metrics *bank, bool known, double drift);
void bank_metrics_set_settings(struct bank_metrics *bank, const struct settings *settings);

#endif
