// settings: the defaults, changes of several settings, the error texts, and which changes increment gate_version.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/config/settings_change.h"
#include "workers/strategies/strategies.h"

#define SLOTS 28

static struct settings defaults(void) {
    struct settings settings;
    settings_defaults(&settings);
    return settings;
}

static void apply(struct settings *settings, struct settings_change change) {
    struct text problem = {0};
    if (!settings_apply(settings, &change, SLOTS, &problem)) {
        fail_msg("%s", text_terminated(&problem));
    }
    assert_int_equal(problem.length, 0);
}

static void assert_same(const struct settings *a, const struct settings *b) {
    assert_int_equal(a->delay_enabled, b->delay_enabled);
    assert_int_equal(a->delay_ms, b->delay_ms);
    assert_int_equal(a->barrier_enabled, b->barrier_enabled);
    assert_int_equal(a->barrier_count, b->barrier_count);
    assert_int_equal(a->barrier_timeout_ms, b->barrier_timeout_ms);
    assert_ptr_equal(a->strategy, b->strategy);
    assert_int_equal(a->gate_version, b->gate_version);
}

static void test_defaults(void **state) {
    (void)state;
    struct settings settings = defaults();
    assert_false(settings.delay_enabled);
    assert_int_equal(settings.delay_ms, 100);
    assert_false(settings.barrier_enabled);
    assert_int_equal(settings.barrier_count, 2);
    assert_int_equal(settings.barrier_timeout_ms, 30000);
    assert_false(settings_use_transactions(&settings));
}

static void test_nothing_changes_nothing(void **state) {
    (void)state;
    struct settings before = defaults();
    struct settings after = before;
    apply(&after, (struct settings_change){.delay_ms = 7, .barrier_count = 7, .delay_enabled = true});
    assert_same(&after, &before);
}

static void test_each_change(void **state) {
    (void)state;
    struct settings settings = defaults();
    apply(&settings, (struct settings_change){.has_delay_enabled = true, .delay_enabled = true});
    assert_true(settings.delay_enabled);
    apply(&settings, (struct settings_change){.has_delay_ms = true, .delay_ms = 250});
    assert_int_equal(settings.delay_ms, 250);
    apply(&settings, (struct settings_change){.has_barrier_enabled = true, .barrier_enabled = true});
    assert_true(settings.barrier_enabled);
    apply(&settings, (struct settings_change){.has_barrier_count = true, .barrier_count = 16});
    assert_int_equal(settings.barrier_count, 16);
    apply(&settings, (struct settings_change){.has_barrier_timeout_ms = true, .barrier_timeout_ms = 50});
    assert_int_equal(settings.barrier_timeout_ms, 50);
    apply(&settings, (struct settings_change){.has_use_transactions = true, .use_transactions = true});
    assert_ptr_equal(settings.strategy, &strategy_for_update);
    assert_true(settings_use_transactions(&settings));
    apply(&settings, (struct settings_change){.has_strategy = true, .strategy = SLICE_LITERAL("vulnerable")});
    assert_ptr_equal(settings.strategy, &strategy_vulnerable);
    assert_false(settings_use_transactions(&settings));
    assert_int_equal(settings.delay_ms, 250); // the other settings stayed the same
    assert_int_equal(settings.barrier_count, 16);
}

// Transfers that wait at a gate are released when gate_version changes. Only a change of a gate setting may do that.
static void test_gate_version(void **state) {
    (void)state;
    static const struct settings_change gates[] = {
        {.has_delay_enabled = true, .delay_enabled = true},        {.has_delay_ms = true, .delay_ms = 1},
        {.has_barrier_enabled = true, .barrier_enabled = true},    {.has_barrier_count = true, .barrier_count = 3},
        {.has_barrier_timeout_ms = true, .barrier_timeout_ms = 1},
    };
    for (size_t i = 0; i < sizeof gates / sizeof gates[0]; i++) {
        struct settings settings = defaults();
        uint64_t version = settings.gate_version;
        apply(&settings, gates[i]);
        assert_int_equal(settings.gate_version, version + 1);
        apply(&settings, gates[i]); // setting the same values again is not a change
        assert_int_equal(settings.gate_version, version + 1);
    }
    struct settings settings = defaults();
    uint64_t version = settings.gate_version;
    apply(&settings, (struct settings_change){.has_use_transactions = true, .use_transactions = true});
    assert_int_equal(settings.gate_version, version);
}

