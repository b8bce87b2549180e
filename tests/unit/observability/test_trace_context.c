// trace_context: which traceparents are accepted, which header is written, and that ids are random in each thread.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "observability/trace/trace_context.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID "00f067aa0ba902b7"

static void assert_parsed(const char *traceparent, bool sampled) {
    struct trace_context context;
    char trace_id[TRACE_ID_HEX];
    char span_id[SPAN_ID_HEX];
    assert_true(trace_context_parse(slice_of(traceparent), &context));
    trace_context_trace_id(&context, trace_id);
    trace_context_span_id(&context, span_id);
    assert_string_equal(trace_id, TRACE_ID);
    assert_string_equal(span_id, SPAN_ID);
    assert_int_equal(context.sampled, sampled);
}

// The header is copied to the heap without its NUL, so that the sanitizers report a read behind its end.
static void assert_ignored(const char *traceparent) {
    struct trace_context context;
    struct trace_context before;
    memset(&context, 0x5A, sizeof context);
    context.sampled = true;
    before = context;
    size_t length = strlen(traceparent);
    char *exact = memory_allocate(length);
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): a header ends without a NUL
    memcpy(exact, traceparent, length);
    assert_false(trace_context_parse((struct slice){exact, length}, &context));
    assert_memory_equal(context.trace_id, before.trace_id, TRACE_ID_BYTES);
    assert_memory_equal(context.span_id, before.span_id, SPAN_ID_BYTES);
    free(exact);
}

static void test_version_0_is_read(void **state) {
    (void)state;
    assert_parsed("00-" TRACE_ID "-" SPAN_ID "-01", true);
    assert_parsed("00-" TRACE_ID "-" SPAN_ID "-00", false);
}

static void test_sampled_is_the_lowest_flag_only(void **state) {
    (void)state;
    assert_parsed("00-" TRACE_ID "-" SPAN_ID "-ff", true);
    assert_parsed("00-" TRACE_ID "-" SPAN_ID "-fe", false);
    assert_parsed("00-" TRACE_ID "-" SPAN_ID "-02", false);
}

static void test_higher_versions_are_read_as_far_as_known(void **state) {
    (void)state;
    assert_parsed("01-" TRACE_ID "-" SPAN_ID "-01", true);
    assert_parsed("cc-" TRACE_ID "-" SPAN_ID "-01-what-comes", true);
    assert_parsed("fe-" TRACE_ID "-" SPAN_ID "-01-", true);
    assert_ignored("cc-" TRACE_ID "-" SPAN_ID "-01.what-comes");
    assert_ignored("cc-" TRACE_ID "-" SPAN_ID "-011");
    assert_ignored("cc-" TRACE_ID "-" SPAN_ID "-0");
}

static void test_bad_ones_are_ignored(void **state) {
    (void)state;
    assert_ignored("");
    assert_ignored("00");
    assert_ignored("00-" TRACE_ID "-" SPAN_ID "-0");
    assert_ignored("00-" TRACE_ID "-" SPAN_ID "-01-");
    assert_ignored("00-" TRACE_ID "-" SPAN_ID "-01 ");
    assert_ignored("ff-" TRACE_ID "-" SPAN_ID "-01");
    assert_ignored("0X-" TRACE_ID "-" SPAN_ID "-01");
    assert_ignored("00-" TRACE_ID "-" SPAN_ID "-0g");
    assert_ignored("00-" TRACE_ID "-" SPAN_ID "-0F");
    assert_ignored("00-00000000000000000000000000000000-" SPAN_ID "-01");
    assert_ignored("00-" TRACE_ID "-0000000000000000-01");
    assert_ignored("00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN_ID "-01");
    assert_ignored("00-" TRACE_ID "-00F067AA0BA902B7-01");
    assert_ignored("00-4bf92f3577b34da6a3ce929d0e0e473x-" SPAN_ID "-01");
    assert_ignored("00_" TRACE_ID "-" SPAN_ID "-01");
    assert_ignored("00-" TRACE_ID "_" SPAN_ID "-01");
    assert_ignored("00-" TRACE_ID "-" SPAN_ID "_01");
}

static void test_written_traceparent_is_version_0(void **state) {
    (void)state;
    struct trace_context context;
    char written[TRACEPARENT_LENGTH];
    assert_true(trace_context_parse(SLICE_LITERAL("cc-" TRACE_ID "-" SPAN_ID "-03-more"), &context));
    trace_context_traceparent(&context, written);
    assert_string_equal(written, "00-" TRACE_ID "-" SPAN_ID "-01");
    context.sampled = false;
    trace_context_traceparent(&context, written);
    assert_string_equal(written, "00-" TRACE_ID "-" SPAN_ID "-00");
}

static void test_started_traces_differ_and_can_be_read_back(void **state) {
    (void)state;
    struct trace_context first;
    struct trace_context second;
    struct trace_context read;
    char written[TRACEPARENT_LENGTH];
    trace_context_start(&first, true);
    trace_context_start(&second, false);
    assert_true(first.sampled);
    assert_false(second.sampled);
    assert_memory_not_equal(first.trace_id, second.trace_id, TRACE_ID_BYTES);
    assert_memory_not_equal(first.span_id, second.span_id, SPAN_ID_BYTES);
    assert_memory_not_equal(first.trace_id, first.trace_id + 8, 8);

    trace_context_traceparent(&first, written);
    assert_true(trace_context_parse(slice_of(written), &read));
    assert_memory_equal(read.trace_id, first.trace_id, TRACE_ID_BYTES);
    assert_memory_equal(read.span_id, first.span_id, SPAN_ID_BYTES);
}

static void test_child_is_a_new_span_of_the_same_trace(void **state) {
    (void)state;
    struct trace_context parent;
    struct trace_context child;
    trace_context_start(&parent, true);
    trace_context_child(&parent, &child);
    assert_memory_equal(child.trace_id, parent.trace_id, TRACE_ID_BYTES);
    assert_memory_not_equal(child.span_id, parent.span_id, SPAN_ID_BYTES);
    assert_true(child.sampled);
    parent.sampled = false;
    trace_context_child(&parent, &child);
    assert_false(child.sampled);
}

static void test_random_bits_are_balanced(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    int ones[64] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t bits = random_bits();
        for (int bit = 0; bit < 64; bit++) {
            ones[bit] += (int)((bits >> bit) & 1);
        }
    }
    for (int bit = 0; bit < 64; bit++) { // 707 is 10 standard deviations; the mean is 10,000
        assert_in_range(ones[bit], DRAWS / 2 - 707, DRAWS / 2 + 707);
    }
}

static void *draw(void *drawn) {
    *(uint64_t *)drawn = random_bits();
    return NULL;
}

static void test_threads_draw_different_bits(void **state) {
    (void)state;
    uint64_t drawn[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, draw, &drawn[i]) == 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    assert_true(drawn[0] != drawn[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_0_is_read),
        cmocka_unit_test(test_sampled_is_the_lowest_flag_only),
        cmocka_unit_test(test_higher_versions_are_read_as_far_as_known),
        cmocka_unit_test(test_bad_ones_are_ignored),
        cmocka_unit_test(test_written_traceparent_is_version_0),
        cmocka_unit_test(test_started_traces_differ_and_can_be_read_back),
        cmocka_unit_test(test_child_is_a_new_span_of_the_same_trace),
        cmocka_unit_test(test_random_bits_are_balanced),
        cmocka_unit_test(test_threads_draw_different_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
