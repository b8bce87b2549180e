// Writes the data of events as JSON, one line each. Loop thread.
#include "server/json/json_events.h"

#include "server/http/http.h"
#include "server/json/json_write.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <string.h>

void json_write_admitted(struct text *out, const struct transfer_request *request) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "id", request->id);
    json_add_string(&json, "from_account", request->from_account);
    json_add_string(&json, "to_account", request->to_account);
    json_add_money(&json, "amount", request->amount);
    json_add_string(&json, "strategy", request->settings.strategy->name);
    json_add_signed(&json, "at_us", request->received_us);
    json_add_replica(&json, replica_name());
    json_close_object(&json);
}

void json_write_step_event(struct text *out, const struct queued_event *event) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "id", event->id);
    json_add_step_members(&json, &event->step);
    json_add_replica(&json, replica_name());
    json_close_object(&json);
}

void json_write_barrier_arrival(struct text *out, const struct queued_event *event) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "id", event->id);
    json_add_unsigned(&json, "waiting", event->waiting);
    json_add_unsigned(&json, "parties", event->parties);
    json_add_signed(&json, "at_us", event->at_us);
    json_add_replica(&json, replica_name());
    json_close_object(&json);
}

void json_write_barrier_release(struct text *out, const struct queued_event *event) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "outcome", event->outcome);
    json_add_unsigned(&json, "parties", event->parties);
    json_open_array(&json, "transfer_ids");
    for (uint32_t i = 0; i < event->released.count; i++) {
        json_add_string(&json, NULL, event->released.names[i]);
    }
    json_close_array(&json);
    json_add_signed(&json, "at_us", event->at_us);
    json_add_replica(&json, replica_name());
    json_close_object(&json);
}

static void add_step(struct json_writer *json, const struct step_view *step) {
    json_open_object(json, NULL);
    json_add_step_members(json, step);
    json_close_object(json);
}

// The end of the transfer as a step. `last_us` is when the step before it ended.
static void add_commit(struct json_writer *json, const struct transfer_job *transfer, int64_t last_us) {
    const struct transfer_request *request = &transfer->request;
    bool is_one_commit = strcmp(request->settings.strategy->isolation, STRATEGY_NO_TRANSACTION) != 0;
    struct step_view step = {
        .name = "commit",
        .account = "",
        .outcome = is_one_commit ? "committed" : "recorded",
        .at_us = request->received_us + (int64_t)(transfer->result.duration_ns / NANOSECONDS_PER_MICROSECOND),
    };
    step.took_us = step.at_us > last_us ? step.at_us - last_us : 0;
    add_step(json, &step);
}

static void add_steps(struct json_writer *json, const struct transfer_job *transfer, bool recorded) {
    const struct transfer_request *request = &transfer->request;
    const struct step_list *list = &transfer->result.steps;
    int64_t last_us = request->received_us;
    json_open_array(json, "steps");
    for (size_t i = 0; i < list->count; i++) {
        struct step_view step;
        step_view_fill(&list->steps[i], request->received_us, request->received_ns, &step);
        last_us = step.at_us;
        add_step(json, &step);
    }
    if (recorded) {
        add_commit(json, transfer, last_us);
    }
    json_close_array(json);
}

static void add_error(struct json_writer *json, int status, struct slice detail) {
    json_open_object(json, "error");
    json_add_signed(json, "status", status);
    json_add_string(json, "title", http_status_reason(status));
    json_add_slice(json, "detail", detail);
    json_close_object(json);
}

void json_write_transfer_event(struct text *out, const struct transfer_job *transfer, int status, struct slice detail,
                               const char *trace_url) {
    struct transfer_result result = transfer->result;
    struct transfer_record record;
    bool recorded = transfer_is_recorded(result.outcome);
    if (result.thread_id == NULL) {
        result.thread_id = ""; // no worker has run the transfer
    }
    transfer_record_of(&transfer->request, &result, &record);
    if (!recorded) {
        record.status = "error";
    }
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_record_members(&json, &record);
    json_add_trace_url(&json, trace_url, record.trace_id);
    add_steps(&json, transfer, recorded);
    if (recorded) {
        json_add_null(&json, "error");
    } else {
        add_error(&json, status, detail);
    }
    json_close_object(&json);
}
