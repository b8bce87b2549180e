// otlp_json: the exact envelopes, the attributes of the resource, and the collector's count of rejected spans.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "observability/otlp/otlp_json.h"
#include "observability/otlp/otlp_resource.h"

static const struct trace_context context = {
    .trace_id = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36},
    .span_id = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
};

#define IDS "\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":\"00f067aa0ba902b7\""

static void begin(struct otlp_writer *writer, const uint8_t *parent, const char *name) {
    otlp_span_begin(writer, &(struct span){
                                .context = &context,
                                .parent_span_id = parent,
                                .name = slice_of(name),
                                .kind = SPAN_KIND_SERVER,
                                .started_unix_ns = UINT64_C(1700000000000000001),
                                .ended_unix_ns = UINT64_C(1700000000000000002),
                            });
}

static void test_an_envelope(void **state) {
    (void)state;
    struct text out = {0};
    struct otlp_writer writer;
    otlp_envelope_begin(&writer, &out, SLICE_LITERAL("{}"));
    begin(&writer, NULL, "a \"b\"");
    otlp_attribute_string(&writer, "s", SLICE_LITERAL("x"));
    otlp_attribute_integer(&writer, "i", INT64_MIN);
    otlp_attribute_decimal(&writer, "d", "-600.00");
    otlp_attribute_boolean(&writer, "b", true);
    otlp_link(&writer, &context);
    otlp_link(&writer, &context);
    otlp_span_end(&writer, SPAN_STATUS_ERROR);
    begin(&writer, context.span_id, "c");
    otlp_span_end(&writer, SPAN_STATUS_UNSET);
    otlp_envelope_end(&writer);
    assert_string_equal(
        text_terminated(&out),
        "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{\"name\":\"bank-api\"},\"spans\":["
        "{" IDS ",\"name\":\"a \\\"b\\\"\",\"kind\":2,\"startTimeUnixNano\":\"1700000000000000001\","
        "\"endTimeUnixNano\":\"1700000000000000002\",\"attributes\":["
        "{\"key\":\"s\",\"value\":{\"stringValue\":\"x\"}},"
        "{\"key\":\"i\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":-600.00}},"
        "{\"key\":\"b\",\"value\":{\"boolValue\":true}}],\"links\":[{" IDS "},{" IDS "}],\"status\":{\"code\":2}},"
        "{" IDS ",\"parentSpanId\":\"00f067aa0ba902b7\",\"name\":\"c\",\"kind\":2,"
        "\"startTimeUnixNano\":\"1700000000000000001\",\"endTimeUnixNano\":\"1700000000000000002\","
        "\"attributes\":[],\"status\":{}}]}]}]}");
    text_free(&out);
}

static void assert_resource(const char *service, const char *attributes, const char *expected) {
    struct text out = {0};
    assert_true(otlp_resource_append(&out, service, "1", attributes));
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

#define ATTRIBUTE(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define VERSION_ATTRIBUTE ATTRIBUTE("service.version", "1")
#define RESOURCE(list) "{\"attributes\":[" list "]}"

static void test_a_resource(void **state) {
    (void)state;
    assert_resource(NULL, NULL, RESOURCE(ATTRIBUTE("service.name", "bank-api") "," VERSION_ATTRIBUTE));
    assert_resource("bank", "a=b%20%22c,d=",
                    RESOURCE(ATTRIBUTE("service.name", "bank") "," VERSION_ATTRIBUTE
                                                               "," ATTRIBUTE("a", "b \\\"c") "," ATTRIBUTE("d", "")));
    // Keys are decoded too, and blanks around a key or a value are not part of it.
    assert_resource("bank", " a%2Cb%3d =\t1 2 , c = %20 ",
                    RESOURCE(ATTRIBUTE("service.name", "bank") "," VERSION_ATTRIBUTE
                                                               "," ATTRIBUTE("a,b=", "1 2") "," ATTRIBUTE("c", " ")));
}

// OTEL_SERVICE_NAME, then OTEL_RESOURCE_ATTRIBUTES, then the program's own; every key once.
static void test_which_attribute_counts(void **state) {
    (void)state;
    assert_resource(NULL, "service.name=teller", RESOURCE(ATTRIBUTE("service.name", "teller") "," VERSION_ATTRIBUTE));
    assert_resource("bank", "service.name=teller,service.version=7",
                    RESOURCE(ATTRIBUTE("service.name", "bank") "," ATTRIBUTE("service.version", "7")));
    assert_resource(NULL, "a=1,service%2Ename=teller,a=2",
                    RESOURCE(ATTRIBUTE("service.name", "teller") "," VERSION_ATTRIBUTE "," ATTRIBUTE("a", "2")));
}

static void test_resources_that_cannot_be_read(void **state) {
    (void)state;
    const char *const bad[] = {"a",   "=b",  "a=%2",  "a=%zz", "a=b,,c=d", "a=b,c", " =b",
                               "a=%", "%=b", "%zz=b", "a=%00", "a=\xFF",   "a=%ff", "%ff=b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct text out = {0};
        assert_false(otlp_resource_append(&out, "bank", "1", bad[i]));
        text_free(&out);
    }
    struct text out = {0};
    assert_false(otlp_resource_append(&out, "\xFF", "1", NULL));
    text_free(&out);
}

static void assert_rejected(const char *answer, uint64_t count, const char *words) {
    struct text reason = {0};
    assert_int_equal(otlp_read_rejected(slice_of(answer), &reason), count);
    assert_string_equal(text_terminated(&reason), words);
    text_free(&reason);
}

static void test_what_a_collector_rejects(void **state) {
    (void)state;
    assert_rejected("", 0, "");
    assert_rejected("{}", 0, "");
    assert_rejected("no JSON", 0, "");
    assert_rejected("{\"partialSuccess\":{}}", 0, "");
    assert_rejected("{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"old\"}}", 3, "old");
    assert_rejected("{\"partialSuccess\":{\"rejectedSpans\":4}}", 4, "");
    assert_rejected("{\"partialSuccess\":{\"rejectedSpans\":-4}}", 0, "");
}

// The number in a collector's answer is not trusted: it is limited to 0 .. 1e9.
static void test_counts_that_cannot_be(void **state) {
    (void)state;
    static const struct {
        const char *written;
        uint64_t count;
    } cases[] = {
        {"\"-1\"", 0},
        {"\"+1\"", 0},
        {"\" 1\"", 0},
        {"\"1x\"", 0},
        {"\"0x10\"", 0},
        {"\"\"", 0},
        {"\"1\\u0000\"", 0},
        {"null", 0},
        {"true", 0},
        {"[3]", 0},
        {"-9223372036854775809", 0},
        {"0.5", 0},
        {"3.0", 3},
        {"\"0000000000000000000000000003\"", 3},
        {"\"9223372036854775807\"", 1000000000},
        {"\"18446744073709551617\"", 1000000000},
        {"\"99999999999999999999999999999999999999\"", 1000000000},
        {"9223372036854775808", 1000000000},
        {"1e300", 1000000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text answer = {0};
        text_append_format(&answer, "{\"partialSuccess\":{\"rejectedSpans\":%s}}", cases[i].written);
        assert_rejected(text_terminated(&answer), cases[i].count, "");
        text_free(&answer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_envelope),
        cmocka_unit_test(test_a_resource),
        cmocka_unit_test(test_which_attribute_counts),
        cmocka_unit_test(test_resources_that_cannot_be_read),
        cmocka_unit_test(test_what_a_collector_rejects),
        cmocka_unit_test(test_counts_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
