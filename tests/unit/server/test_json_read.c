// json_read: reads transfers and settings, and refuses every fault in them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "server/json/json_read.h"

static void assert_transfer(const char *body, const char *from, const char *to, int64_t amount) {
    struct transfer_request request = {0};
    struct text problem = {0};
    int status = json_read_transfer(slice_of(body), &request, &problem);
    if (status != 200) {
        fail_msg("%d %s: %s", status, body, text_terminated(&problem));
    }
    assert_int_equal(problem.length, 0);
    assert_string_equal(request.from_account, from);
    assert_string_equal(request.to_account, to);
    assert_int_equal(request.amount, amount);
    text_free(&problem);
}

static void test_transfers(void **state) {
    (void)state;
    assert_transfer("{\"from_account\":\"alice\",\"to_account\":\"bob\",\"amount\":800}", "alice", "bob", 80000);
    assert_transfer(" {\n\"amount\" : 12.34 ,\t\"to_account\":\"b\",\"from_account\":\"a\"}\r\n", "a", "b", 1234);
    assert_transfer("{\"from_account\":\"caf\xC3\xA9\",\"to_account\":\"\\u0062ob\",\"amount\":1}", "caf\xC3\xA9",
                    "bob", 100);
    assert_transfer("{\"\\u0061mount\":7,\"from_account\":\"a\",\"to_account\":\"b\"}", "a", "b", 700);
    assert_transfer("{\"from_account\":\"a'; DROP TABLE accounts; --\",\"to_account\":\"%s\",\"amount\":1}",
                    "a'; DROP TABLE accounts; --", "%s", 100);
}

static void assert_amount(const char *number, int64_t amount) {
    struct text body = {0};
    text_append_format(&body, "{\"from_account\":\"a\",\"to_account\":\"b\",\"amount\":%s}", number);
    assert_transfer(text_terminated(&body), "a", "b", amount);
    text_free(&body);
}

// Amounts are read from the number's own text: a double would make 90071992547409.93 of the fourth, or lose the cents
// of the largest.
static void test_amounts_are_exact(void **state) {
    (void)state;
    assert_amount("0.01", 1);
    assert_amount("0.1", 10);
    assert_amount("1.10", 110);
    assert_amount("999999999999.99", 99999999999999);
    assert_amount("1000000000000", 100000000000000);
    assert_amount("1000000000000.00", 100000000000000);
    assert_amount("1e12", 100000000000000);
    assert_amount("1E+2", 10000);
    assert_amount("12.5e-1", 125);
    assert_amount("1.230000000000000000000000000000000000000000", 123);
    assert_amount("0.29", 29);  // 0.29 * 100 is 28.999999999999996 in a double
    assert_amount("1.15", 115); // and 1.15 * 100 is 114.99999999999999
    assert_amount("1e0", 100);
    assert_amount("123456789012.34", 12345678901234);
}

// The number is found by the quotes around it, so the content of strings must not be taken for the number.
static void test_digits_in_names_are_not_the_amount(void **state) {
    (void)state;
    assert_transfer("{\"from_account\":\"-5\",\"to_account\":\"17\",\"amount\":3}", "-5", "17", 300);
    assert_transfer("{\"from_account\":\"a\\\"1\",\"to_account\":\"2\\\\\",\"amount\":3}", "a\"1", "2\\", 300);
    assert_transfer("{\"from_account\":\"\\\\\\\"9\",\"to_account\":\"\\u0039\",\"amount\":3}", "\\\"9", "9", 300);
    assert_transfer("{\"from_account\":\"amount\\\":99\",\"to_account\":\"b\",\"amount\":3}", "amount\":99", "b", 300);
}

static void assert_refused(const char *body, int status, const char *problem_part) {
    struct transfer_request request = {0};
    struct text problem = {0};
    int got = json_read_transfer(slice_of(body), &request, &problem);
    if (got != status || strstr(text_terminated(&problem), problem_part) == NULL) {
        fail_msg("%s\nexpected: %d %s\n     got: %d %s", body, status, problem_part, got, text_terminated(&problem));
    }
    text_free(&problem);
}

