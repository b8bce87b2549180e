// check: a failed CHECK and a lack of memory end the process with an error text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "capture.h"
#include "observability/base/check.h"

#include <stdlib.h>

// NOLINTBEGIN(bugprone-reserved-identifier): the sanitizers chose these names.
// The malloc() of the sanitizers ends the process at a very large size. With this option it returns NULL, as libc does.
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}
// NOLINTEND(bugprone-reserved-identifier)

#define TOO_MUCH (SIZE_MAX / 4)

static void fail_a_check(void) {
    int apples = 2;
    CHECK(apples == 3);
}

static void reach_the_unreachable(void) {
    UNREACHABLE("a fruit");
}

static void allocate_too_much(void) {
    free(memory_allocate(TOO_MUCH));
}

static void allocate_too_much_zeroed(void) {
    free(memory_allocate_zeroed(TOO_MUCH));
}

static void resize_too_much(void) {
    free(memory_resize(NULL, TOO_MUCH));
}

static void test_failed_check_names_the_place(void **state) {
    (void)state;
    assert_true(aborts_with(fail_a_check, "test_check.c:"));
    assert_true(aborts_with(fail_a_check, "CHECK failed: apples == 3\n"));
    assert_true(aborts_with(reach_the_unreachable, "unreachable: a fruit\n"));
}

static void test_held_check_evaluates_once(void **state) {
    (void)state;
    int times = 0;
    CHECK(++times == 1);
    assert_int_equal(times, 1);
}

static void test_exhausted_memory_aborts(void **state) {
    (void)state;
    assert_true(aborts_with(allocate_too_much, "out of memory: "));
    assert_true(aborts_with(allocate_too_much_zeroed, "out of memory: "));
    assert_true(aborts_with(resize_too_much, "out of memory: "));
}

static void test_zeroed_is_zero_and_resize_keeps(void **state) {
    (void)state;
    unsigned char *bytes = memory_allocate_zeroed(64);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(bytes[i], 0);
    }
    bytes[63] = 7;
    bytes = memory_resize(bytes, 4096);
    assert_int_equal(bytes[63], 7);
    free(bytes);
}

static void test_no_bytes_are_still_memory(void **state) {
    (void)state;
    void *memory = memory_allocate(0);
    assert_non_null(memory);
    memory = memory_resize(memory, 0);
    assert_non_null(memory);
    free(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_check_names_the_place), cmocka_unit_test(test_held_check_evaluates_once),
        cmocka_unit_test(test_exhausted_memory_aborts),      cmocka_unit_test(test_zeroed_is_zero_and_resize_keeps),
        cmocka_unit_test(test_no_bytes_are_still_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
