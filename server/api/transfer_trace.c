// Holds the request's side of a trace while the transfer runs, and writes its SERVER span at the end.
// Attributes: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (stable).
#include "server/api/transfer_trace.h"

#include "observability/base/base.h"
#include "observability/otlp/otlp.h"
#include "observability/trace/trace.h"
#include "server/api/api.h"
#include "server/http/http.h"
#include "workers/transfer/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER_AGENT_KEPT 128 // bytes
#define HOST_KEPT 64

struct transfer_trace {
    struct trace_item item; // in the exporter's queue
    struct otlp_exporter *exporter;
    struct transfer_job *transfer;
    bool has_parent;
    uint8_t parent_span_id[SPAN_ID_BYTES];
    uint64_t started_ns; // monotonic, as the next
    uint64_t ended_ns;
    int status; // 0: no answer was delivered
    uint8_t http_minor;
    char client_address[CLIENT_ADDRESS_LENGTH];
    char server_address[HOST_KEPT];
    char user_agent[USER_AGENT_KEPT];
    struct text trace_state; // the caller's, or empty
};

// As much as fits, cut between characters.
static void keep(char *out, size_t size, struct slice value) {
    size_t length = 0;
    while (length < value.length) {
        size_t step = utf8_character_length((struct slice){value.data + length, value.length - length});
        if (step == 0 || length + step >= size) {
            break;
        }
        length += step;
    }
    memcpy(out, value.data == NULL ? "" : value.data, length);
    out[length] = '\0';
}

void transfer_trace_begin(const struct exchange *exchange, struct transfer_job *transfer) {
    const struct bank_api *api = exchange->api;
    const struct http_request *request = exchange->request;
    struct trace_context caller;
    struct slice traceparent = request->headers[HTTP_HEADER_TRACEPARENT];
    bool has_parent = api->config.tracing.reads_traceparent && traceparent.data != NULL &&
                      trace_context_parse(traceparent, &caller);
    struct trace_context *trace = &transfer->request.trace;
    if (has_parent) {
        trace_context_child(&caller, trace);
    } else {
        trace_context_start(trace, false);
    }
    transfer->request.traced = api->exporter != NULL;
    if (api->exporter != NULL) {
        trace->sampled = trace_sampler_keeps(&api->config.tracing.sampler, has_parent ? &caller : NULL,
                                             trace->trace_id);
        struct transfer_trace *kept = memory_allocate_zeroed(sizeof *kept);
        kept->exporter = api->exporter;
        kept->has_parent = has_parent;
        if (has_parent) {
            memcpy(kept->parent_span_id, caller.span_id, SPAN_ID_BYTES);
            trace_state_append(&kept->trace_state, request->headers[HTTP_HEADER_TRACESTATE]);
        }
        kept->started_ns = request->started_ns;
        kept->http_minor = request->minor_version;
        conn_client_address(exchange->conn, kept->client_address);
        keep(kept->server_address, sizeof kept->server_address, request->server.host);
        keep(kept->user_agent, sizeof kept->user_agent, request->headers[HTTP_HEADER_USER_AGENT]);
        transfer->trace = kept;
    }
    trace_context_child(trace, &transfer->request.span);
}

static void write_if_known(struct otlp_writer *writer, const char *key, const char *value) {
    if (value[0] != '\0') {
        otlp_attribute_string(writer, key, slice_of(value));
    }
}

static void write_server_span(const struct transfer_trace *trace, struct otlp_writer *writer) {
    const struct transfer_request *request = &trace->transfer->request;
    otlp_span_begin(writer, &(struct span){
                                .context = &request->trace,
                                .parent_span_id = trace->has_parent ? trace->parent_span_id : NULL,
                                .name = SLICE_LITERAL("POST /transfer"),
                                .kind = SPAN_KIND_SERVER,
                                .started_unix_ns = transfer_unix_ns(request, trace->started_ns),
                                .ended_unix_ns = transfer_unix_ns(request, trace->ended_ns),
                            });
    otlp_attribute_string(writer, "http.request.method", SLICE_LITERAL("POST"));
    otlp_attribute_string(writer, "url.scheme", SLICE_LITERAL("http"));
    otlp_attribute_string(writer, "url.path", SLICE_LITERAL("/transfer"));
    otlp_attribute_string(writer, "http.route", SLICE_LITERAL("/transfer"));
    otlp_attribute_string(writer, "network.protocol.version", slice_of(trace->http_minor == 0 ? "1.0" : "1.1"));
    write_if_known(writer, "server.address", trace->server_address);
    write_if_known(writer, "client.address", trace->client_address);
    write_if_known(writer, "user_agent.original", trace->user_agent);
    if (trace->status != 0) {
        otlp_attribute_integer(writer, "http.response.status_code", trace->status);
    }
    bool failed = trace->status >= 500 || trace->status == 0;
    if (trace->status == 0) {
        otlp_attribute_string(writer, "error.type", SLICE_LITERAL("answer_not_delivered"));
    } else if (failed) {
        char code[16];
        (void)snprintf(code, sizeof code, "%d", trace->status);
        otlp_attribute_string(writer, "error.type", slice_of(code));
    }
    otlp_span_end(writer, failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
}

static struct traced_transfer traced_of(const struct transfer_job *transfer) {
    return (struct traced_transfer){&transfer->request, &transfer->result, &transfer->job.statements};
}

// Exporter's thread, as the next.
static void trace_write(struct trace_item *item, struct otlp_writer *writer) {
    const struct transfer_trace *trace = CONTAINER_OF(item, struct transfer_trace, item);
    writer->trace_state = (struct slice){trace->trace_state.data, trace->trace_state.length};
    write_server_span(trace, writer);
    struct traced_transfer traced = traced_of(trace->transfer);
    transfer_spans_write(&traced, writer);
    writer->trace_state = (struct slice){NULL, 0};
}

static void trace_free(struct transfer_trace *trace) {
    text_free(&trace->trace_state);
    free(trace);
}

static void trace_release(struct trace_item *item) {
    struct transfer_trace *trace = CONTAINER_OF(item, struct transfer_trace, item);
    transfer_job_free(trace->transfer);
    trace_free(trace);
}

bool transfer_trace_end(struct transfer_job *transfer, int status) {
    struct transfer_trace *trace = transfer->trace;
    if (trace == NULL) {
        return false;
    }
    if (!transfer_is_kept(&transfer->request, &transfer->result)) {
        transfer->trace = NULL;
        trace_free(trace);
        return false;
    }
    struct traced_transfer traced = traced_of(transfer);
    trace->transfer = transfer;
    trace->status = status;
    trace->ended_ns = clock_monotonic_ns();
    trace->item = (struct trace_item){
        .write = trace_write,
        .release = trace_release,
        .span_count = 1 + transfer_spans_count(&traced),
    };
    otlp_exporter_offer(trace->exporter, &trace->item);
    return true;
}