// Another number in the body is not taken for the amount: the problem names the field that is wrong.
static void test_another_number_is_not_the_amount(void **state) {
    (void)state;
    assert_refused("{\"from_account\":\"a\",\"to_account\":\"b\",\"strategy\":0.001,\"amount\":800}", 422,
                   "\"strategy\" must be a string");
    assert_refused("{\"from_account\":\"a\",\"to_account\":\"b\",\"amount\":800,\"strategy\":0.001}", 422,
                   "\"strategy\" must be a string");
    assert_refused("{\"from_account\":0.001,\"to_account\":\"b\",\"amount\":800}", 422,
                   "\"from_account\" must be a string");
    assert_refused("{\"from_account\":9223372036854775808,\"to_account\":\"b\",\"amount\":800}", 422,
                   "\"from_account\" must be a string");
    assert_refused("{\"strategy\":1e400,\"from_account\":\"a\",\"to_account\":\"b\",\"amount\":800}", 422,
                   "The number that ends at line 1, column 17 is out of range");
}

// A refusal uses our own words: no name of the library's options, and no quotation of its token.
static void test_what_is_said_of_malformed_text(void **state) {
    (void)state;
    assert_refused("{\"amount\":1,", 400, "the text ends too early (line 1, column 12)");
    assert_refused("{} {}", 400, "something follows the JSON text (line 1, column 4)");
    assert_refused("{\"a\":\"\xFF\"}", 400, "this is not UTF-8 (line 1, ");
    assert_refused("{\"a\":1,\n\"a\":2}", 400,
                   "cannot be read: an object has two fields of the same name (line 2, column 3)");
    assert_refused("{5:1}", 400, "this is not JSON syntax (line 1, column 2)");
    assert_refused("{\"a\":\"x,y\n\"}", 400, "this is not JSON syntax (line 1, ");
    assert_refused("{\"a\":\"\\'\"}", 400, "this is not JSON syntax (line 1, ");
    assert_refused("\xEF\xBB\xBF{}", 400, "it starts with a byte order mark");
}

static void test_what_is_advised(void **state) {
    (void)state;
    static const char *const single = "this is not JSON syntax: JSON takes double quotes, not single ones (line 1, ";
    static const char *const none =
        "this is not JSON syntax: JSON takes double quotes around every name and every text";
    static const char *const comma = "this is not JSON syntax: a comma stands before the closing bracket (line 1, ";
    assert_refused("{'a':1}", 400, single);
    assert_refused("{\"a\": 'b'}", 400, single);
    assert_refused("{nope}", 400, none);
    assert_refused("{\"a\":True}", 400, none);
    assert_refused("{\"a\":1 , }", 400, comma);
    assert_refused("{\"a\":[1,]}", 400, comma);
    assert_refused("{\"a\":1]", 400, "this is not JSON syntax (line 1, ");
    assert_refused("}", 400, "this is not JSON syntax (line 1, column 1)");
}

// A half of a surrogate pair is JSON syntax (RFC 8259 section 8.2), but no character.
static void test_escapes_that_are_no_character(void **state) {
    (void)state;
    static const char *const halves[] = {"\\ud800", "\\uDFFF", "\\udc00\\ud800", "\\ud800\\u0061", "\\ud800x"};
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        struct text body = {0};
        text_append_format(&body, "{\"a\":\"%s\"}", halves[i]);
        assert_refused(text_terminated(&body), 400, "cannot be read: an escape stands for no Unicode character ");
        text_clear(&body);
        text_append_format(&body, "{\"%s\":1}", halves[i]);
        assert_refused(text_terminated(&body), 400, "cannot be read: an escape stands for no Unicode character ");
        text_clear(&body);
        text_append_format(&body, "[1e400,\"%s\"]", halves[i]);
        assert_refused(text_terminated(&body), 400, "cannot be read: an escape stands for no Unicode character");
        text_free(&body);
    }
    assert_refused("{\"a\":\"\\u12\"}", 400, "not valid JSON: this is not JSON syntax");
    assert_refused("{\"a\":\"\\ud83d\\ude00\"}", 422, "There is no field \"a\"");
}

