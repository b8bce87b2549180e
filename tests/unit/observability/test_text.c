// text: appending, growing, numbers, UTF-8 and JSON strings; slices.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "observability/base/text.h"

#include <string.h>

static void assert_text(struct text *text, const char *expected) {
    assert_string_equal(text_terminated(text), expected);
    assert_int_equal(text->length, strlen(expected));
}

static void test_appends_in_order(void **state) {
    (void)state;
    struct text text = {0};
    text_append(&text, NULL, 0);
    assert_int_equal(text.length, 0);
    text_append(&text, "one", 3);
    text_append_slice(&text, (struct slice){" two and more", 4});
    text_append_string(&text, " three");
    text_append_format(&text, " %d", 4);
    assert_text(&text, "one two three 4");
    text_free(&text);
}

static void test_growth_keeps_the_content_and_doubles(void **state) {
    (void)state;
    struct text text = {0};
    size_t growths = 0;
    for (size_t i = 0; i < 100000; i++) {
        size_t capacity = text.capacity;
        text_append(&text, &"0123456789"[i % 10], 1);
        growths += text.capacity != capacity;
    }
    assert_true(growths > 1 && growths < 20);
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(text.data[i], "0123456789"[i % 10]);
    }
    text_free(&text);
}

static void test_reserve_makes_room_once(void **state) {
    (void)state;
    struct text text = {0};
    text_append_string(&text, "abc");
    text_reserve(&text, 5000);
    assert_true(text.capacity >= 5003);
    const char *data = text.data;
    for (int i = 0; i < 5000; i++) {
        text_append_string(&text, "x");
    }
    assert_ptr_equal(text.data, data);
    assert_memory_equal(text.data, "abcxxx", 6);
    text_free(&text);
}

// Some of these lengths fill the capacity exactly: the text fits, but the NUL of vsnprintf() does not.
static void test_format_of_every_length(void **state) {
    (void)state;
    for (int width = 1; width < 1100; width++) {
        struct text text = {0};
        text_append_string(&text, "<");
        text_append_format(&text, "%*d", width, 7);
        text_append_string(&text, ">");
        assert_int_equal(text.length, width + 2);
        assert_int_equal(text.data[width], '7');
        assert_int_equal(text.data[width + 1], '>');
        text_free(&text);
    }
}

static void test_numbers(void **state) {
    (void)state;
    struct text text = {0};
    text_append_unsigned(&text, 0);
    text_append_string(&text, " ");
    text_append_unsigned(&text, 10203);
    text_append_string(&text, " ");
    text_append_unsigned(&text, UINT64_MAX);
    text_append_string(&text, " ");
    text_append_signed(&text, -7);
    text_append_string(&text, " ");
    text_append_signed(&text, INT64_MIN);
    text_append_string(&text, " ");
    text_append_signed(&text, INT64_MAX);
    assert_text(&text, "0 10203 18446744073709551615 -7 -9223372036854775808 9223372036854775807");
    text_free(&text);
}

static void test_clear_keeps_memory_and_free_gives_it_back(void **state) {
    (void)state;
    struct text text = {0};
    text_append_string(&text, "something");
    const char *data = text.data;
    text_clear(&text);
    assert_int_equal(text.length, 0);
    text_append_string(&text, "new");
    assert_ptr_equal(text.data, data);
    assert_text(&text, "new");
    text_free(&text);
    assert_null(text.data);
    assert_int_equal(text.length + text.capacity, 0);
    assert_text(&text, "");
    text_free(&text);
}

static void test_slices(void **state) {
    (void)state;
    struct slice hello = slice_of("hello");
    assert_int_equal(hello.length, 5);
    assert_true(slice_equals(hello, SLICE_LITERAL("hello")));
    assert_false(slice_equals(hello, SLICE_LITERAL("hella")));
    assert_false(slice_equals(hello, SLICE_LITERAL("hell")));
    assert_true(slice_equals((struct slice){0}, SLICE_LITERAL("")));
    assert_true(slice_equals_ignoring_case(hello, SLICE_LITERAL("HeLLo")));
    assert_false(slice_equals_ignoring_case(SLICE_LITERAL("@"), SLICE_LITERAL("`")));
    assert_false(slice_equals_ignoring_case(SLICE_LITERAL("["), SLICE_LITERAL("{")));
    assert_false(slice_equals_ignoring_case(hello, SLICE_LITERAL("hellO ")));
    assert_true(slice_starts_with(hello, SLICE_LITERAL("he")));
    assert_true(slice_starts_with(hello, (struct slice){0}));
    assert_false(slice_starts_with(hello, SLICE_LITERAL("hello!")));
    assert_false(slice_starts_with(hello, SLICE_LITERAL("lo")));
    assert_true(slice_ends_with(hello, SLICE_LITERAL("lo")));
    assert_true(slice_ends_with((struct slice){0}, (struct slice){0}));
    assert_false(slice_ends_with(hello, SLICE_LITERAL("he")));
    assert_false(slice_ends_with(SLICE_LITERAL("lo"), hello));
}

