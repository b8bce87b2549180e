// Counters, gauges and histograms, and the two text formats in which Prometheus reads them.
//
// Loop thread only, so there are no locks: a worker writes its measurements into its job, and the loop thread records
// them here. Families live until metrics_free().
// Text format: https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4) and OpenMetrics 1.0.
#ifndef OBSERVABILITY_METRICS_METRICS_H
#define OBSERVABILITY_METRICS_METRICS_H

#include "observability/base/base.h"
#include "observability/metrics/process_metrics.h"

#include <stddef.h>

#define METRIC_LABELS_MAX 3

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metrics_format { METRICS_FORMAT_PROMETHEUS, METRICS_FORMAT_OPENMETRICS };

struct metrics;       // the registry: all families, in the order they were added
struct metric_family; // one name with its help text, its kind and its label names
struct metric;        // one time series of a family: one value for each label

// The declaration of a family. The strings and the bounds are not copied; they must live as long as the registry.
struct metric_definition {
    enum metric_kind kind;
    const char *name; // the full name; that of a counter ends in _total
    const char *help;
    const char *labels[METRIC_LABELS_MAX]; // label names; NULL behind the last, if there are fewer than the maximum
    const double *bounds;                  // histogram: upper bounds in seconds, ascending, without +Inf
    size_t bound_count;
};

// Histogram bounds in seconds for latencies, 100 us .. 30 s.
extern const double metrics_latency_bounds[];
extern const size_t metrics_latency_bound_count;

MUST_CHECK struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

// Adds a family; `metrics` owns it. A bad definition ends the process, as does a name that was added before.
struct metric_family *metrics_add_family(struct metrics *metrics, const struct metric_definition *definition);

// Returns the series with these label values, and makes it if it does not exist. There must be one value for each
// label of the family, valid UTF-8; they are copied. The pointer is valid until metrics_free() or
// metric_family_clear(), so a caller on a hot path keeps it. A family without series does not appear in the text: a
// caller that wants to show 0 from the first scrape on makes the series at start.
struct metric *metric_with(struct metric_family *family, const char *const values[]);
struct metric *metric_without_labels(struct metric_family *family);

// Frees all series of a family. account_balance needs this, because accounts can disappear.
void metric_family_clear(struct metric_family *family);

void metric_add(struct metric *metric, double amount);      // for a counter (amount >= 0) or a gauge
void metric_set(struct metric *metric, double value);       // for a gauge, or a counter that is kept elsewhere
void metric_observe(struct metric *metric, double seconds); // for a histogram

// The same two, with a trace as the exemplar of the counter, or of the bucket of the histogram. A newer exemplar
// replaces an older one, and only the OpenMetrics format shows it. `trace_id` is 32 hexadecimal digits; it is copied.
void metric_add_in_trace(struct metric *metric, double amount, const char *trace_id);
void metric_observe_in_trace(struct metric *metric, double seconds, const char *trace_id);

// Appends all families that have series to `out`.
void metrics_render(const struct metrics *metrics, enum metrics_format format, struct text *out);
MUST_CHECK const char *metrics_content_type(enum metrics_format format);

#endif
