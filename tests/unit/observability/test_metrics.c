// metrics: the recorded values, and both text formats character by character.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "capture.h"
#include "observability/metrics/metrics.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double two_bounds[] = {0.25, 1};

static const struct metric_definition transfers = {
    .kind = METRIC_COUNTER,
    .name = "transfers_total",
    .help = "Transfers ended.",
    .labels = {"status", "strategy"},
};
static const struct metric_definition balance = {
    .kind = METRIC_GAUGE,
    .name = "account_balance",
    .help = "Balance.",
    .labels = {"account_id"},
};
static const struct metric_definition concurrent = {
    .kind = METRIC_GAUGE,
    .name = "concurrent_transfers",
    .help = "In progress.",
};
static const struct metric_definition duration = {
    .kind = METRIC_HISTOGRAM,
    .name = "transfer_duration_seconds",
    .help = "Duration.",
    .labels = {"strategy"},
    .bounds = two_bounds,
    .bound_count = 2,
};

static void assert_rendered(const struct metrics *metrics, enum metrics_format format, const char *expected) {
    struct text out = {0};
    metrics_render(metrics, format, &out);
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

static void test_counter_in_both_formats(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_add_family(metrics, &transfers);
    metric_add(metric_with(family, (const char *[]){"success", "safe"}), 1);
    metric_add(metric_with(family, (const char *[]){"success", "safe"}), 2);
    metric_add(metric_with(family, (const char *[]){"error", "safe"}), 0);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP transfers_total Transfers ended.\n"
                    "# TYPE transfers_total counter\n"
                    "transfers_total{status=\"success\",strategy=\"safe\"} 3\n"
                    "transfers_total{status=\"error\",strategy=\"safe\"} 0\n");
    assert_rendered(metrics, METRICS_FORMAT_OPENMETRICS,
                    "# HELP transfers Transfers ended.\n"
                    "# TYPE transfers counter\n"
                    "transfers_total{status=\"success\",strategy=\"safe\"} 3\n"
                    "transfers_total{status=\"error\",strategy=\"safe\"} 0\n"
                    "# EOF\n");
    metrics_free(metrics);
}

static void test_histogram_cumulates(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metric_with(metrics_add_family(metrics, &duration), (const char *[]){"safe"});
    metric_observe(metric, 0.125);
    metric_observe(metric, 0.25); // a bound belongs to its bucket
    metric_observe(metric, 0.5);
    metric_observe(metric, 2);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP transfer_duration_seconds Duration.\n"
                    "# TYPE transfer_duration_seconds histogram\n"
                    "transfer_duration_seconds_bucket{strategy=\"safe\",le=\"0.25\"} 2\n"
                    "transfer_duration_seconds_bucket{strategy=\"safe\",le=\"1.0\"} 3\n"
                    "transfer_duration_seconds_bucket{strategy=\"safe\",le=\"+Inf\"} 4\n"
                    "transfer_duration_seconds_sum{strategy=\"safe\"} 2.875\n"
                    "transfer_duration_seconds_count{strategy=\"safe\"} 4\n");
    metrics_free(metrics);
}

static void test_histogram_without_labels(void **state) {
    (void)state;
    struct metric_definition plain = duration;
    plain.labels[0] = NULL;
    struct metrics *metrics = metrics_new();
    metric_observe(metric_without_labels(metrics_add_family(metrics, &plain)), 0.5);
    assert_rendered(metrics, METRICS_FORMAT_OPENMETRICS,
                    "# HELP transfer_duration_seconds Duration.\n"
                    "# TYPE transfer_duration_seconds histogram\n"
                    "transfer_duration_seconds_bucket{le=\"0.25\"} 0\n"
                    "transfer_duration_seconds_bucket{le=\"1.0\"} 1\n"
                    "transfer_duration_seconds_bucket{le=\"+Inf\"} 1\n"
                    "transfer_duration_seconds_sum 0.5\n"
                    "transfer_duration_seconds_count 1\n"
                    "# EOF\n");
    metrics_free(metrics);
}

static void test_gauge_goes_up_and_down(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metric_without_labels(metrics_add_family(metrics, &concurrent));
    metric_add(metric, 3);
    metric_add(metric, -5);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP concurrent_transfers In progress.\n"
                    "# TYPE concurrent_transfers gauge\n"
                    "concurrent_transfers -2\n");
    metric_set(metric, 7);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP concurrent_transfers In progress.\n"
                    "# TYPE concurrent_transfers gauge\n"
                    "concurrent_transfers 7\n");
    metrics_free(metrics);
}

