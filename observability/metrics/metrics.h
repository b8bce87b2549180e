// Counters, gauges and histograms, and the two texts Prometheus reads them as.
//
// One writer and no locks: everything here is called on the loop thread only (workers write their
// measurements into their job, and the loop publishes them). Families live until metrics_free().
// Text format: https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4) and OpenMetrics 1.0.
#ifndef OBSERVABILITY_METRICS_METRICS_H
#define OBSERVABILITY_METRICS_METRICS_H

#include "observability/base/base.h"
#include "observability/metrics/process_metrics.h"

#include <stddef.h>

#define METRIC_LABELS_MAX 3

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metrics_format { METRICS_FORMAT_PROMETHEUS, METRICS_FORMAT_OPENMETRICS };

struct metrics;       // all families, in the order they were added
struct metric_family; // one name, help, kind and set of label names
struct metric;        // one time series of a family

// How a family is declared; the strings and the bounds must outlive the registry (literals do).
struct metric_definition {
    enum metric_kind kind;
    const char *name; // in full, as it is in the Prometheus text: a counter's ends in _total
    const char *help;
    const char *labels[METRIC_LABELS_MAX]; // NULL behind the last
    const double *bounds;                  // histogram: upper bounds in seconds, ascending, without +Inf
    size_t bound_count;
};

// Bounds in seconds for the usual latencies, 100 us .. 30 s.
extern const double metrics_latency_bounds[];
extern const size_t metrics_latency_bound_count;

MUST_CHECK struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

struct metric_family *metrics_add_family(struct metrics *metrics, const struct metric_definition *definition);

// The series of these label values (as many as the family has labels; valid UTF-8; copied), made at first use. The
// pointer stays valid until metrics_free() or metric_family_clear(), so callers on a hot path keep it. A family shows
// nothing while it has no series: ask for a series at start when it should read 0 from the first scrape on.
struct metric *metric_with(struct metric_family *family, const char *const values[]);
struct metric *metric_without_labels(struct metric_family *family);

// Forgets all series of a family whose members come and go (account_balance).
void metric_family_clear(struct metric_family *family);

void metric_add(struct metric *metric, double amount);      // counter (amount >= 0) or gauge
void metric_set(struct metric *metric, double value);       // gauge, or a counter read from elsewhere
void metric_observe(struct metric *metric, double seconds); // histogram

// The same, with the trace this happened in as the exemplar of the counter, or of the bucket that counted it: the last
// one stands, and only OpenMetrics shows it. `trace_id` is 32 hexadecimal digits, copied.
void metric_add_in_trace(struct metric *metric, double amount, const char *trace_id);
void metric_observe_in_trace(struct metric *metric, double seconds, const char *trace_id);

void metrics_render(const struct metrics *metrics, enum metrics_format format, struct text *out);
MUST_CHECK const char *metrics_content_type(enum metrics_format format);

#endif
