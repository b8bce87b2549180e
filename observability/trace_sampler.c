// The built-in samplers of OpenTelemetry. Called on the loop, once a transfer.
#include "trace_sampler.h"

#include <string.h>

#define BOUND_ALL (UINT64_C(1) << 63) // above every 63-bit number

static bool kind_of(const char *name, bool *takes_ratio, uint64_t *bound) {
    *takes_ratio = strcmp(name, "traceidratio") == 0;
    *bound = strcmp(name, "always_off") == 0 ? 0 : BOUND_ALL;
    return *takes_ratio || strcmp(name, "always_on") == 0 || strcmp(name, "always_off") == 0;
}

bool trace_sampler_find(const char *name, double ratio, struct trace_sampler *out) {
    static const char prefix[] = "parentbased_";
    const char *wanted = name == NULL ? "parentbased_always_on" : name;
    out->asks_parent = strncmp(wanted, prefix, sizeof prefix - 1) == 0;
    bool takes_ratio;
    if (!kind_of(out->asks_parent ? wanted + sizeof prefix - 1 : wanted, &takes_ratio, &out->bound)) {
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