static void test_gauge_named_count_is_untyped_for_promtool(void **state) {
    (void)state;
    static const struct metric_definition waiting = {
        .kind = METRIC_GAUGE, .name = "barrier_waiting_count", .help = "Waiting."};
    struct metrics *metrics = metrics_new();
    metric_set(metric_without_labels(metrics_add_family(metrics, &waiting)), 1);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP barrier_waiting_count Waiting.\n"
                    "# TYPE barrier_waiting_count untyped\n"
                    "barrier_waiting_count 1\n");
    assert_rendered(metrics, METRICS_FORMAT_OPENMETRICS,
                    "# HELP barrier_waiting_count Waiting.\n"
                    "# TYPE barrier_waiting_count gauge\n"
                    "barrier_waiting_count 1\n"
                    "# EOF\n");
    metrics_free(metrics);
}

static void test_escapes(void **state) {
    (void)state;
    static const struct metric_definition odd = {
        .kind = METRIC_GAUGE, .name = "odd", .help = "a \"b\" \\ \n c", .labels = {"value"}};
    struct metrics *metrics = metrics_new();
    metric_set(metric_with(metrics_add_family(metrics, &odd), (const char *[]){"a \"b\" \\ \n caf\xC3\xA9"}), 1);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP odd a \"b\" \\\\ \\n c\n"
                    "# TYPE odd gauge\n"
                    "odd{value=\"a \\\"b\\\" \\\\ \\n caf\xC3\xA9\"} 1\n");
    assert_rendered(metrics, METRICS_FORMAT_OPENMETRICS,
                    "# HELP odd a \\\"b\\\" \\\\ \\n c\n"
                    "# TYPE odd gauge\n"
                    "odd{value=\"a \\\"b\\\" \\\\ \\n caf\xC3\xA9\"} 1\n"
                    "# EOF\n");
    metrics_free(metrics);
}

static void test_family_without_series_is_left_out(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_add_family(metrics, &balance);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS, "");
    assert_rendered(metrics, METRICS_FORMAT_OPENMETRICS, "# EOF\n");
    metric_set(metric_with(family, (const char *[]){"alice"}), 1000);
    metric_family_clear(family);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS, "");
    metric_set(metric_with(family, (const char *[]){"alice"}), 500.25);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP account_balance Balance.\n"
                    "# TYPE account_balance gauge\n"
                    "account_balance{account_id=\"alice\"} 500.25\n");
    metrics_free(metrics);
}

static void test_families_keep_their_order(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric_family *second_used = metrics_add_family(metrics, &concurrent);
    struct metric_family *first_used = metrics_add_family(metrics, &balance);
    metric_set(metric_with(first_used, (const char *[]){"alice"}), -600);
    metric_set(metric_without_labels(second_used), 1);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS,
                    "# HELP concurrent_transfers In progress.\n"
                    "# TYPE concurrent_transfers gauge\n"
                    "concurrent_transfers 1\n"
                    "# HELP account_balance Balance.\n"
                    "# TYPE account_balance gauge\n"
                    "account_balance{account_id=\"alice\"} -600\n");
    metrics_free(metrics);
}

// There are many more series than a family has slots: each is found again, and none is mistaken for another.
static void test_series_are_found_by_their_values(void **state) {
    (void)state;
    enum { SERIES = 1000 };
    struct metric *made[SERIES];
    char first[16];
    char second[16];
    struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_add_family(metrics, &transfers);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < SERIES; i++) {
            snprintf(first, sizeof first, "s%d", i / 10);
            snprintf(second, sizeof second, "%d", i % 10);
            struct metric *metric = metric_with(family, (const char *[]){first, second});
            if (round == 0) {
                made[i] = metric;
            }
            assert_ptr_equal(metric, made[i]);
        }
    }
    struct text out = {0};
    metrics_render(metrics, METRICS_FORMAT_PROMETHEUS, &out);
    int lines = 0;
    for (size_t i = 0; i < out.length; i++) {
        lines += out.data[i] == '\n';
    }
    assert_int_equal(lines, SERIES + 2);
    text_free(&out);
    assert_ptr_not_equal(metric_with(family, (const char *[]){"ab", "c"}),
                         metric_with(family, (const char *[]){"a", "bc"}));
    metrics_free(metrics);
}

static void assert_number(double value, const char *expected) {
    char page[256];
    snprintf(page, sizeof page,
             "# HELP concurrent_transfers In progress.\n# TYPE concurrent_transfers gauge\nconcurrent_transfers %s\n",
             expected);
    struct metrics *metrics = metrics_new();
    metric_set(metric_without_labels(metrics_add_family(metrics, &concurrent)), value);
    assert_rendered(metrics, METRICS_FORMAT_PROMETHEUS, page);
    metrics_free(metrics);
}

