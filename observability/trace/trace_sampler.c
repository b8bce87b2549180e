// The built-in samplers of OpenTelemetry. Called on the loop, once a transfer.
#include "observability/trace/trace_sampler.h"

#include "observability/base/base.h"

#define BOUND_ALL (UINT64_C(1) << 63) // above every 63-bit number

static bool kind_of(struct slice name, bool *takes_ratio, uint64_t *bound) {
    bool never = slice_equals_ignoring_case(name, SLICE_LITERAL("always_off"));
    *takes_ratio = slice_equals_ignoring_case(name, SLICE_LITERAL("traceidratio"));
    *bound = never ? 0 : BOUND_ALL;
    return never || *takes_ratio || slice_equals_ignoring_case(name, SLICE_LITERAL("always_on"));
}

bool trace_sampler_find(const char *name, double ratio, struct trace_sampler *out) {
    static const struct slice prefix = SLICE_INITIALIZER("parentbased_");
    struct slice wanted = slice_of(name == NULL ? "parentbased_always_on" : name);
    size_t start = MIN(wanted.length, prefix.length);
    out->asks_parent = slice_equals_ignoring_case((struct slice){wanted.data, start}, prefix);
    if (out->asks_parent) {
        wanted = (struct slice){wanted.data + start, wanted.length - start};
    }
    bool takes_ratio;
    if (!kind_of(wanted, &takes_ratio, &out->bound)) {
        return false;
    }
    if (takes_ratio) {
        out->bound = ratio >= 1.0 ? BOUND_ALL : (uint64_t)(ratio * (double)BOUND_ALL);
    }
    return true;
}

bool trace_sampler_keeps(const struct trace_sampler *sampler, const struct trace_context *parent,
                         const uint8_t trace_id[static TRACE_ID_BYTES]) {
    if (sampler->asks_parent && parent != NULL) {
        return parent->sampled;
    }
    uint64_t tail = 0;
    for (size_t i = TRACE_ID_BYTES - sizeof tail; i < TRACE_ID_BYTES; i++) {
        tail = tail << 8 | trace_id[i];
    }
    return tail >> 1 < sampler->bound;
}
