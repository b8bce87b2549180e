// trace_sampler: the names of the samplers, the parent's decision, and a ratio that depends on the trace id.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "observability/trace/trace_sampler.h"

#define TRACES 20000

static struct trace_sampler find(const char *name, double ratio) {
    struct trace_sampler sampler;
    assert_true(trace_sampler_find(name, ratio, &sampler));
    return sampler;
}

static bool keeps(const char *name, double ratio, const struct trace_context *parent) {
    struct trace_sampler sampler = find(name, ratio);
    struct trace_context trace;
    trace_context_start(&trace, false);
    return trace_sampler_keeps(&sampler, parent, trace.trace_id);
}

static void test_names(void **state) {
    (void)state;
    struct trace_sampler sampler;
    assert_false(trace_sampler_find("", 1, &sampler));
    assert_false(trace_sampler_find("sometimes", 1, &sampler));
    assert_false(trace_sampler_find("parentbased_", 1, &sampler));
    assert_false(trace_sampler_find("parentbased_sometimes", 1, &sampler));
    assert_true(find(NULL, 1).asks_parent);
    assert_false(find("always_on", 1).asks_parent);
    assert_true(find("PARENTBASED_Always_On", 1).asks_parent);
    assert_false(trace_sampler_find("parentbased_always_on ", 1, &sampler));
}

static void test_who_is_followed(void **state) {
    (void)state;
    const struct trace_context sampled = {.sampled = true};
    const struct trace_context unsampled = {.sampled = false};
    assert_true(keeps("always_on", 0, &unsampled));
    assert_false(keeps("always_off", 1, &sampled));
    assert_true(keeps("parentbased_always_off", 1, &sampled));
    assert_false(keeps("parentbased_always_off", 1, NULL));
    assert_false(keeps("parentbased_always_on", 1, &unsampled));
    assert_true(keeps(NULL, 1, NULL));
    assert_true(keeps("parentbased_traceidratio", 0, &sampled));
    assert_false(keeps("traceidratio", 0, &sampled));
}

static unsigned count_kept(double ratio) {
    struct trace_sampler sampler = find("traceidratio", ratio);
    unsigned kept = 0;
    for (unsigned i = 0; i < TRACES; i++) {
        struct trace_context trace;
        trace_context_start(&trace, false);
        kept += trace_sampler_keeps(&sampler, NULL, trace.trace_id);
    }
    return kept;
}

static void test_ratios(void **state) {
    (void)state;
    assert_int_equal(count_kept(0), 0);
    assert_int_equal(count_kept(1), TRACES);
    assert_in_range(count_kept(0.5), TRACES * 45 / 100, TRACES * 55 / 100);
    assert_in_range(count_kept(0.01), TRACES / 250, TRACES / 50);
}

// A larger ratio keeps every trace that a smaller one keeps, so services with different ratios still share whole
// traces.
static void test_a_ratio_is_of_the_trace_id(void **state) {
    (void)state;
    struct trace_sampler small = find("traceidratio", 0.2);
    struct trace_sampler large = find("traceidratio", 0.6);
    for (unsigned i = 0; i < TRACES; i++) {
        struct trace_context trace;
        trace_context_start(&trace, false);
        if (trace_sampler_keeps(&small, NULL, trace.trace_id)) {
            assert_true(trace_sampler_keeps(&large, NULL, trace.trace_id));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_who_is_followed),
        cmocka_unit_test(test_ratios),
        cmocka_unit_test(test_a_ratio_is_of_the_trace_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