// A number beyond a double and a NUL in a name are JSON; the text around them need not be.
static void test_what_the_library_cannot_read(void **state) {
    (void)state;
    struct text nines = {0};
    text_append_string(&nines, "{\"a\":");
    for (int i = 0; i < 400; i++) {
        text_append_string(&nines, "9");
    }
    assert_refused(text_terminated(&nines), 400, "the text ends too early");
    text_append_string(&nines, "}");
    assert_refused(text_terminated(&nines), 422, "The number that ends at line 1, column 405 is out of range");
    text_free(&nines);
    assert_refused("[1e400,-1e400,\"1e400\\\"\",0.5E+999]", 422, "out of range");
    assert_refused("[1e400,01]", 400, "this is not JSON syntax");
    assert_refused("[1e400,-]", 400, "this is not JSON syntax");
    assert_refused("[1e400,1.]", 400, "this is not JSON syntax");
    assert_refused("{1e400:1}", 400, "this is not JSON syntax");
    assert_refused("{\"a\":1e400,\"a\":1}", 400, "two fields of the same name");
    assert_refused("{\"a\\u0000b\":1,}", 400, "this is not JSON syntax");
    assert_refused("{\"a\\u0000\":1,\"a\\u0001\":2}", 422, "holds a NUL character");
    assert_refused("{\"a\\u0001\":1,\"a\\u0000\":2}", 422, "holds a NUL character");
    assert_refused("{\"\\u0000\":1,\"\\u0001\\u0001\":2,\"\\u0001\\u0002\":3,\"\\u0002\":4}", 422,
                   "holds a NUL character");
    assert_refused("{\"a\\u0000\":1,\"a\\u0000\":2}", 400, "two fields of the same name");
    assert_refused("{\"a\":-1e400}", 422, "is out of range: every number here lies between 0 and 1000000000000 (1e12)");
    assert_refused("{\"a\\u0000b\":1,\"c\\\\u0000\":1e400}", 422, "holds a NUL character");
}

static void test_what_is_no_json(void **state) {
    (void)state;
    static const char *const bodies[] = {
        " ",
        "{",
        "}",
        "{\"from_account\":\"a\",}",
        "{'from_account':'a'}",
        "{from_account:\"a\"}",
        "{\"amount\":NaN}",
        "{\"amount\":Infinity}",
        "{\"amount\":-Infinity}",
        "{\"amount\":+1}",
        "{\"amount\":.5}",
        "{\"amount\":5.}",
        "{\"amount\":05}",
        "{\"amount\":0x10}",
        "{\"amount\":1e}",
        "{\"amount\":1_000}",
        "{\"from_account\":\"a\xFF\"}",
        "{\"from_account\":\"\xED\xA0\x80\"}",
        "{\"from_account\":\"a\nb\"}",
        "{\"from_account\":\"a\\x\"}",
        "{} {}",
        "{}x",
        "\xEF\xBB\xBF{}",
        "nonsense",
        "// c\n{}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_refused(bodies[i], 400, "not valid JSON");
    }
    struct transfer_request request = {0};
    struct text problem = {0};
    assert_int_equal(json_read_transfer((struct slice){NULL, 0}, &request, &problem), 400); // no body at all
    text_clear(&problem);
    assert_int_equal(json_read_transfer(SLICE_LITERAL("{}\0"), &request, &problem), 400);
    text_clear(&problem);
    assert_int_equal(json_read_transfer(SLICE_LITERAL("{\"amount\":1\0}"), &request, &problem), 400);
    text_free(&problem);
}

static void test_nesting_is_bounded(void **state) {
    (void)state;
    struct text body = {0};
    for (int i = 0; i < 60000; i++) {
        text_append_string(&body, "[");
    }
    assert_refused(text_terminated(&body), 400, "cannot be read: the values are nested too deeply (line 1, ");
    text_free(&body);
}

static void test_what_is_no_object(void **state) {
    (void)state;
    static const char *const bodies[] = {"[]", "[{}]", "\"transfer\"", "17", "null", "true"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_refused(bodies[i], 422, "must be a JSON object");
    }
}

static void test_fields(void **state) {
    (void)state;
    assert_refused("{}", 422, "\"from_account\" is missing");
    assert_refused("{\"from_account\":\"a\",\"amount\":1}", 422, "\"to_account\" is missing");
    assert_refused("{\"from_account\":\"a\",\"to_account\":\"b\"}", 422, "\"amount\" is missing");
    assert_refused("{\"from_account\":\"a\",\"to_account\":\"b\",\"amount\":1,\"note\":\"x\"}", 422,
                   "There is no field \"note\"");
    assert_refused("{\"From_Account\":\"a\",\"to_account\":\"b\",\"amount\":1}", 422, "\"From_Account\"");
    assert_refused("{\"from_account\":1,\"to_account\":\"b\",\"amount\":1}", 422, "\"from_account\" must be a string");
    assert_refused("{\"from_account\":\"a\",\"to_account\":null,\"amount\":1}", 422, "\"to_account\" must be a string");
    assert_refused("{\"from_account\":{\"x\":1},\"to_account\":\"b\",\"amount\":1}", 422, "must be a string");
    assert_refused("{\"from_account\":\"\",\"to_account\":\"b\",\"amount\":1}", 422, "1 to 64 characters");
    assert_refused("{\"from_account\":\"a\",\"to_account\":\"a\",\"amount\":1}", 422, "the same");
    assert_refused("{\"from_account\":\"a\\u0000b\",\"to_account\":\"b\",\"amount\":1}", 422,
                   "\"from_account\" must not hold a NUL");
    assert_refused("{\"a\\u0000b\":1}", 422, "no field whose name holds a NUL");
}

