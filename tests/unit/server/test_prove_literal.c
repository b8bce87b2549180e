// Unit tests of server/proxy/prove_literal.c. The binary values are what PostgreSQL's *_send functions give.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/proxy/prove_literal.h"

#include <stdio.h>
#include <string.h>

#define CASE(type, bytes, literal)                                                                                     \
    { type, {(bytes), sizeof(bytes) - 1}, literal }
static const struct {
    uint32_t type;
    struct slice bytes;
    const char *literal;
} binary[] = {
    CASE(16, "\x01", "'t'::boolean"),
    CASE(20, "\xff\xff\xff\xff\xff\xff\xff\xfe", "'-2'::bigint"),
    CASE(21, "\xff\xfe", "'-2'::smallint"),
    CASE(26, "\xff\xff\xff\xfe", "'4294967294'::oid"),
    CASE(25, "", "''::text"),
    CASE(25, "it's", "'it''s'::text"),
    CASE(17, "\x00\xff", "E'\\\\x00ff'::bytea"),
    CASE(701, "\x3f\xb9\x99\x99\x99\x99\x99\x9a", "'0.10000000000000001'::double precision"),
    CASE(1700, "\x00\x03\x00\x01\x00\x00\x00\x04\x00\x7b\x11\xd7\x03\x7a", "'1234567.0890'::numeric"),
    CASE(1700, "\x00\x02\xff\xff\x40\x00\x00\x05\x00\x01\x07\xd0", "'-0.00012000'::numeric"),
    CASE(1700, "\x00\x01\x00\x01\x00\x00\x00\x00\x00\x05", "'50000'::numeric"),
    CASE(1700, "\x00\x00\x00\x00\x00\x00\x00\x00", "'0'::numeric"),
    CASE(1082, "\x00\x00\x22\x79", "'2024-02-29'::date"),
    CASE(1082, "\xff\xff\xff\xff", "'1999-12-31'::date"),
    CASE(1184, "\x00\x03\x04\x4a\x7e\x49\xf8\xc4", "'2026-11-28 01:02:03.000004+00'::timestamptz"),
    CASE(1114, "\xff\xfc\x96\x18\x8b\xae\x61\x00", "'1969-07-20 20:17:40.000000'::timestamp"),
    CASE(1007,
         "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x17\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00"
         "\x07\xff\xff\xff\xff\x00\x00\x00\x04\xff\xff\xff\xfe",
         "ARRAY['7'::integer, NULL::integer, '-2'::integer]::integer[]"),
    CASE(3802, "\x01{\"a\": 1}", "'{\"a\": 1}'::jsonb"),
    CASE(2950, "\x0b\x7a\x6f\x5e\x00\x00\x40\x00\x80\x00\x00\x00\x00\x00\x00\x01",
         "'0b7a6f5e000040008000000000000001'::uuid"),
};

static void binary_values_become_literals(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++) {
        struct text out = {0};
        assert_true(literal_append(&out, (struct sight_value){binary[i].bytes, 1}, binary[i].type));
        assert_string_equal(text_terminated(&out), binary[i].literal);
        text_free(&out);
    }
}

// Values that were cut, or whose type is not known, are refused and leave nothing.
static void unknown_values_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++) {
        bool is_text = binary[i].type == 25 || binary[i].type == 17 || binary[i].type == 3802;
        for (size_t length = 0; length < binary[i].bytes.length && !is_text; length++) {
            struct text out = {0};
            struct slice cut = {binary[i].bytes.data, length};
            bool is_written = literal_append(&out, (struct sight_value){cut, 1}, binary[i].type);
            assert_true(is_written == (out.length > 0));
            assert_false(is_written);
            text_free(&out);
        }
    }
    struct text out = {0};
    assert_false(literal_append(&out, (struct sight_value){SLICE_LITERAL("1"), 1}, 600)); // point
    text_free(&out);
}

static void parameters_are_replaced(void **state) {
    (void)state;
    const struct sight_value values[] = {{SLICE_LITERAL("a'b\\"), 0}, {{NULL, 0}, 0}};
    const uint32_t types[] = {0, 23};
    static const struct {
        const char *sql, *written;
    } cases[] = {
        {"SELECT $1, $2", "SELECT E'a''b\\\\', NULL::integer"},
        {"SELECT '$1', \"$1\", $1", "SELECT '$1', \"$1\", E'a''b\\\\'"},
        {"SELECT E'\\'$1' -- $1\n, $2", "SELECT E'\\'$1' -- $1\n, NULL::integer"},
        {"SELECT /* $1 */ $x$ $1 $x$, a$1", "SELECT /* $1 */ $x$ $1 $x$, a$1"},
        {"SELECT 'open", "SELECT 'open"},
        {"SELECT $", "SELECT $"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text out = {0};
        assert_int_equal(literal_append_sql(&out, slice_of(cases[i].sql), values, 2, types, 2), 0);
        assert_string_equal(text_terminated(&out), cases[i].written);
        text_free(&out);
    }
    struct text out = {0};
    assert_int_equal(literal_append_sql(&out, SLICE_LITERAL("SELECT $3"), values, 2, types, 2), 3);
    text_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_values_become_literals),
        cmocka_unit_test(unknown_values_are_refused),
        cmocka_unit_test(parameters_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
