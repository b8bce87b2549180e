// The registry that metrics.c fills and metrics_render.c writes out. Private to these two files; loop thread only.
#ifndef OBSERVABILITY_METRICS_METRICS_REGISTRY_H
#define OBSERVABILITY_METRICS_METRICS_REGISTRY_H

#include "observability/metrics/metrics.h"
#include "observability/trace/trace.h"

#include <stdint.h>

#define METRIC_SLOTS 64 // size of the hash table of a family: a power of two, well above its usual number of series

struct exemplar {
    char trace_id[TRACE_ID_HEX]; // "" while there is no exemplar
    double value;
    double timestamp_s; // since 1970
};

struct metric {
    struct metric *next; // the next series of the family, in the order they were made
    struct metric *next_in_slot;
    struct metric_family *family;
    uint64_t hash;      // hash of the label values
    char *values;       // the label values one behind the other, each with its NUL
    struct text labels; // the labels as they are written: status="success",strategy="safe"
    double value;       // the value of a counter or gauge, the sum of a histogram
    // Histograms only. There is one bucket for each bound and a last one for +Inf. A bucket does not include the
    // buckets below it; metrics_render.c adds them up.
    uint64_t observations;
    uint64_t *buckets;
    // One exemplar for each bucket, or one for a counter. NULL until the first exemplar is set.
    struct exemplar *exemplars;
};

struct metric_family {
    struct metric_family *next; // the next family, in the order they were added
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