static void test_account_id_limit(void **state) {
    (void)state;
    char id[ACCOUNT_ID_MAX + 2];
    struct text body = {0};
    for (size_t i = 0; i < ACCOUNT_ID_MAX; i += UTF8_CHARACTER_MAX) {
        memcpy(id + i, "\xF0\x9F\x98\x80", UTF8_CHARACTER_MAX);
    }
    id[ACCOUNT_ID_MAX] = '\0';
    text_append_format(&body, "{\"from_account\":\"%s\",\"to_account\":\"b\",\"amount\":1}", id);
    assert_transfer(text_terminated(&body), id, "b", 100);
    text_clear(&body);
    id[ACCOUNT_ID_MAX] = 'x';
    id[ACCOUNT_ID_MAX + 1] = '\0';
    text_append_format(&body, "{\"from_account\":\"a\",\"to_account\":\"%s\",\"amount\":1}", id);
    assert_refused(text_terminated(&body), 422, "\"to_account\" must be 1 to 64 characters long");
    text_clear(&body);
    text_append_format(&body, "{\"from_account\":\"%065d\",\"to_account\":\"b\",\"amount\":1}", 0);
    assert_refused(text_terminated(&body), 422, "\"from_account\" must be 1 to 64 characters long");
    text_free(&body);
}