static void test_trim_removes_blanks_at_both_ends(void **state) {
    (void)state;
    assert_true(slice_equals(slice_trim(SLICE_LITERAL(" \t a\t b \t")), SLICE_LITERAL("a\t b")));
    assert_true(slice_equals(slice_trim(SLICE_LITERAL("\na\r")), SLICE_LITERAL("\na\r")));
    assert_int_equal(slice_trim(SLICE_LITERAL(" \t ")).length, 0);
    assert_null(slice_trim((struct slice){0}).data);
}

static void test_utf8_characters(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        size_t length;
    } cases[] = {
        {{"", 0}, 0},
        {{"a", 1}, 1},
        {{"\0", 1}, 1},
        {{"\xC3\xA9", 2}, 2},         // U+00E9
        {{"\xE2\x82\xAC", 3}, 3},     // U+20AC
        {{"\xF0\x9F\x92\xB8", 4}, 4}, // U+1F4B8
        {{"\xF4\x8F\xBF\xBF", 4}, 4}, // U+10FFFF, the last one
        {{"\xF4\x90\x80\x80", 4}, 0}, // above it
        {{"\xF5\x80\x80\x80", 4}, 0}, // above it
        {{"\x80", 1}, 0},             // a continuation byte alone
        {{"\xC0\xAF", 2}, 0},         // overlong
        {{"\xC1\xBF", 2}, 0},         // overlong
        {{"\xE0\x9F\xBF", 3}, 0},     // overlong
        {{"\xF0\x8F\xBF\xBF", 4}, 0}, // overlong
        {{"\xED\xA0\x80", 3}, 0},     // a surrogate
        {{"\xED\x9F\xBF", 3}, 3},     // the last character before the surrogates
        {{"\xEE\x80\x80", 3}, 3},     // the first character after the surrogates
        {{"\xE2\x82\xAC", 2}, 0},     // cut
        {{"\xF0\x9F\x92\xB8", 3}, 0}, // cut
        {{"\xE2\x28\xA1", 3}, 0},     // second byte wrong
        {{"\xE2\x82\x28", 3}, 0},     // third byte wrong
        {{"\xF0\x9F\x92\x28", 4}, 0}, // fourth byte wrong
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(utf8_character_length(cases[i].bytes), cases[i].length);
    }
}

static void assert_json(struct slice value, const char *expected) {
    struct text text = {0};
    text_append_json_string(&text, value);
    assert_text(&text, expected);
    text_free(&text);
}

static void test_json_strings(void **state) {
    (void)state;
    assert_json((struct slice){0}, "\"\"");
    assert_json(SLICE_LITERAL("alice"), "\"alice\"");
    assert_json(SLICE_LITERAL("a \"b\" \\ /c"), "\"a \\\"b\\\" \\\\ /c\"");
    assert_json(SLICE_LITERAL("\n\r\t"), "\"\\n\\r\\t\"");
    assert_json(SLICE_LITERAL("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_json(SLICE_LITERAL("caf\xC3\xA9 \xF0\x9F\x92\xB8"), "\"caf\xC3\xA9 \xF0\x9F\x92\xB8\"");
}

static void test_json_replaces_what_is_not_utf8(void **state) {
    (void)state;
    assert_json(SLICE_LITERAL("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
    assert_json(SLICE_LITERAL("\xC3"), "\"\xEF\xBF\xBD\"");
    assert_json(SLICE_LITERAL("\xC3\""), "\"\xEF\xBF\xBD\\\"\"");
    assert_json(SLICE_LITERAL("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends_in_order),
        cmocka_unit_test(test_growth_keeps_the_content_and_doubles),
        cmocka_unit_test(test_reserve_makes_room_once),
        cmocka_unit_test(test_format_of_every_length),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_clear_keeps_memory_and_free_gives_it_back),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_trim_removes_blanks_at_both_ends),
        cmocka_unit_test(test_utf8_characters),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_replaces_what_is_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
