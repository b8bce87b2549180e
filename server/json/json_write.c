// Writes the bank's answers. Loop thread. Money goes from cents to text with no floating point in between.
#include "server/json/json_codec.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <inttypes.h>

static void write_string_field(struct text *out, const char *name, const char *value) {
    text_append_format(out, ",\"%s\":", name);
    text_append_json_string(out, slice_of(value));
}

static void write_money_field(struct text *out, const char *name, int64_t cents) {
    text_append_format(out, ",\"%s\":", name);
    money_append_json(out, cents);
}

static const char *boolean(bool value) {
    return value ? "true" : "false";
}

void json_write_account(struct text *out, const struct account *account) {
    text_append_string(out, "{\"id\":");
    text_append_json_string(out, slice_of(account->id));
    text_append_string(out, ",\"balance\":");
    money_append_json(out, account->balance);
    text_append_string(out, "}");
}

void json_write_accounts(struct text *out, const struct account_list *accounts) {
    text_append_string(out, "[");
    for (size_t i = 0; i < accounts->count; i++) {
        text_append_string(out, i == 0 ? "" : ",");
        json_write_account(out, &accounts->accounts[i]);
    }
    text_append_string(out, "]");
}

void json_write_record(struct text *out, const struct transfer_record *record) {
    text_append_format(out, "{\"id\":\"%s\"", record->id);
    write_string_field(out, "timestamp", record->timestamp);
    write_string_field(out, "from_account", record->from_account);
    write_string_field(out, "to_account", record->to_account);
    write_money_field(out, "amount", record->amount);
    write_money_field(out, "from_balance_before", record->from_balance_before);
    write_money_field(out, "from_balance_after", record->from_balance_after);
    write_money_field(out, "to_balance_before", record->to_balance_before);
    write_money_field(out, "to_balance_after", record->to_balance_after);
    write_string_field(out, "status", record->status);
    write_string_field(out, "thread_id", record->thread_id);
    text_append_format(out, ",\"duration_ms\":%" PRIu64 ".%03" PRIu64, record->duration_us / 1000,
                       record->duration_us % 1000);
    write_string_field(out, "strategy", record->strategy);
    text_append_format(out, ",\"race_detected\":%s", boolean(record->race_detected));
    if (record->anomaly == NULL) {
        text_append_string(out, ",\"anomaly\":null");
    } else {
        write_string_field(out, "anomaly", record->anomaly);
    }
    if (record->trace_id[0] == '\0') {
        text_append_string(out, ",\"trace_id\":null}");
    } else {
        write_string_field(out, "trace_id", record->trace_id);
        text_append_string(out, "}");
    }
}

void json_write_settings(struct text *out, const struct settings *settings) {
    text_append_format(out, "{\"delay_enabled\":%s,\"delay_ms\":%" PRIu32, boolean(settings->delay_enabled),
                       settings->delay_ms);
    text_append_format(out, ",\"barrier_enabled\":%s,\"barrier_count\":%" PRIu32, boolean(settings->barrier_enabled),
                       settings->barrier_count);
    text_append_format(out, ",\"use_transactions\":%s", boolean(settings_use_transactions(settings)));
    text_append_format(out, ",\"barrier_timeout_ms\":%" PRIu32, settings->barrier_timeout_ms);
    write_string_field(out, "strategy", settings->strategy->name);
    text_append_string(out, "}");
}

// The statement as it runs, on one line.
static void write_sql(struct text *out, const char *sql) {
    struct text line = {0};
    for (const char *c = sql; *c != '\0'; c++) {
        bool space = *c == ' ' || *c == '\n';
        if (!space) {
            text_append(&line, c, 1);
        } else if (line.length > 0 && line.data[line.length - 1] != ' ' && c[1] != '\0') {
            text_append_string(&line, " ");
        }
    }
    text_append_json_string(out, (struct slice){line.data, line.length});
    text_free(&line);
}

void json_write_strategy(struct text *out, const struct strategy *strategy, bool selected) {
    text_append_format(out, "{\"name\":\"%s\"", strategy->name);
    write_string_field(out, "idea", strategy->idea);
    text_append_format(out, ",\"safe\":%s,\"uses_locks\":%s", boolean(strategy->safe), boolean(strategy->uses_locks));
    write_string_field(out, "isolation", strategy->isolation);
    text_append_string(out, ",\"sql\":[");
    for (size_t i = 0; strategy->statements[i] != STATEMENT_COUNT; i++) {
        text_append_string(out, i == 0 ? "" : ",");
        write_sql(out, statement_texts[strategy->statements[i]].sql);
    }
    text_append_string(out, "]");
    write_string_field(out, "watch_for", strategy->watch_for);
    text_append_format(out, ",\"selected\":%s}", boolean(selected));
}

static void write_violation(struct text *out, const struct audit_violation *violation) {
    text_append_format(out, "{\"kind\":\"%s\"", violation->kind);
    if (violation->account[0] != '\0') {
        write_string_field(out, "account", violation->account);
    }
    write_string_field(out, "detail", violation->detail);
    write_money_field(out, "amount", violation->amount);
    text_append_string(out, ",\"transfers\":[");
    for (size_t i = 0; i < violation->transfer_count; i++) {
        text_append_string(out, i == 0 ? "" : ",");
        text_append_json_string(out, slice_of(violation->transfers[i]));
    }
    text_append_string(out, "]}");
}

void json_write_audit(struct text *out, const struct audit *audit) {
    text_append_format(out, "{\"consistent\":%s,\"money\":{\"expected\":", boolean(audit->violations_total == 0));
    money_append_json(out, audit->money_expected);
    write_money_field(out, "actual", audit->money_actual);
    write_money_field(out, "drift", audit->money_actual - audit->money_expected);
    text_append_format(out, "},\"accounts\":%" PRIu64 ",\"transfers\":%" PRIu64 ",\"violations\":[", audit->accounts,
                       audit->transfers);
    for (size_t i = 0; i < audit->violation_count; i++) {
        text_append_string(out, i == 0 ? "" : ",");
        write_violation(out, &audit->violations[i]);
    }
    text_append_format(out, "],\"violations_total\":%" PRIu64 "}", audit->violations_total);
}
