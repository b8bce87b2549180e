// step: the list of steps, a full list, and the JSON that sql/views.sql reads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/transfer/step.h"

#define MOMENT_US INT64_C(1769862896000000)
#define MOMENT_NS UINT64_C(5000000000)

static void assert_json(const struct step_list *list, const char *expected) {
    struct text out = {0};
    step_list_append_json(list, MOMENT_US, MOMENT_NS, &out);
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

static void test_empty(void **state) {
    (void)state;
    struct step_list list = {0};
    assert_json(&list, "[]");
}

static void test_a_whole_race(void **state) {
    (void)state;
    struct step_list list = {0};
    struct step *step = step_add(&list, STEP_READ, MOMENT_NS);
    step->account = "alice";
    step->value = 100000;
    step->ended_ns = MOMENT_NS + 1234567;
    step = step_add(&list, STEP_BARRIER, MOMENT_NS + 2000000);
    step->outcome = "released";
    step->parties = 2;
    step->ended_ns = MOMENT_NS + 9000000;
    step = step_add(&list, STEP_DEDUCT, MOMENT_NS + 9000000);
    step->account = "ali\"ce";
    step->value = -60000;
    assert_json(&list, "[{\"step\":\"read\",\"account\":\"alice\",\"value\":1000.00,\"at_us\":1769862896001234,"
                       "\"took_us\":1234},"
                       "{\"step\":\"barrier\",\"outcome\":\"released\",\"parties\":2,\"at_us\":1769862896009000,"
                       "\"took_us\":7000},"
                       "{\"step\":\"deduct\",\"account\":\"ali\\\"ce\",\"value\":-600.00,\"at_us\":1769862896009000,"
                       "\"took_us\":0}]");
}

static void test_the_view_of_a_step(void **state) {
    (void)state;
    struct step_view view;
    struct step step = {.kind = STEP_DEDUCT,
                        .account = "alice",
                        .value = -60000,
                        .started_ns = MOMENT_NS + 1000000,
                        .ended_ns = MOMENT_NS + 2500000};
    step_view_fill(&step, MOMENT_US, MOMENT_NS, &view);
    assert_string_equal(view.name, "deduct");
    assert_string_equal(view.account, "alice");
    assert_true(view.has_value);
    assert_int_equal(view.value, -60000);
    assert_int_equal(view.at_us, MOMENT_US + 2500);
    assert_int_equal(view.took_us, 1500);
    assert_int_equal(view.parties, 0);
    assert_string_equal(view.outcome, "");
    step = (struct step){.kind = STEP_BARRIER,
                         .value = 7,
                         .outcome = "settings changed",
                         .parties = 3,
                         .started_ns = MOMENT_NS,
                         .ended_ns = MOMENT_NS};
    step_view_fill(&step, MOMENT_US, MOMENT_NS, &view);
    assert_string_equal(view.account, "");
    assert_false(view.has_value);
    assert_int_equal(view.parties, 3);
    assert_string_equal(view.outcome, "settings changed");
}

static void test_every_kind_has_its_name(void **state) {
    (void)state;
    static const struct {
        enum step_kind kind;
        const char *name;
    } kinds[] = {{STEP_READ, "read"},   {STEP_LOCK, "lock"},     {STEP_BARRIER, "barrier"}, {STEP_DELAY, "delay"},
                 {STEP_CHECK, "check"}, {STEP_DEDUCT, "deduct"}, {STEP_CREDIT, "credit"},   {STEP_RETRY, "retry"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct step_list list = {0};
        struct text expected = {0};
        assert_non_null(step_add(&list, kinds[i].kind, MOMENT_NS));
        text_append_format(&expected, "[{\"step\":\"%s\",\"at_us\":1769862896000000,\"took_us\":0}]", kinds[i].name);
        assert_json(&list, text_terminated(&expected));
        text_free(&expected);
    }
}

static void test_a_step_before_the_moment(void **state) {
    (void)state;
    struct step_list list = {0};
    assert_non_null(step_add(&list, STEP_CHECK, MOMENT_NS - 2000000));
    assert_json(&list, "[{\"step\":\"check\",\"at_us\":1769862895998000,\"took_us\":0}]");
}

// Further steps of a full list are counted; the steps in the list do not change.
static void test_the_end_of_the_list(void **state) {
    (void)state;
    struct step_list list = {0};
    for (uint64_t i = 0; i < TRANSFER_STEPS_MAX + 10; i++) {
        struct step *step = step_add(&list, STEP_RETRY, i);
        assert_int_equal(step->started_ns, i);
        assert_int_equal(step->ended_ns, i);
        assert_null(step->account);
        step->account = "scratch";
    }
    assert_int_equal(list.count + list.dropped, TRANSFER_STEPS_MAX + 10);
    assert_true(list.count >= TRANSFER_STEPS_MAX - 1);
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.steps[i].started_ns, i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_a_whole_race),
        cmocka_unit_test(test_the_view_of_a_step),
        cmocka_unit_test(test_every_kind_has_its_name),
        cmocka_unit_test(test_a_step_before_the_moment),
        cmocka_unit_test(test_the_end_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
