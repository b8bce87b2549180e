// Writes the data of events as JSON, a line each. Loop thread.
#include "server/json/json_events.h"

#include "server/http/http.h"
#include "server/json/json_codec.h"
#include "server/json/json_races.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_string(struct text *out, const char *key, const char *value) {
    text_append_string(out, key);
    text_append_json_string(out, slice_of(value));
}

static void write_moment(struct text *out, int64_t at_us) {
    text_append_string(out, ",\"at_us\":");
    text_append_signed(out, at_us);
    text_append_string(out, "}");
}

void json_write_admitted(struct text *out, const struct transfer_request *request) {
    write_string(out, "{\"id\":", request->id);
    write_string(out, ",\"from_account\":", request->from_account);
    write_string(out, ",\"to_account\":", request->to_account);
    text_append_string(out, ",\"amount\":");
    money_append_json(out, request->amount);
    write_string(out, ",\"strategy\":", request->settings.strategy->name);
    write_moment(out, request->received_us);
}

void json_write_step_event(struct text *out, const struct feed_event *event) {
    write_string(out, "{\"id\":", event->id);
    text_append_string(out, ",");
    json_write_step_keys(out, &event->step);
    text_append_string(out, "}");
}

void json_write_barrier_arrival(struct text *out, const struct feed_event *event) {
    write_string(out, "{\"id\":", event->id);
    text_append_format(out, ",\"waiting\":%" PRIu32 ",\"parties\":%" PRIu32, event->waiting, event->parties);
    write_moment(out, event->at_us);
}

void json_write_barrier_release(struct text *out, const struct feed_event *event) {
    write_string(out, "{\"outcome\":", event->outcome);
    text_append_format(out, ",\"parties\":%" PRIu32 ",\"transfer_ids\":[", event->parties);
    for (uint32_t i = 0; i < event->roll.count; i++) {
        write_string(out, i == 0 ? "" : ",", event->roll.names[i]);
    }
    text_append_string(out, "]");
    write_moment(out, event->at_us);
}

static void write_steps(struct text *out, const struct transfer_job *transfer, bool recorded) {
    const struct transfer_request *request = &transfer->request;
    const struct step_list *list = &transfer->result.steps;
    struct told_step step;
    int64_t last_us = request->received_us;
    text_append_string(out, ",\"steps\":[");
    for (size_t i = 0; i < list->count; i++) {
        step_tell(&list->steps[i], request->received_us, request->received_ns, &step);
        last_us = step.at_us;
        text_append_string(out, i == 0 ? "{" : ",{");
        json_write_step_keys(out, &step);
        text_append_string(out, "}");
    }
    if (recorded) {
        bool is_one_commit = strcmp(request->settings.strategy->isolation, STRATEGY_NO_TRANSACTION) != 0;
        step = (struct told_step){
            .name = "commit",
            .at_us = request->received_us + (int64_t)(transfer->result.duration_ns / NANOSECONDS_PER_MICROSECOND),
        };
        step.took_us = step.at_us > last_us ? step.at_us - last_us : 0;
        (void)snprintf(step.outcome, sizeof step.outcome, "%s", is_one_commit ? "committed" : "recorded");
        text_append_string(out, list->count == 0 ? "{" : ",{");
        json_write_step_keys(out, &step);
        text_append_string(out, "}");
    }
    text_append_string(out, "]");
}

void json_write_transfer_event(struct text *out, const struct transfer_job *transfer, int status, struct slice detail,
                               const char *trace_url) {
    struct transfer_result result = transfer->result;
    struct transfer_record record;
    bool recorded = status == 200;
    if (result.thread_id == NULL) {
        result.thread_id = ""; // it has met no worker
    }
    transfer_record_of(&transfer->request, &result, &record);
    if (!recorded) {
        record.status = "error";
    }
    json_write_record(out, &record);
    out->length--; // the brace that closes the record: it goes on
    json_write_trace_url(out, trace_url, record.trace_id);
    write_steps(out, transfer, recorded);
    if (recorded) {
        text_append_string(out, ",\"error\":null}");
        return;
    }
    text_append_format(out, ",\"error\":{\"status\":%d", status);
    write_string(out, ",\"title\":", http_status_reason(status));
    text_append_string(out, ",\"detail\":");
    text_append_json_string(out, detail);
    text_append_string(out, "}}");
}
