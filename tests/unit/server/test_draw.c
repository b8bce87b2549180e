// Unit tests of server/draw: escaping, cutting, widths.
#include "server/draw/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef void append(struct text *out, struct slice value);

static void expect_text(append *function, const char *given, const char *expected) {
    struct text out = {0};
    function(&out, slice_of(given));
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

static void test_values_are_escaped(void **state) {
    (void)state;
    expect_text(words_append, "plain", "plain");
    expect_text(words_append, "", "");
    expect_text(words_append, "a\nb\r\tc", "a\\nb\\r\\tc");
    expect_text(words_append, "\x1b[2J\x07\x7f", "\\x1b[2J\\x07\\x7f");
    expect_text(words_append,
                "\xc2\x9b"
                "31m",
                "\\u009b31m"); // a C1 control
    static const char right_to_left[] = {'\xe2', '\x80', '\xae', 'x', '\0'};
    expect_text(words_append, right_to_left, "\\u202ex");
    expect_text(words_append, "\xff\xc3(", "\\xff\\xc3("); // no UTF-8
    expect_text(words_append, "\xe6\xbc\xa2\xc3\xa4", "\xe6\xbc\xa2\xc3\xa4");
}

static void test_sql_is_one_line(void **state) {
    (void)state;
    expect_text(words_append_sql, "SELECT 1", "SELECT 1");
    expect_text(words_append_sql, "  SELECT\n\t a,  b\nFROM t \n", "SELECT a, b FROM t");
    expect_text(words_append_sql, "SELECT 1 -- a comment\n+ 2", "SELECT 1 + 2");
    expect_text(words_append_sql, "SELECT 'a  -- b\n', \"x  y\" -- end", "SELECT 'a  -- b\\n', \"x  y\"");
    expect_text(words_append_sql, "-- only", "");
}

static void test_widths(void **state) {
    (void)state;
    assert_int_equal(words_width(SLICE_LITERAL("abc")), 3);
    assert_int_equal(words_width(SLICE_LITERAL("\xc3\xa4")), 1);
    assert_int_equal(words_width(SLICE_LITERAL("\xe6\xbc\xa2")), 2); // a wide character
    assert_int_equal(words_width(SLICE_LITERAL("a\xcc\x88")), 1);    // a combining one
    assert_int_equal(words_fit(SLICE_LITERAL("\xe6\xbc\xa2\xe6\xbc\xa2"), 3), 3);
    assert_int_equal(words_fit(SLICE_LITERAL("abc"), 0), 0);
}

static void expect_cut(const char *given, size_t from, size_t width, const char *expected) {
    struct text text = {0};
    text_append_string(&text, given);
    words_cut(&text, from, width);
    assert_string_equal(text_terminated(&text), expected);
    text_free(&text);
}

static void test_long_texts_are_cut(void **state) {
    (void)state;
    expect_cut("", 0, 5, "");
    expect_cut("12345", 0, 5, "12345");
    expect_cut("123456", 0, 5, "12...");
    expect_cut("name: 123456", 6, 5, "name: 12...");
    expect_cut("123456", 0, 2, "..");
    expect_cut("\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", 0, 5, "\xe6\xbc\xa2...");
}

static void expect_shell(const char *word, const char *expected) {
    struct text text = {0};
    words_append_shell(&text, word);
    assert_string_equal(text_terminated(&text), expected);
    text_free(&text);
}

static void test_words_of_a_shell(void **state) {
    (void)state;
    expect_shell("tests/a-b_1.sql", "tests/a-b_1.sql");
    expect_shell("", "''");
    expect_shell("A1 B1", "'A1 B1'");
    expect_shell("it's $x", "'it'\\''s $x'");
    expect_shell("a\nb'\\", "$'a\\nb\\'\\\\'");
}

static void test_room_for_columns(void **state) {
    (void)state;
    assert_true(draw_has_room(2, 60));
    assert_true(draw_has_room(3, 60));
    assert_false(draw_has_room(4, 60));
    assert_true(draw_has_room(4, 80));
    assert_false(draw_has_room(5, 80));
    assert_true(draw_has_room(1, 40));
    assert_false(draw_has_room(2, 3));
    assert_false(draw_has_room(DRAW_COLUMNS_MAX + 1, 1000));
}

static void expect_row(size_t columns, size_t width, const struct cell_text *cells, const char *expected) {
    struct text out = {0};
    struct drawing drawing = draw_begin(&out, columns, width, false);
    draw_row(&drawing, cells);
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

static void test_rows(void **state) {
    (void)state;
    // Two cells of 17 columns: 2 + 17 + 3 + 17
    expect_row(2, 39, (struct cell_text[]){{.text = "left"}, {.text = "right"}}, "  left              | right\n");
    expect_row(2, 39, (struct cell_text[]){{.text = "left"}, {0}}, "  left              |\n");
    expect_row(2, 39, (struct cell_text[]){{0}, {.text = "one two three four five", .hang = 2}},
               "                    | one two three\n                    |   four five\n");
    // A word that is longer than the cell is broken.
    expect_row(1, 19, (struct cell_text[]){{.text = "aaaaaaaaaaaaaaaaabbbb"}}, "  aaaaaaaaaaaaaaaaa\n  bbbb\n");
    // Wide characters take two columns.
    expect_row(2, 39, (struct cell_text[]){{.text = "\xe6\xbc\xa2"}, {.text = "x"}},
               "  \xe6\xbc\xa2                | x\n");
}

static void test_a_cell_ends(void **state) {
    (void)state;
    struct text long_text = {0};
    struct text out = {0};
    for (int i = 0; i < 1000; i++) {
        text_append_string(&long_text, "word ");
    }
    struct drawing drawing = draw_begin(&out, 1, 40, false);
    draw_row(&drawing, &(struct cell_text){.text = text_terminated(&long_text)});
    size_t lines = 0;
    for (size_t i = 0; i < out.length; i++) {
        lines += out.data[i] == '\n';
    }
    assert_int_equal(lines, DRAW_LINES_MAX);
    assert_true(slice_ends_with(text_slice(&out), SLICE_LITERAL("...\n")));
    text_free(&long_text);
    text_free(&out);
}

static void test_rules_and_colours(void **state) {
    (void)state;
    struct text out = {0};
    struct drawing drawing = draw_begin(&out, 2, 39, true);
    draw_rule(&drawing);
    assert_string_equal(text_terminated(&out), "  ------------------+------------------\n");
    text_clear(&out);
    draw_row(&drawing, (struct cell_text[]){{.text = "bad", .ink = INK_BAD}, {.text = "plain"}});
    assert_string_equal(text_terminated(&out), "  \033[31mbad\033[0m               | plain\n");
    text_free(&out);
}

static void test_paragraphs(void **state) {
    (void)state;
    struct text out = {0};
    draw_paragraph(&out, SLICE_LITERAL("one two three four five six"), 24, 4);
    draw_paragraph(&out, SLICE_LITERAL(""), 24, 4);
    assert_string_equal(text_terminated(&out), "one two three four five\n    six\n\n");
    text_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_escaped),
        cmocka_unit_test(test_sql_is_one_line),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_words_of_a_shell),
        cmocka_unit_test(test_room_for_columns),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_a_cell_ends),
        cmocka_unit_test(test_rules_and_colours),
        cmocka_unit_test(test_paragraphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
