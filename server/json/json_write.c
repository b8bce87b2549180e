// Writes accounts, records, settings and steps. Loop thread.
#include "server/json/json_write.h"

#include <inttypes.h>
#include <string.h>

void json_add_account(struct json_writer *json, const char *name, const struct account *account) {
    json_open_object(json, name);
    json_add_string(json, "id", account->id);
    json_add_money(json, "balance", account->balance);
    json_close_object(json);
}

void json_add_accounts(struct json_writer *json, const char *name, const struct account_list *accounts) {
    json_open_array(json, name);
    for (size_t i = 0; i < accounts->count; i++) {
        json_add_account(json, NULL, &accounts->accounts[i]);
    }
    json_close_array(json);
}

void json_add_replica(struct json_writer *json, const char *replica) {
    if (replica != NULL) {
        json_add_string(json, "replica", replica);
    }
}

void json_add_record_members(struct json_writer *json, const struct transfer_record *record) {
    json_add_string(json, "id", record->id);
    json_add_string(json, "timestamp", record->timestamp);
    json_add_string(json, "from_account", record->from_account);
    json_add_string(json, "to_account", record->to_account);
    json_add_money(json, "amount", record->amount);
    json_add_money(json, "from_balance_before", record->from_balance_before);
    json_add_money(json, "from_balance_after", record->from_balance_after);
    json_add_money(json, "to_balance_before", record->to_balance_before);
    json_add_money(json, "to_balance_after", record->to_balance_after);
    json_add_string(json, "status", record->status);
    json_add_string(json, "thread_id", record->thread_id);
    text_append_format(json_add(json, "duration_ms"), "%" PRIu64 ".%03" PRIu64, record->duration_us / 1000,
                       record->duration_us % 1000);
    json_add_string(json, "strategy", record->strategy);
    json_add_boolean(json, "race_detected", record->race_detected);
    json_add_string_or_null(json, "anomaly", record->anomaly);
    json_add_string_or_null(json, "trace_id", record->trace_id);
    json_add_replica(json, record->replica);
}

void json_add_record(struct json_writer *json, const char *name, const struct transfer_record *record) {
    json_open_object(json, name);
    json_add_record_members(json, record);
    json_close_object(json);
}

void json_add_settings(struct json_writer *json, const char *name, const struct settings *settings) {
    json_open_object(json, name);
    json_add_boolean(json, "delay_enabled", settings->delay_enabled);
    json_add_unsigned(json, "delay_ms", settings->delay_ms);
    json_add_boolean(json, "barrier_enabled", settings->barrier_enabled);
    json_add_unsigned(json, "barrier_count", settings->barrier_count);
    json_add_boolean(json, "use_transactions", settings_use_transactions(settings));
    json_add_unsigned(json, "barrier_timeout_ms", settings->barrier_timeout_ms);
    json_add_string(json, "strategy", settings->strategy->name);
    json_close_object(json);
}

void json_add_trace_url(struct json_writer *json, const char *template, const char *trace_id) {
    static const char parameter[] = "{trace_id}";
    const char *place = template == NULL || trace_id[0] == '\0' ? NULL : strstr(template, parameter);
    if (place == NULL) {
        json_add_null(json, "trace_url");
        return;
    }
    struct text url = {0};
    text_append(&url, template, (size_t)(place - template));
    text_append_string(&url, trace_id);
    text_append_string(&url, place + strlen(parameter));
    json_add_slice(json, "trace_url", text_slice(&url));
    text_free(&url);
}

void json_add_step_members(struct json_writer *json, const struct step_view *step) {
    json_add_string(json, "step", step->name);
    if (step->account[0] != '\0') {
        json_add_string(json, "account", step->account);
    }
    if (step->has_value) {
        json_add_money(json, "value", step->value);
    }
    json_add_signed(json, "at_us", step->at_us);
    json_add_signed(json, "took_us", step->took_us);
    if (step->parties != 0) {
        json_add_unsigned(json, "parties", step->parties);
    }
    if (step->outcome[0] != '\0') {
        json_add_string(json, "outcome", step->outcome);
    }
    if (step->committed_at_us != 0) {
        json_add_signed(json, "committed_at_us", step->committed_at_us);
    }
}
