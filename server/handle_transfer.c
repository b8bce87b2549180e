// POST /transfer: from the body to a job, and from the job's outcome to the answer. Loop thread.
#include "bank_api.h"
#include "bank_limits.h"
#include "clock.h"
#include "conn.h"
#include "content_type.h"
#include "handlers.h"
#include "json_codec.h"
#include "parameters.h"

static void respond_record(struct conn *conn, const struct transfer_job *transfer) {
    struct transfer_record record;
    struct text body = {0};
    char traceparent[TRACEPARENT_LENGTH];
    transfer_record_of(&transfer->request, &transfer->result, &record);
    json_write_record(&body, &record);
    trace_context_traceparent(&transfer->request.trace, traceparent);
    conn_respond(conn, &(struct http_response){
                           .status = 200,
                           .body = {body.data, body.length},
                           .traceparent = traceparent,
                       });
    text_free(&body);
}

static void respond_outcome(struct conn *conn, const struct transfer_job *transfer) {
    const struct transfer_request *request = &transfer->request;
    switch (transfer->result.outcome) {
    case TRANSFER_SUCCESS:
    case TRANSFER_INSUFFICIENT_FUNDS: respond_record(conn, transfer); return;
    case TRANSFER_UNKNOWN_FROM_ACCOUNT:
        conn_respond_problem(conn, 404, "There is no account \"%s\" to take from: GET /accounts lists them",
                             request->from_account);
        return;
    case TRANSFER_UNKNOWN_TO_ACCOUNT:
        conn_respond_problem(conn, 404, "There is no account \"%s\" to give to: GET /accounts lists them",
                             request->to_account);
        return;
    case TRANSFER_BALANCE_OUT_OF_RANGE:
        conn_respond_problem(conn, 422, "The balance of \"%s\" cannot hold that much more: send a smaller amount",
                             request->to_account);
        return;
    case TRANSFER_DATABASE_AWAY:
        conn_respond_problem(conn, 503, "The database is away; nothing was transferred: try again in a moment");
        return;
    case TRANSFER_OUTCOME_UNKNOWN:
        conn_respond_problem(conn, 504,
                             "The database went away while transfer %s was being written, so it may or may not have "
                             "happened: look for it in GET /transactions before trying again",
                             request->id);
        return;
    case TRANSFER_LOCK_TIMED_OUT:
        conn_respond_problem(conn, 504,
                             "Transfer %s waited too long for a lock; nothing was transferred: lower the delay, or "
                             "send fewer at once",
                             request->id);
        return;
    case TRANSFER_CONFLICT:
        conn_respond_problem(conn, 503, "Transfer %s lost against others %d times; nothing was transferred: try again",
                             request->id, TRANSFER_ATTEMPTS_MAX);
        return;
    case TRANSFER_CANCELLED:
        conn_respond_problem(conn, 503, "The server is stopping; nothing was transferred: try again in a moment");
        return;
    case TRANSFER_FAILED:
        conn_respond_problem(conn, 500, "The database refused transfer %s; nothing was transferred: the server's log "
                                        "has its words",
                             request->id);
        return;
    case TRANSFER_GOES_ON: break;
    }
    CHECK(false);
}

static void transfer_finished(struct job *job) {
    struct transfer_job *transfer = CONTAINER_OF(job, struct transfer_job, job);
    struct conn *conn = conn_of_job(job);
    if (conn != NULL) {
        respond_outcome(conn, transfer);
    }
    transfer_job_free(transfer);
}

// Who this transfer is, and what it was admitted with.
static void begin_transfer(const struct exchange *exchange, struct transfer_request *request) {
    transfer_new_id(request->id);
    request->settings = exchange->api->settings;
    request->received_us = clock_realtime_us();
    request->received_ns = clock_monotonic_ns();
    struct trace_context caller;
    struct slice traceparent = exchange->request->headers[HTTP_HEADER_TRACEPARENT];
    if (traceparent.data != NULL && trace_context_parse(traceparent, &caller)) {
        trace_context_child(&caller, &request->trace);
    } else {
        trace_context_start(&request->trace, true);
    }
}

static void refuse_admission(struct conn *conn, enum pool_admission admission) {
    if (admission == POOL_QUEUE_FULL) {
        conn_respond_problem(conn, 503, "Too many transfers are waiting; nothing was transferred: try again in a moment");
    } else {
        conn_respond_problem(conn, 503, "The server is stopping; nothing was transferred: try again in a moment");
    }
}

void handle_transfer(struct exchange *exchange) {
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (!content_type_is_json(exchange->request)) {
        conn_respond_problem(exchange->conn, 415, "Send the transfer with Content-Type: application/json");
        return;
    }
    struct transfer_job *transfer = transfer_job_new();
    struct text problem = {0};
    int status = json_read_transfer(exchange->request->body, &transfer->request, &problem);
    if (status != 200) {
        conn_respond_problem(exchange->conn, status, "%s", text_terminated(&problem));
        transfer_job_free(transfer);
        text_free(&problem);
        return;
    }
    begin_transfer(exchange, &transfer->request);
    transfer->job.finished = transfer_finished;
    conn_expect(exchange->conn, &transfer->job);
    enum pool_admission admission = pool_submit_transfer(exchange->api->pool, transfer);
    if (admission != POOL_ADMITTED) {
        refuse_admission(conn_of_job(&transfer->job), admission);
        transfer_job_free(transfer);
    }
}
