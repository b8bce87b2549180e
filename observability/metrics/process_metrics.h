// The standard process_* metrics of Prometheus, read from /proc. A value that cannot be read is 0.
#ifndef OBSERVABILITY_METRICS_PROCESS_METRICS_H
#define OBSERVABILITY_METRICS_PROCESS_METRICS_H

#include "observability/base/base.h"

#include <stdint.h>

struct metrics;

struct process_sample {
    double cpu_seconds;
    double start_time_seconds; // since 1970
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t open_descriptors;
    uint64_t descriptor_limit;
    uint64_t threads;
};

struct process_metrics; // handles of the families

// Worker thread: reading /proc may take a millisecond when many descriptors are open.
void process_sample_take(struct process_sample *out);

// Loop thread. `metrics` owns the families; process_metrics_free() frees only the handles.
MUST_CHECK struct process_metrics *process_metrics_add(struct metrics *metrics);
void process_metrics_set(struct process_metrics *process_metrics, const struct process_sample *sample);
void process_metrics_free(struct process_metrics *process_metrics);

#endif