static void test_amounts_that_are_none(void **state) {
    (void)state;
    static const struct {
        const char *amount;
        const char *problem;
    } cases[] = {
        {"\"800\"", "without quotes"},
        {"null", "must be a number"},
        {"true", "must be a number"},
        {"[1]", "must be a number"},
        {"0", "greater than zero"},
        {"-0", "greater than zero"},
        {"0.00", "greater than zero"},
        {"0e9", "greater than zero"},
        {"-1", "greater than zero"},
        {"-0.01", "greater than zero"},
        {"0.001", "at most two decimals"},
        {"1.005", "at most two decimals"},
        {"1e-3", "at most two decimals"},
        {"1e-400", "at most two decimals"},
        {"1000000000000.01", "1e12"},
        {"1000000000001", "1e12"},
        {"1e13", "1e12"},
        {"9223372036854775807", "1e12"},
        {"9223372036854775808", "1e12"},
        {"1e308", "1e12"},
        {"1e400", "1e12"},
        {"1e99999999999999999999", "1e12"},
        {"-9223372036854775809", "greater than zero"},
        {"-1e308", "greater than zero"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text body = {0};
        text_append_format(&body, "{\"from_account\":\"a\",\"to_account\":\"b\",\"amount\":%s}", cases[i].amount);
        assert_refused(text_terminated(&body), 422, cases[i].problem);
        text_free(&body);
    }
}

static int read_settings(const char *body, struct settings_change *change, struct text *name, struct text *problem) {
    *change = (struct settings_change){0};
    text_clear(name);
    text_clear(problem);
    return json_read_settings(slice_of(body), change, name, problem);
}

static void test_settings(void **state) {
    (void)state;
    struct settings_change change;
    struct text name = {0};
    struct text problem = {0};
    assert_int_equal(read_settings("{}", &change, &name, &problem), 200);
    assert_false(change.has_delay_enabled || change.has_delay_ms || change.has_barrier_enabled ||
                 change.has_barrier_count || change.has_barrier_timeout_ms || change.has_use_transactions ||
                 change.has_strategy);
    assert_int_equal(read_settings("{\"delay_enabled\":true,\"delay_ms\":5,\"barrier_enabled\":false,"
                                   "\"barrier_count\":3,\"barrier_timeout_ms\":-7,\"use_transactions\":true,"
                                   "\"strategy\":\"for_update\"}",
                                   &change, &name, &problem),
                     200);
    assert_true(change.has_delay_enabled && change.delay_enabled);
    assert_true(change.has_delay_ms && change.delay_ms == 5);
    assert_true(change.has_barrier_enabled && !change.barrier_enabled);
    assert_true(change.has_barrier_count && change.barrier_count == 3);
    assert_true(change.has_barrier_timeout_ms && change.barrier_timeout_ms == -7); // settings_apply() knows the range
    assert_true(change.has_use_transactions && change.use_transactions);
    assert_true(change.has_strategy && slice_equals(change.strategy, SLICE_LITERAL("for_update")));
    assert_int_equal(read_settings("{\"strategy\":\"\"}", &change, &name, &problem), 200);
    assert_true(change.has_strategy && change.strategy.length == 0);
    text_free(&problem);
    text_free(&name);
}

static void assert_delay(const char *body, int64_t delay_ms) {
    struct settings_change change;
    struct text name = {0};
    struct text problem = {0};
    assert_int_equal(read_settings(body, &change, &name, &problem), 200);
    assert_true(change.has_delay_ms && change.delay_ms == delay_ms);
    text_free(&problem);
    text_free(&name);
}

// Whole numbers in every notation. A value out of every range is left to settings_apply(), which knows the range.
static void test_whole_numbers(void **state) {
    (void)state;
    assert_delay("{\"delay_ms\":1.0}", 1);
    assert_delay("{\"delay_ms\":2e2}", 200);
    assert_delay("{\"delay_ms\":-0.0}", 0);
    assert_delay("{\"delay_ms\":-3.0}", -3);
    assert_delay("{\"delay_ms\":9007199254740991.0}", 9007199254740991);
    assert_delay("{\"delay_ms\":1e300}", INT64_MAX);
    assert_delay("{\"delay_ms\":-1e300}", INT64_MIN);
    assert_delay("{\"delay_ms\":9223372036854775808}", INT64_MAX);
    assert_delay("{\"delay_ms\":60000}", 60000);
}

static void test_settings_refused(void **state) {
    (void)state;
    static const struct {
        const char *body;
        int status;
        const char *problem;
    } cases[] = {
        {"", 400, "The body is empty"},
        {" ", 400, "not valid JSON"},
        {"[]", 422, "must be a JSON object"},
        {"{\"delay\":1}", 422, "There is no field \"delay\""},
        {"{\"delay_enabled\":1}", 422, "\"delay_enabled\" must be true or false"},
        {"{\"barrier_enabled\":\"true\"}", 422, "\"barrier_enabled\" must be true or false"},
        {"{\"use_transactions\":null}", 422, "\"use_transactions\" must be true or false"},
        {"{\"delay_ms\":1.5}", 422, "\"delay_ms\" must be a whole number"},
        {"{\"delay_ms\":1e-1}", 422, "\"delay_ms\" must be a whole number"},
        {"{\"barrier_count\":\"2\"}", 422, "\"barrier_count\" must be a whole number"},
        {"{\"barrier_timeout_ms\":true}", 422, "\"barrier_timeout_ms\" must be a whole number"},
        {"{\"delay_ms\":1e400}", 422, "The number that ends at line 1, column 17 is out of range"},
        {"{\"a\\u0000b\":1}", 422, "no field whose name holds a NUL"},
        {"{\"strategy\":1}", 422, "\"strategy\" must be a string"},
    };
    struct text name = {0};
    struct text problem = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings_change change;
        int status = read_settings(cases[i].body, &change, &name, &problem);
        if (status != cases[i].status || strstr(text_terminated(&problem), cases[i].problem) == NULL) {
            fail_msg("%s: %d %s", cases[i].body, status, text_terminated(&problem));
        }
    }
    text_free(&problem);
    text_free(&name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_amounts_are_exact),
        cmocka_unit_test(test_digits_in_names_are_not_the_amount),
        cmocka_unit_test(test_another_number_is_not_the_amount),
        cmocka_unit_test(test_what_is_said_of_malformed_text),
        cmocka_unit_test(test_what_is_advised),
        cmocka_unit_test(test_what_is_advised),
        cmocka_unit_test(test_escapes_that_are_no_character),
        cmocka_unit_test(test_what_the_library_cannot_read),
        cmocka_unit_test(test_what_is_no_json),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_what_is_no_object),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_account_id_limit),
        cmocka_unit_test(test_amounts_that_are_none),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_settings_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
