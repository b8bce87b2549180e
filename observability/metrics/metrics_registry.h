// What metrics.c records and metrics_render.c writes out. Private to the two; loop thread only.
#ifndef OBSERVABILITY_METRICS_METRICS_REGISTRY_H
#define OBSERVABILITY_METRICS_METRICS_REGISTRY_H

#include "observability/metrics/metrics.h"
#include "observability/trace/trace.h"

#include <stdint.h>

#define METRIC_SLOTS 64 // of a family's hash table; a power of two, several times the series families have

struct exemplar {
    char trace_id[TRACE_ID_HEX]; // "": none yet
    double value;
    double timestamp_s; // since 1970
};

struct metric {
    struct metric *next; // in the order they were made
    struct metric *next_in_slot;
    struct metric_family *family;
    uint64_t hash;              // of the values
    char *values;               // of the labels, each with its NUL, one behind the other
    struct text labels;         // as they are written: status="success",strategy="safe"
    double value;               // counter, gauge: the value; histogram: the sum
    uint64_t observations;      // histogram
    uint64_t *buckets;          // histogram: one a bound and the last for +Inf, each counting its own observations only
    struct exemplar *exemplars; // one a bucket, or one for a counter; NULL until the first
};

struct metric_family {
    struct metric_family *next; // in the order they were added
    struct metric_definition definition;
    size_t label_count;
    struct metric *first;
    struct metric **end; // where the next series is linked
    struct metric *slots[METRIC_SLOTS];
};

struct metrics {
    struct metric_family *first;
    struct metric_family **end; // where the next family is linked
};

#endif
