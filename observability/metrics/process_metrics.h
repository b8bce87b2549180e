// The standard process_* metrics, read from /proc.
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

struct process_metrics; // its families

// Reads /proc; may take a millisecond with many descriptors open: on a worker thread.
void process_sample_take(struct process_sample *out);

// On the loop thread. The handles belong to `metrics`; process_metrics_free frees only the wrapper.
MUST_CHECK struct process_metrics *process_metrics_add(struct metrics *metrics);
void process_metrics_set(struct process_metrics *process_metrics, const struct process_sample *sample);
void process_metrics_free(struct process_metrics *process_metrics);

#endif
