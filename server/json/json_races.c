// Writes the races as JSON. Loop thread.
#include "server/json/json_races.h"

#include "server/json/json_codec.h"
#include "workers/money/money.h"

#include <inttypes.h>
#include <string.h>

static void write_string(struct text *out, const char *key, const char *value) {
    text_append_string(out, key);
    text_append_json_string(out, slice_of(value));
}

static void write_money(struct text *out, const char *key, int64_t cents) {
    text_append_string(out, key);
    money_append_json(out, cents);
}

static void write_integer(struct text *out, const char *key, int64_t value) {
    text_append_string(out, key);
    text_append_signed(out, value);
}

// A list of `count` texts of `size` bytes each.
static void write_strings(struct text *out, const char *key, const char *texts, size_t size, size_t count) {
    text_append_string(out, key);
    text_append_string(out, "[");
    for (size_t i = 0; i < count; i++) {
        write_string(out, i == 0 ? "" : ",", texts + i * size);
    }
    text_append_string(out, "]");
}

void json_write_step_keys(struct text *out, const struct told_step *step) {
    write_string(out, "\"step\":", step->name);
    if (step->account[0] != '\0') {
        write_string(out, ",\"account\":", step->account);
    }
    if (step->has_value) {
        write_money(out, ",\"value\":", step->value);
    }
    write_integer(out, ",\"at_us\":", step->at_us);
    write_integer(out, ",\"took_us\":", step->took_us);
    if (step->parties != 0) {
        write_integer(out, ",\"parties\":", step->parties);
    }
    if (step->outcome[0] != '\0') {
        write_string(out, ",\"outcome\":", step->outcome);
    }
    if (step->committed_at_us != 0) {
        write_integer(out, ",\"committed_at_us\":", step->committed_at_us);
    }
}

static void write_race(struct text *out, const struct race *race) {
    write_string(out, "{\"id\":", race->id);
    write_strings(out, ",\"transfer_ids\":", race->ids[0], sizeof race->ids[0], race->id_count);
    write_integer(out, ",\"transfer_count\":", (int64_t)race->transfer_count);
    write_string(out, ",\"account\":", race->account);
    write_string(out, ",\"at\":", race->at);
    write_strings(out, ",\"strategies\":", race->strategies[0], sizeof race->strategies[0], race->strategy_count);
    write_string(out, ",\"verdict\":", race->verdict);
    write_money(out, ",\"lowest_balance\":", race->lowest_balance);
    write_integer(out, ",\"succeeded\":", (int64_t)race->succeeded);
    write_integer(out, ",\"refused\":", (int64_t)race->refused);
    text_append_string(out, "}");
}

void json_write_races(struct text *out, const struct race_list *races) {
    text_append_string(out, "{\"races\":[");
    for (size_t i = 0; i < races->count; i++) {
        text_append_string(out, i == 0 ? "" : ",");
        write_race(out, &races->races[i]);
    }
    const struct race_totals *totals = &races->totals;
    write_integer(out, "],\"totals\":{\"transfers\":", (int64_t)totals->transfers);
    write_integer(out, ",\"races\":", (int64_t)totals->raced_transfers); // the older name, which clients know
    write_integer(out, ",\"raced_transfers\":", (int64_t)totals->raced_transfers);
    write_integer(out, ",\"double_spends\":", (int64_t)totals->double_spends);
    write_integer(out, ",\"lost_updates\":", (int64_t)totals->lost_updates);
    write_money(out, ",\"money_drift\":", totals->money_drift);
    text_append_string(out, "}}");
}

void json_write_trace_url(struct text *out, const char *template, const char *trace_id) {
    static const char parameter[] = "{trace_id}";
    text_append_string(out, ",\"trace_url\":");
    const char *place = template == NULL || trace_id[0] == '\0' ? NULL : strstr(template, parameter);
    if (place == NULL) {
        text_append_string(out, "null");
        return;
    }
    struct text url = {0};
    text_append(&url, template, (size_t)(place - template));
    text_append_string(&url, trace_id);
    text_append_string(&url, place + strlen(parameter));
    text_append_json_string(out, (struct slice){url.data, url.length});
    text_free(&url);
}

static void write_steps(struct text *out, const struct race_detail *detail, const char *transfer_id) {
    bool first = true;
    text_append_string(out, ",\"steps\":[");
    for (size_t i = 0; i < detail->step_count; i++) {
        if (strcmp(detail->steps[i].transfer_id, transfer_id) == 0) {
            text_append_string(out, first ? "{" : ",{");
            json_write_step_keys(out, &detail->steps[i].step);
            text_append_string(out, "}");
            first = false;
        }
    }
    text_append_string(out, "]");
}

static void write_waits(struct text *out, const struct race_detail *detail, const char *transfer_id) {
    bool first = true;
    text_append_string(out, ",\"blocked_by\":[");
    for (size_t i = 0; i < detail->wait_count; i++) {
        const struct lock_wait *wait = &detail->waits[i];
        if (strcmp(wait->waiter, transfer_id) == 0) {
            write_string(out, first ? "{\"step\":" : ",{\"step\":", wait->step);
            write_string(out, ",\"transfer_id\":", wait->holder);
            write_integer(out, ",\"from_us\":", wait->from_us);
            write_integer(out, ",\"to_us\":", wait->to_us);
            text_append_string(out, "}");
            first = false;
        }
    }
    text_append_string(out, "]");
}

static void write_missed(struct text *out, const struct missed_write *missed) {
    write_string(out, "{\"reader\":", missed->reader);
    write_integer(out, ",\"read_at_us\":", missed->read_at_us);
    write_money(out, ",\"value_read\":", missed->value_read);
    write_string(out, ",\"writer\":", missed->writer);
    write_integer(out, ",\"written_at_us\":", missed->written_at_us);
    write_money(out, ",\"value_written\":", missed->value_written);
    write_string(out, ",\"account\":", missed->account);
    write_integer(out, ",\"committed_by_us\":", missed->committed_by_us);
    text_append_string(out, ",\"uncommitted_at_read\":");
    text_append_string(out, missed->uncommitted_at_read ? "true" : "false");
    text_append_string(out, "}");
}

void json_write_race(struct text *out, const struct race_detail *detail, const char *trace_url) {
    text_append_string(out, "{\"race\":");
    write_race(out, &detail->race);
    text_append_string(out, ",\"transfers\":[");
    for (size_t i = 0; i < detail->transfers.count; i++) {
        const struct transfer_record *record = &detail->transfers.records[i];
        text_append_string(out, i == 0 ? "" : ",");
        json_write_record(out, record);
        out->length--; // the brace that closes the record: it goes on
        json_write_trace_url(out, trace_url, record->trace_id);
        write_steps(out, detail, record->id);
        write_waits(out, detail, record->id);
        text_append_string(out, "}");
    }
    text_append_string(out, "],\"missed_writes\":[");
    for (size_t i = 0; i < detail->missed_count; i++) {
        text_append_string(out, i == 0 ? "" : ",");
        write_missed(out, &detail->missed[i]);
    }
    text_append_string(out, "]}");
}