static void test_numbers(void **state) {
    (void)state;
    assert_number(0, "0");
    assert_number(-0.0, "0");
    assert_number(1234567, "1234567");
    assert_number(9007199254740992.0, "9007199254740992");
    assert_number(-9007199254740992.0, "-9007199254740992");
    assert_number(1e15, "1000000000000000");
    assert_number(1e16, "10000000000000000");
    assert_number(9007199254740994.0, "9007199254740994");
    assert_number(1e17, "1e+17");
    assert_number(1.5e300, "1.5e+300");
    assert_number(0.1, "0.1");
    assert_number(-600.25, "-600.25");
    assert_number(0.1 + 0.2, "0.30000000000000004");
    assert_number(1.0 / 3, "0.3333333333333333");
    assert_number(0.0001, "0.0001");
    assert_number(0.00001, "1e-05");
    assert_number(1.25e-7, "1.25e-07");
    assert_number(123456.789, "123456.789");
    assert_number(1769862896.78, "1769862896.78");
    assert_number(DBL_MAX, "1.7976931348623157e+308");
    assert_number(5e-324, "5e-324");
    assert_number((double)NAN, "NaN");
    assert_number((double)INFINITY, "+Inf");
    assert_number(-(double)INFINITY, "-Inf");
}

static void test_numbers_read_back_as_themselves(void **state) {
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metric_without_labels(metrics_add_family(metrics, &concurrent));
    double value = 1e-9;
    for (int i = 0; i < 4000; i++) {
        value *= 1.0137;
        struct text out = {0};
        metric_set(metric, value);
        metrics_render(metrics, METRICS_FORMAT_PROMETHEUS, &out);
        const char *sample = strstr(text_terminated(&out), "\nconcurrent_transfers ");
        assert_true(strtod(sample + strlen("\nconcurrent_transfers "), NULL) == value);
        text_free(&out);
    }
    metrics_free(metrics);
}

static void test_no_decimal_comma(void **state) {
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) {
        skip();
    }
    char written[16];
    snprintf(written, sizeof written, "%.1f", 0.5);
    assert_string_equal(written, "0,5");
    assert_number(0.1, "0.1");
    assert_number(1.25e-7, "1.25e-07");
    (void)setlocale(LC_NUMERIC, "C");
}

static void test_latency_bounds_ascend_from_100_us_to_30_s(void **state) {
    (void)state;
    assert_true(metrics_latency_bounds[0] == 0.0001);
    assert_true(metrics_latency_bounds[metrics_latency_bound_count - 1] == 30.0);
    for (size_t i = 1; i < metrics_latency_bound_count; i++) {
        assert_true(metrics_latency_bounds[i - 1] < metrics_latency_bounds[i]);
    }
}

static void test_content_types(void **state) {
    (void)state;
    assert_string_equal(metrics_content_type(METRICS_FORMAT_PROMETHEUS), "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(metrics_content_type(METRICS_FORMAT_OPENMETRICS),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void count_down(void) {
    struct metrics *metrics = metrics_new();
    struct metric_family *family = metrics_add_family(metrics, &transfers);
    metric_add(metric_with(family, (const char *[]){"success", "safe"}), -1);
}

static void observe_a_gauge(void) {
    struct metrics *metrics = metrics_new();
    metric_observe(metric_without_labels(metrics_add_family(metrics, &concurrent)), 1);
}

static void forget_the_labels(void) {
    struct metrics *metrics = metrics_new();
    struct metric *metric = metric_without_labels(metrics_add_family(metrics, &balance));
    metric_set(metric, 1);
}

static void add_a_family_twice(void) {
    struct metrics *metrics = metrics_new();
    metrics_add_family(metrics, &concurrent);
    metrics_add_family(metrics, &concurrent);
}

static void name_a_counter_badly(void) {
    struct metric_definition definition = transfers;
    definition.name = "transfers";
    metrics_add_family(metrics_new(), &definition);
}

static void name_with_a_dash(void) {
    struct metric_definition definition = concurrent;
    definition.name = "concurrent-transfers";
    metrics_add_family(metrics_new(), &definition);
}

static void descend_bounds(void) {
    static const double descending[] = {1, 0.5};
    struct metric_definition definition = duration;
    definition.bounds = descending;
    metrics_add_family(metrics_new(), &definition);
}

static void test_our_bugs_abort(void **state) {
    (void)state;
    assert_true(aborts_with(count_down, "CHECK failed"));
    assert_true(aborts_with(observe_a_gauge, "CHECK failed"));
    assert_true(aborts_with(forget_the_labels, "CHECK failed"));
    assert_true(aborts_with(add_a_family_twice, "CHECK failed"));
    assert_true(aborts_with(name_a_counter_badly, "CHECK failed"));
    assert_true(aborts_with(name_with_a_dash, "CHECK failed"));
    assert_true(aborts_with(descend_bounds, "CHECK failed"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_in_both_formats),
        cmocka_unit_test(test_histogram_cumulates),
        cmocka_unit_test(test_histogram_without_labels),
        cmocka_unit_test(test_gauge_goes_up_and_down),
        cmocka_unit_test(test_gauge_named_count_is_untyped_for_promtool),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_family_without_series_is_left_out),
        cmocka_unit_test(test_families_keep_their_order),
        cmocka_unit_test(test_series_are_found_by_their_values),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_read_back_as_themselves),
        cmocka_unit_test(test_no_decimal_comma),
        cmocka_unit_test(test_latency_bounds_ascend_from_100_us_to_30_s),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_our_bugs_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
