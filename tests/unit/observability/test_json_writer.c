// json_writer: commas stand between values and nowhere else, however objects and arrays are nested.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "observability/base/base.h"

static void assert_text(struct text *text, const char *expected) {
    assert_string_equal(text_terminated(text), expected);
    text_free(text);
}

static void test_one_value_of_each_kind(void **state) {
    (void)state;
    struct text out = {0};
    struct json_writer json = {.out = &out};
    json_open_object(&json, NULL);
    json_add_string(&json, "string", "a\"b");
    json_add_slice(&json, "slice", SLICE_LITERAL("caf\xC3\xA9"));
    json_add_signed(&json, "least", INT64_MIN);
    json_add_unsigned(&json, "most", UINT64_MAX);
    json_add_boolean(&json, "yes", true);
    json_add_boolean(&json, "no", false);
    json_add_null(&json, "nothing");
    json_add_string_or_null(&json, "null", NULL);
    json_add_string_or_null(&json, "empty", "");
    json_add_string_or_null(&json, "there", "x");
    text_append_string(json_add(&json, "raw"), "1.50");
    json_close_object(&json);
    assert_text(&out, "{\"string\":\"a\\\"b\",\"slice\":\"caf\xC3\xA9\",\"least\":-9223372036854775808,"
                      "\"most\":18446744073709551615,\"yes\":true,\"no\":false,\"nothing\":null,\"null\":null,"
                      "\"empty\":null,\"there\":\"x\",\"raw\":1.50}");
}

static void test_empty_ones(void **state) {
    (void)state;
    struct text out = {0};
    struct json_writer json = {.out = &out};
    json_open_array(&json, NULL);
    json_open_object(&json, NULL);
    json_close_object(&json);
    json_open_array(&json, NULL);
    json_close_array(&json);
    json_open_object(&json, NULL);
    json_open_array(&json, "none");
    json_close_array(&json);
    json_add_null(&json, "after");
    json_close_object(&json);
    json_close_array(&json);
    assert_text(&out, "[{},[],{\"none\":[],\"after\":null}]");
}

static void test_nested(void **state) {
    (void)state;
    struct text out = {0};
    struct json_writer json = {.out = &out};
    json_open_object(&json, NULL);
    json_open_array(&json, "list");
    for (int64_t i = 0; i < 3; i++) {
        json_open_object(&json, NULL);
        json_add_signed(&json, "i", i);
        json_open_object(&json, "in");
        json_add_string(&json, "a", "b");
        json_close_object(&json);
        json_close_object(&json);
    }
    json_close_array(&json);
    json_add_signed(&json, "count", 3);
    json_close_object(&json);
    assert_text(&out, "{\"list\":[{\"i\":0,\"in\":{\"a\":\"b\"}},{\"i\":1,\"in\":{\"a\":\"b\"}},"
                      "{\"i\":2,\"in\":{\"a\":\"b\"}}],\"count\":3}");
}

// A writer may start in a text that is not empty, such as the line of an event.
static void test_behind_other_text(void **state) {
    (void)state;
    struct text out = {0};
    text_append_string(&out, "data: ");
    struct json_writer json = {.out = &out};
    json_add_string(&json, NULL, "only");
    assert_text(&out, "data: \"only\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_value_of_each_kind),
        cmocka_unit_test(test_empty_ones),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_behind_other_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
