// strategy: the list of strategies, with the names that settings, metrics and records use.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/bank/bank_reads.h"
#include "workers/strategies/strategies.h"

static void test_each_is_complete_and_found_by_its_name(void **state) {
    (void)state;
    size_t count = 0;
    for (; strategies[count] != NULL; count++) {
        const struct strategy *strategy = strategies[count];
        assert_true((strategy->attempt == NULL) != (strategy->attempt_batch == NULL));
        assert_true(strategy->statements[0] != STATEMENT_COUNT);
        assert_true(strlen(strategy->watch_for) > 40);
        assert_true((strncmp(strategy->choose_when, "never", 5) == 0) == !strategy->safe);
        assert_true(strlen(strategy->isolation) > 0);
        assert_true(strlen(strategy->idea) > 20);
        assert_null(strchr(strategy->idea, '\n'));
        assert_true(strlen(strategy->name) > 0 && strlen(strategy->name) < STRATEGY_NAME_LENGTH);
        assert_int_equal(strspn(strategy->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(strategy->name));
        assert_ptr_equal(strategy_find(slice_of(strategy->name)), strategy); // so all names differ
    }
    assert_int_equal(count, 16);
}

static void test_vulnerable_and_for_update(void **state) {
    (void)state;
    assert_string_equal(strategy_vulnerable.name, "vulnerable");
    assert_false(strategy_vulnerable.safe);
    assert_false(strategy_vulnerable.uses_locks);
    assert_string_equal(strategy_for_update.name, "for_update");
    assert_true(strategy_for_update.safe);
    assert_true(strategy_for_update.uses_locks);
    assert_ptr_equal(strategies[0], &strategy_vulnerable); // it is first in the list
}

static void test_names_that_are_none(void **state) {
    (void)state;
    assert_null(strategy_find((struct slice){NULL, 0}));
    assert_null(strategy_find(SLICE_LITERAL("")));
    assert_null(strategy_find(SLICE_LITERAL("Vulnerable")));
    assert_null(strategy_find(SLICE_LITERAL("vulnerabl")));
    assert_null(strategy_find(SLICE_LITERAL("vulnerable ")));
    assert_null(strategy_find(SLICE_LITERAL("vulnerable\0")));
}

static void test_names_in_words(void **state) {
    (void)state;
    struct text names = {0};
    strategy_append_names(&names);
    assert_true(slice_starts_with((struct slice){names.data, names.length}, SLICE_LITERAL("vulnerable, for_update")));
    text_free(&names);
}

static void assert_meant(struct slice wrong, const char *meant) {
    struct text names = {0};
    struct text choice = {0};
    strategy_append_names(&names);
    strategy_append_choice(&choice, wrong);
    if (meant != NULL) {
        text_append_format(&names, ": did you mean %s?", meant);
    }
    assert_string_equal(text_terminated(&choice), text_terminated(&names));
    text_free(&names);
    text_free(&choice);
}

static void test_a_mistyped_name_is_recognised(void **state) {
    (void)state;
    assert_meant(SLICE_LITERAL("optimstic"), "optimistic");
    assert_meant(SLICE_LITERAL("for-update"), "for_update");
    assert_meant(SLICE_LITERAL("Batched"), "batched");
    assert_meant(SLICE_LITERAL("serialisable"), "serializable");
    assert_meant(SLICE_LITERAL(""), NULL);
    assert_meant(SLICE_LITERAL("hope"), NULL);
    assert_meant(SLICE_LITERAL("batched\0\0\0"), NULL);
    assert_meant(SLICE_LITERAL("vulnerable vulnerable vulnerable vulnerable vulnerable vulnerable"), NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_complete_and_found_by_its_name),
        cmocka_unit_test(test_vulnerable_and_for_update),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_names_in_words),
        cmocka_unit_test(test_a_mistyped_name_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
