// Writes the spans of a transfer from what its job has recorded. The exporter's thread.
// The attributes are the lab's own (transfer.*, race_condition.*, barrier.*) and the stable conventions for PostgreSQL
// clients (https://opentelemetry.io/docs/specs/semconv/database/postgresql/).
#include "workers/transfer/transfer_spans.h"

#include "workers/money/money.h"
#include "workers/transfer/strategy.h"
#include "workers/transfer/transfer_record.h"

#include <string.h>

uint64_t transfer_unix_ns(const struct transfer_request *request, uint64_t monotonic_ns) {
    int64_t since_arrival_ns = (int64_t)(monotonic_ns - request->received_ns);
    return (uint64_t)(request->received_us * (int64_t)NANOSECONDS_PER_MICROSECOND + since_arrival_ns);
}

static bool step_is_a_wait(const struct step *step) {
    return step->kind == STEP_BARRIER || step->kind == STEP_DELAY;
}

unsigned transfer_spans_count(const struct traced_transfer *transfer) {
    unsigned count = 1 + (unsigned)transfer->statements->count;
    const struct step_list *list = &transfer->result->steps;
    for (size_t i = 0; i < list->count; i++) {
        count += step_is_a_wait(&list->steps[i]);
    }
    return count;
}

static void write_money(struct otlp_writer *writer, const char *key, int64_t cents) {
    char text[MONEY_TEXT_LENGTH];
    money_format(cents, text);
    otlp_attribute_decimal(writer, key, text);
}

static void write_text(struct otlp_writer *writer, const char *key, const char *value) {
    otlp_attribute_string(writer, key, slice_of(value));
}

static void write_balances(const struct transfer_result *result, struct otlp_writer *writer) {
    write_money(writer, "transfer.from_balance_before", result->from_balance_before);
    write_money(writer, "transfer.from_balance_after", result->from_balance_after);
    write_money(writer, "transfer.to_balance_after", result->to_balance_after);
    if (result->race_detected) {
        otlp_attribute_boolean(writer, "race_condition.detected", true);
        otlp_attribute_boolean(writer, "race_condition.negative_balance", result->double_spend);
    }
}

static void write_transfer(const struct traced_transfer *transfer, struct otlp_writer *writer) {
    const struct transfer_request *request = transfer->request;
    const struct transfer_result *result = transfer->result;
    const char *status = transfer_outcome_metric(result->outcome);
    bool failed = strcmp(status, "error") == 0;
    otlp_span_begin(writer, &(struct span){
                                .context = &request->span,
                                .parent_span_id = request->trace.span_id,
                                .name = SLICE_LITERAL("transfer"),
                                .kind = SPAN_KIND_INTERNAL,
                                .started_unix_ns = transfer_unix_ns(request, request->received_ns),
                                .ended_unix_ns = transfer_unix_ns(request, request->received_ns + result->duration_ns),
                            });
    write_text(writer, "transfer.id", request->id);
    write_text(writer, "transfer.from_account", request->from_account);
    write_text(writer, "transfer.to_account", request->to_account);
    write_money(writer, "transfer.amount", request->amount);
    if (transfer_is_recorded(result->outcome)) {
        write_balances(result, writer);
    }
    if (result->thread_id != NULL) {
        write_text(writer, "transfer.thread_id", result->thread_id);
    }
    otlp_attribute_boolean(writer, "transfer.using_locks", request->settings.strategy->uses_locks);
    write_text(writer, "transfer.strategy", request->settings.strategy->name);
    write_text(writer, "transfer.status",
               transfer_is_recorded(result->outcome) ? transfer_outcome_status(result->outcome) : status);
    if (result->replay != NULL) {
        write_text(writer, "transfer.replayed_id", result->replay->record.id);
    }
    for (uint32_t i = 0; i < result->barrier.peer_count; i++) {
        otlp_link(writer, &result->barrier.peers[i]);
    }
    otlp_span_end(writer, failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
}

static void write_statement(const struct traced_transfer *transfer, const struct statement_run *run,
                            struct otlp_writer *writer) {
    const struct statement_text *text = &statement_texts[run->statement];
    bool has_table = strcmp(text->table, "none") != 0;
    struct text name = {0};
    text_append_string(&name, text->operation);
    if (has_table) {
        text_append_string(&name, " ");
        text_append_string(&name, text->table);
    }
    struct trace_context context;
    trace_context_child(&transfer->request->span, &context);
    otlp_span_begin(writer, &(struct span){
                                .context = &context,
                                .parent_span_id = transfer->request->span.span_id,
                                .name = text_slice(&name),
                                .kind = SPAN_KIND_CLIENT,
                                .started_unix_ns = transfer_unix_ns(transfer->request, run->started_ns),
                                .ended_unix_ns = transfer_unix_ns(transfer->request, run->ended_ns),
                            });
    text_free(&name);
    write_text(writer, "db.system.name", "postgresql");
    if (transfer->statements->database[0] != '\0') {
        write_text(writer, "db.namespace", transfer->statements->database);
    }
    if (has_table) {
        write_text(writer, "db.collection.name", text->table);
    }
    write_text(writer, "db.operation.name", text->operation);
    write_text(writer, "db.query.text", text->sql);
    bool failed = run->sqlstate[0] != '\0';
    if (failed) {
        write_text(writer, "db.response.status_code", run->sqlstate);
        write_text(writer, "error.type", run->sqlstate);
    }
    otlp_span_end(writer, failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
}

static void write_wait(const struct traced_transfer *transfer, const struct step *step, struct otlp_writer *writer) {
    bool is_barrier = step->kind == STEP_BARRIER;
    struct trace_context context;
    trace_context_child(&transfer->request->span, &context);
    otlp_span_begin(writer, &(struct span){
                                .context = &context,
                                .parent_span_id = transfer->request->span.span_id,
                                .name = slice_of(is_barrier ? "barrier.wait" : "debug.delay"),
                                .kind = SPAN_KIND_INTERNAL,
                                .started_unix_ns = transfer_unix_ns(transfer->request, step->started_ns),
                                .ended_unix_ns = transfer_unix_ns(transfer->request, step->ended_ns),
                            });
    if (is_barrier) {
        otlp_attribute_integer(writer, "barrier.parties", step->parties);
        write_text(writer, "barrier.outcome", step->outcome);
    } else {
        otlp_attribute_integer(writer, "delay.ms", transfer->request->settings.delay_ms);
        write_text(writer, "delay.outcome", step->outcome);
    }
    otlp_span_end(writer, SPAN_STATUS_UNSET);
}

void transfer_spans_write(const struct traced_transfer *transfer, struct otlp_writer *writer) {
    write_transfer(transfer, writer);
    for (size_t i = 0; i < transfer->statements->count; i++) {
        write_statement(transfer, &transfer->statements->runs[i], writer);
    }
    const struct step_list *list = &transfer->result->steps;
    for (size_t i = 0; i < list->count; i++) {
        if (step_is_a_wait(&list->steps[i])) {
            write_wait(transfer, &list->steps[i], writer);
        }
    }
}
