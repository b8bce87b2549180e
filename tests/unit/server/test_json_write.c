// json_write: accounts, records and settings, byte for byte as in the wire contract.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "server/json/json.h"
#include "workers/strategies/strategies.h"
#include "workers/transfer/strategy.h"

#include <jansson.h>

static void assert_text(struct text *text, const char *expected) {
    assert_string_equal(text_terminated(text), expected);
    text_free(text);
}

static void test_accounts(void **state) {
    (void)state;
    struct account accounts[] = {{"alice", 100000}, {"bob", -60000}, {"ch\"arlie", 1234}};
    struct text out = {0};
    struct json_writer json = {.out = &out};
    json_add_account(&json, NULL, &accounts[0]);
    assert_text(&out, "{\"id\":\"alice\",\"balance\":1000.0}");
    json = (struct json_writer){.out = &out};
    json_add_accounts(&json, NULL, &(struct account_list){.count = 3, .accounts = accounts});
    assert_text(&out, "[{\"id\":\"alice\",\"balance\":1000.0},{\"id\":\"bob\",\"balance\":-600.0},"
                      "{\"id\":\"ch\\\"arlie\",\"balance\":12.34}]");
    json = (struct json_writer){.out = &out};
    json_add_accounts(&json, NULL, &(struct account_list){.count = 0});
    assert_text(&out, "[]");
}

static struct transfer_record record_of_a_double_spend(void) {
    return (struct transfer_record){
        .id = "9f3c1a2b",
        .timestamp = "2026-01-31T12:34:56.789012Z",
        .from_account = "alice",
        .to_account = "b\nob",
        .amount = 80000,
        .from_balance_before = 100000,
        .from_balance_after = -60000,
        .to_balance_before = 50000,
        .to_balance_after = 210000,
        .status = "success",
        .thread_id = "worker-3",
        .duration_us = 12345,
        .strategy = "vulnerable",
        .race_detected = true,
        .anomaly = "double_spend",
        .trace_id = "0af7651916cd43dd8448eb211c80319c",
    };
}

static void test_record(void **state) {
    (void)state;
    struct transfer_record record = record_of_a_double_spend();
    struct text out = {0};
    struct json_writer json = {.out = &out};
    json_add_record(&json, NULL, &record);
    assert_text(&out, "{\"id\":\"9f3c1a2b\",\"timestamp\":\"2026-01-31T12:34:56.789012Z\",\"from_account\":\"alice\","
                      "\"to_account\":\"b\\nob\",\"amount\":800.0,\"from_balance_before\":1000.0,"
                      "\"from_balance_after\":-600.0,\"to_balance_before\":500.0,\"to_balance_after\":2100.0,"
                      "\"status\":\"success\",\"thread_id\":\"worker-3\",\"duration_ms\":12.345,"
                      "\"strategy\":\"vulnerable\",\"race_detected\":true,\"anomaly\":\"double_spend\","
                      "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}");
}

static void test_record_without_a_trace_is_json(void **state) {
    (void)state;
    struct transfer_record record = record_of_a_double_spend();
    record.trace_id[0] = '\0';
    record.race_detected = false;
    record.anomaly = NULL;
    struct text out = {0};
    struct json_writer json = {.out = &out};
    json_add_record(&json, NULL, &record);
    json_t *parsed = json_loadb(out.data, out.length, 0, NULL);
    assert_non_null(parsed);
    assert_true(json_is_null(json_object_get(parsed, "trace_id")));
    assert_true(json_is_false(json_object_get(parsed, "race_detected")));
    assert_true(json_is_null(json_object_get(parsed, "anomaly")));
    json_decref(parsed);
    text_free(&out);
}

static void test_settings(void **state) {
    (void)state;
    struct settings settings;
    struct text out = {0};
    struct json_writer json = {.out = &out};
    settings_defaults(&settings);
    json_add_settings(&json, NULL, &settings);
    assert_text(&out, "{\"delay_enabled\":false,\"delay_ms\":100,\"barrier_enabled\":false,\"barrier_count\":2,"
                      "\"use_transactions\":false,\"barrier_timeout_ms\":30000,\"strategy\":\"vulnerable\"}");
    settings.delay_enabled = true;
    settings.barrier_enabled = true;
    settings.barrier_count = 16;
    settings.strategy = &strategy_for_update;
    json = (struct json_writer){.out = &out};
    json_add_settings(&json, NULL, &settings);
    assert_text(&out, "{\"delay_enabled\":true,\"delay_ms\":100,\"barrier_enabled\":true,\"barrier_count\":16,"
                      "\"use_transactions\":true,\"barrier_timeout_ms\":30000,\"strategy\":\"for_update\"}");
}

// Written settings can be read again: a script may save the settings and restore them.
static void test_settings_can_be_read_again(void **state) {
    (void)state;
    struct settings settings;
    settings_defaults(&settings);
    settings.delay_ms = 1;
    settings.strategy = &strategy_for_update;
    struct text out = {0};
    struct text name = {0};
    struct text problem = {0};
    struct settings_change change = {0};
    struct settings again;
    struct json_writer json = {.out = &out};
    json_add_settings(&json, NULL, &settings);
    assert_int_equal(json_read_settings((struct slice){out.data, out.length}, &change, &name, &problem), 200);
    settings_defaults(&again);
    assert_true(settings_apply(&again, &change, 28, &problem));
    assert_int_equal(again.delay_ms, 1);
    assert_ptr_equal(again.strategy, &strategy_for_update);
    text_free(&problem);
    text_free(&name);
    text_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_record_without_a_trace_is_json),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_settings_can_be_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
