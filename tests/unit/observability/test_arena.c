// arena: pieces are zeroed, aligned and apart, and stay until the arena is freed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "observability/base/base.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static void test_pieces_are_zeroed_aligned_and_apart(void **state) {
    (void)state;
    enum { PIECES = 2000 };
    struct arena arena = {0};
    unsigned char *pieces[PIECES];
    size_t sizes[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        sizes[i] = i * 37 % 300;
        pieces[i] = arena_allocate(&arena, sizes[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_int_equal(pieces[i][j], 0);
        }
        memset(pieces[i], (int)(i % 255 + 1), sizes[i]);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_int_equal(pieces[i][j], i % 255 + 1);
        }
    }
    arena_free(&arena);
}

static void test_a_piece_may_be_larger_than_a_chunk(void **state) {
    (void)state;
    struct arena arena = {0};
    char *before = arena_copy(&arena, slice_of("before"));
    char *large = arena_allocate(&arena, 100000);
    memset(large, 'x', 100000);
    char *after = arena_copy(&arena, slice_of("after"));
    assert_string_equal(before, "before");
    assert_string_equal(after, "after");
    assert_int_equal(large[99999], 'x');
    arena_free(&arena);
}

static void test_a_copy_ends_with_nul(void **state) {
    (void)state;
    struct arena arena = {0};
    assert_string_equal(arena_copy(&arena, (struct slice){"alice and bob", 5}), "alice");
    assert_string_equal(arena_copy(&arena, (struct slice){NULL, 0}), "");
    arena_free(&arena);
}

static void test_it_can_be_used_again(void **state) {
    (void)state;
    struct arena arena = {0};
    arena_free(&arena);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(arena_copy(&arena, slice_of("again")), "again");
        arena_free(&arena);
        assert_null(arena.newest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_a_piece_may_be_larger_than_a_chunk),
        cmocka_unit_test(test_a_copy_ends_with_nul),
        cmocka_unit_test(test_it_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