static void test_edges_of_the_ranges(void **state) {
    (void)state;
    struct settings settings = defaults();
    apply(&settings, (struct settings_change){.has_delay_ms = true, .delay_ms = 0});
    apply(&settings, (struct settings_change){.has_delay_ms = true, .delay_ms = 60000});
    apply(&settings, (struct settings_change){.has_barrier_count = true, .barrier_count = 2});
    apply(&settings, (struct settings_change){.has_barrier_count = true, .barrier_count = SLOTS});
    apply(&settings, (struct settings_change){.has_barrier_timeout_ms = true, .barrier_timeout_ms = 1});
    apply(&settings, (struct settings_change){.has_barrier_timeout_ms = true, .barrier_timeout_ms = 600000});
    assert_int_equal(settings.barrier_timeout_ms, 600000);
}

static void assert_refused(struct settings_change change, const char *expected) {
    struct settings before = defaults();
    struct settings after = before;
    struct text problem = {0};
    change.has_delay_enabled =
        true; // this setting alone would be accepted, but a change is applied whole or not at all
    change.delay_enabled = true;
    assert_false(settings_apply(&after, &change, SLOTS, &problem));
    assert_string_equal(text_terminated(&problem), expected);
    assert_same(&after, &before);
    text_free(&problem);
}

static void test_refusals(void **state) {
    (void)state;
    assert_refused((struct settings_change){.has_delay_ms = true, .delay_ms = -1},
                   "delay_ms is -1, but must be a whole number from 0 to 60000");
    assert_refused((struct settings_change){.has_delay_ms = true, .delay_ms = 60001},
                   "delay_ms is 60001, but must be a whole number from 0 to 60000");
    assert_refused((struct settings_change){.has_delay_ms = true, .delay_ms = INT64_C(0x100000000)}, // 0 in 32 bits
                   "delay_ms is 4294967296, but must be a whole number from 0 to 60000");
    assert_refused((struct settings_change){.has_barrier_count = true, .barrier_count = 1},
                   "barrier_count is 1, but must be a whole number from 2 to 28");
    assert_refused((struct settings_change){.has_barrier_count = true, .barrier_count = 29},
                   "barrier_count is 29, but must be a whole number from 2 to 28");
    assert_refused((struct settings_change){.has_barrier_count = true, .barrier_count = INT64_MIN},
                   "barrier_count is -9223372036854775808, but must be a whole number from 2 to 28");
    assert_refused((struct settings_change){.has_barrier_timeout_ms = true, .barrier_timeout_ms = 0},
                   "barrier_timeout_ms is 0, but must be a whole number from 1 to 600000");
    assert_refused((struct settings_change){.has_barrier_timeout_ms = true, .barrier_timeout_ms = INT64_MAX},
                   "barrier_timeout_ms is 9223372036854775807, but must be a whole number from 1 to 600000");
}

static void test_strategies_that_cannot_be(void **state) {
    (void)state;
    static const char *const names[] = {"", "Vulnerable", "for_update ", "serializable?"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct text expected = {0};
        text_append_string(&expected, "strategy must be one of ");
        strategy_append_choice(&expected, slice_of(names[i]));
        assert_refused((struct settings_change){.has_strategy = true, .strategy = slice_of(names[i])},
                       text_terminated(&expected));
        text_free(&expected);
    }
    assert_refused((struct settings_change){.has_strategy = true,
                                            .strategy = SLICE_LITERAL("vulnerable"),
                                            .has_use_transactions = true,
                                            .use_transactions = true},
                   "strategy and use_transactions contradict each other: send one of them");
}

static void test_strategy_and_its_flag_may_agree(void **state) {
    (void)state;
    struct settings settings = defaults();
    apply(&settings, (struct settings_change){.has_strategy = true,
                                              .strategy = SLICE_LITERAL("for_update"),
                                              .has_use_transactions = true,
                                              .use_transactions = true});
    assert_ptr_equal(settings.strategy, &strategy_for_update);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_nothing_changes_nothing),
        cmocka_unit_test(test_each_change),
        cmocka_unit_test(test_gate_version),
        cmocka_unit_test(test_edges_of_the_ranges),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_strategies_that_cannot_be),
        cmocka_unit_test(test_strategy_and_its_flag_may_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
