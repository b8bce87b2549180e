// POST /transfer: from the body to a job, and from the job's outcome to the answer. Loop thread.
#include "observability/base/base.h"
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/idempotency_key.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/api/transfer_trace.h"
#include "server/events/events.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/limits.h"
#include "workers/strategies/strategies.h"
#include "workers/transfer/transfer.h"

// False: the client had left.
static bool respond_record(struct conn *conn, const struct transfer_job *transfer) {
    struct transfer_record record;
    struct text body = {0};
    char traceparent[TRACEPARENT_LENGTH];
    const struct transfer_replay *replay = transfer->result.replay;
    if (replay != NULL) {
        record = replay->record;
    } else {
        transfer_record_of(&transfer->request, &transfer->result, &record);
    }
    struct json_writer json = {.out = &body};
    json_add_record(&json, NULL, &record);
    text_append_string(&body, "\n");
    trace_context_traceparent(&transfer->request.trace, traceparent);
    bool taken = conn_respond(conn, &(struct http_response){
                                        .status = 200,
                                        .body = text_slice(&body),
                                        .traceparent = traceparent,
                                        .is_replay = replay != NULL,
                                    });
    text_free(&body);
    return taken;
}

// Says which parts of a transfer with an unknown outcome are certain, and which are not.
static void describe_doubt(const struct transfer_job *transfer, struct text *detail) {
    const struct transfer_request *request = &transfer->request;
    const struct transfer_replay *replay = transfer->result.replay;
    const char *id = replay == NULL ? request->id : replay->record.id;
    const char *broke = "The connection to the database broke while transfer";
    switch (transfer->result.doubt) {
    case DOUBT_WHOLE:
        text_append_format(detail,
                           "%s %s was being written, so it may or may not have happened: ask GET /transfers/%s "
                           "before you send it again",
                           broke, id, id);
        return;
    case DOUBT_DEDUCT:
        text_append_format(detail,
                           "%s %s was taking the money from \"%s\", so that may or may not have happened; \"%s\" has "
                           "not received it. Without a transaction nothing undoes a part: look at the balances before "
                           "you send it again, and use safe mode",
                           broke, id, request->from_account, request->to_account);
        return;
    case DOUBT_CREDIT:
        text_append_format(detail,
                           "%s %s was giving the money to \"%s\", so that may or may not have happened; it was taken "
                           "from \"%s\". Without a transaction nothing undoes a part: look at the balances before you "
                           "send it again, and use safe mode",
                           broke, id, request->to_account, request->from_account);
        return;
    case DOUBT_RECORD:
        text_append_format(
            detail,
            "%s %s was being recorded. Both balances have changed, but GET /transactions may lack it: do "
            "not send it again",
            broke, id);
        return;
    case DOUBT_REFUSAL:
        text_append_format(detail,
                           "\"%s\" does not cover the amount, so nothing was transferred. %s %s was being recorded, so "
                           "GET /transactions may lack the refusal",
                           request->from_account, broke, id);
        return;
    case DOUBT_REPLICATION:
        text_append_format(detail,
                           "Transfer %s is committed on this database server, but its wait for the synchronous standby "
                           "was cancelled, so a failover may lose it: ask GET /transfers/%s before you send it again",
                           id, id);
        return;
    case DOUBT_BALANCES:
        text_append_format(detail,
                           "Transfer %s is committed, but the database answered balances that are no amounts of money: "
                           "look at the balances, and do not send it again",
                           id);
        return;
    case DOUBT_NONE: break;
    }
    CHECK(false);
}

// Says which writes of a transfer that failed without a transaction are committed.
static void describe_standing(const struct transfer_job *transfer, struct text *detail) {
    const struct transfer_request *request = &transfer->request;
    if (transfer->result.standing == STANDING_BOTH_BALANCES) {
        text_append_format(
            detail,
            "Transfer %s was left partially applied: the money was moved from \"%s\" to \"%s\", and then its "
            "record failed, so GET /transactions lacks it. Do not send it again. Without a "
            "transaction nothing undoes a part: use safe mode",
            request->id, request->from_account, request->to_account);
        return;
    }
    text_append_format(
        detail,
        "Transfer %s was left partially applied: the money was taken from \"%s\" and has not reached \"%s\", "
        "because the next statement failed. Without a transaction nothing undoes a part: use safe "
        "mode",
        request->id, request->from_account, request->to_account);
}

// Which balance would leave its range. A step without an account is the write that failed; a safe strategy that writes
// both balances in one statement has checked that the first one covers the amount.
static void describe_range(const struct transfer_job *transfer, struct text *detail) {
    const struct transfer_request *request = &transfer->request;
    const struct step_list *steps = &transfer->result.steps;
    const struct step *last = steps->count > 0 ? &steps->steps[steps->count - 1] : NULL;
    bool failed = last != NULL && last->account == NULL;
    if (failed && last->kind == STEP_DEDUCT) {
        text_append_format(detail, "The balance of \"%s\" is too low to take that much from it: send a smaller amount",
                           request->from_account);
    } else if ((failed && last->kind == STEP_CREDIT) || request->settings.strategy->safe) {
        text_append_format(detail, "The balance of \"%s\" cannot hold that much more: send a smaller amount",
                           request->to_account);
    } else {
        text_append_format(detail, "The balance of \"%s\" or of \"%s\" would be out of range: send a smaller amount",
                           request->from_account, request->to_account);
    }
}

// Why the key of the request decided, and not the transfer.
static void describe_key(const struct transfer_job *transfer, struct text *detail) {
    switch (transfer->result.outcome) {
    case TRANSFER_REPLAYED:
        text_append_format(detail, "The Idempotency-Key has transfer %s already: its answer was sent again",
                           transfer->result.replay->record.id);
        return;
    case TRANSFER_KEY_REUSED:
        text_append_string(detail, "This Idempotency-Key belongs to a transfer with another body: send a new key with "
                                   "a new transfer, and the same body with the same key");
        return;
    default:
        text_append_string(detail, "Another request with this Idempotency-Key has not ended: send the same request "
                                   "again in a moment, and it gets that one's answer");
    }
}

// Returns the HTTP status of an outcome. No other function decides it. `detail` stays empty if the transfer has a
// record of its own.
static int status_of(const struct transfer_job *transfer, struct text *detail) {
    const struct transfer_request *request = &transfer->request;
    switch (transfer->result.outcome) {
    case TRANSFER_SUCCESS:
    case TRANSFER_INSUFFICIENT_FUNDS: return 200;
    case TRANSFER_UNKNOWN_FROM_ACCOUNT:
        text_append_format(detail, "There is no account \"%s\" to take from: GET /accounts lists them",
                           request->from_account);
        return 404;
    case TRANSFER_UNKNOWN_TO_ACCOUNT:
        text_append_format(detail, "There is no account \"%s\" to give to: GET /accounts lists them",
                           request->to_account);
        return 404;
    case TRANSFER_BALANCE_OUT_OF_RANGE: describe_range(transfer, detail); return 422;
    case TRANSFER_DATABASE_UNAVAILABLE:
        text_append_string(detail, "The database is unavailable; nothing was transferred: try again in a moment");
        return 503;
    case TRANSFER_STANDBY_UNAVAILABLE:
        text_append_format(detail, "%s; nothing was transferred", transfer->result.standby_problem);
        return 503;
    case TRANSFER_OUTCOME_UNKNOWN: describe_doubt(transfer, detail); return 504;
    case TRANSFER_PARTIALLY_APPLIED: describe_standing(transfer, detail); return 500;
    case TRANSFER_LOCK_TIMED_OUT:
        text_append_format(detail,
                           "Transfer %s waited too long for a lock, or was cancelled; nothing was transferred: lower "
                           "the delay, or send fewer at once",
                           request->id);
        return 504;
    case TRANSFER_CONFLICT:
        text_append_format(
            detail, "Transfer %s conflicted with other transactions %d times; nothing was transferred: try again",
            request->id, TRANSFER_ATTEMPTS_MAX);
        return 503;
    case TRANSFER_QUEUE_FULL:
        text_append_string(detail, "Too many transfers are waiting; nothing was transferred: try again after the "
                                   "seconds of Retry-After");
        return 503;
    case TRANSFER_CANCELLED:
        text_append_string(detail, "The server is stopping; nothing was transferred: try again in a moment");
        return 503;
    case TRANSFER_FAILED:
        text_append_format(
            detail,
            "The database refused transfer %s; nothing was transferred: the message of the database is in the "
            "server's log",
            request->id);
        return 500;
    case TRANSFER_REPLAYED: describe_key(transfer, detail); return 200;
    case TRANSFER_KEY_REUSED: describe_key(transfer, detail); return 422;
    case TRANSFER_KEY_IN_FLIGHT: describe_key(transfer, detail); return 409;
    case TRANSFER_CONTINUE: break;
    }
    CHECK(false);
}

// With a key a client need not find out whether the transfer happened.
static void advise_repeat(const struct transfer_job *transfer, int status, struct text *detail) {
    if (transfer->request.key != NULL && (status == 503 || status == 504)) {
        text_append_string(detail, ". The request may be sent again with the same Idempotency-Key: it is posted once");
    }
}

// Returns false if the client is known to have left without the answer.
static bool respond_transfer(struct transfer_job *transfer, int status, struct slice detail) {
    struct conn *conn = conn_of_job(&transfer->job);
    if (conn == NULL) {
        return false;
    }
    database_watch_report(&api_of(conn)->watch, transfer->job.database);
    return status == 200
               ? respond_record(conn, transfer)
               : conn_respond_problem_of(conn, status, detail, &transfer->request.trace, transfer->retry_after_s);
}

// Answers the client, publishes the event, ends the trace, and frees the job unless the exporter has it now.
static void transfer_end_and_free(struct transfer_job *transfer) {
    struct text detail = {0};
    int status = status_of(transfer, &detail);
    advise_repeat(transfer, status, &detail);
    bool delivered = respond_transfer(transfer, status, text_slice(&detail));
    events_transfer_ended(transfer, status, text_slice(&detail));
    text_free(&detail);
    if (!transfer_trace_end(transfer, delivered ? status : 0)) {
        transfer_job_free(transfer);
    }
}

static void transfer_finished(struct job *job) {
    transfer_end_and_free(CONTAINER_OF(job, struct transfer_job, job));
}

// Gives the transfer its id, its trace, the time and the current settings.
static void begin_transfer(const struct exchange *exchange, struct transfer_job *transfer) {
    struct transfer_request *request = &transfer->request;
    transfer_new_id(request->id);
    const struct strategy *named = request->settings.strategy;
    request->settings = exchange->api->settings;
    if (named != NULL) {
        request->settings.strategy = named;
    }
    request->key_check_then_write = exchange->api->config.idempotency_check_then_write;
    request->key_ttl_s = exchange->api->config.idempotency_ttl_s;
    request->received_us = clock_realtime_us();
    request->received_ns = clock_monotonic_ns();
    transfer_trace_begin(exchange, transfer);
    transfer->job.finished = transfer_finished;
    exchange_expect(exchange, &transfer->job);
    events_admit(exchange->api->events, transfer);
}

// The settings may name a strategy that this server cannot run.
static int check_strategy(const struct bank_api *api, const struct transfer_request *request, struct text *problem) {
    const struct strategy *named = request->settings.strategy;
    const struct strategy *strategy = named != NULL ? named : api->settings.strategy;
    return strategy_can_run(strategy, api->config.standby_url != NULL, problem) ? 200 : 422;
}

// Reads the key and the body. Returns 200, or the status of the answer that `problem` explains.
static int read_transfer(const struct http_request *http, struct transfer_request *out, struct text *problem) {
    struct slice key = http->headers[HTTP_HEADER_IDEMPOTENCY_KEY];
    if (key.data != NULL && !idempotency_key_read(key, &out->key, problem)) {
        return 400;
    }
    return json_read_transfer(http->body, out, problem);
}

void handle_transfer(struct exchange *exchange) {
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (!content_type_is_json(exchange->request)) {
        conn_respond_problem(exchange->conn, 415, "Send the transfer with Content-Type: application/json");
        return;
    }
    if (exchange->api->replicas != NULL && !replicas_have_settings(exchange->api->replicas)) {
        conn_respond_problem(exchange->conn, 503,
                             "The settings that the replicas share have not been read yet: try again in a second");
        return;
    }
    struct transfer_job *transfer = transfer_job_new();
    struct text problem = {0};
    int status = read_transfer(exchange->request, &transfer->request, &problem);
    if (status == 200) {
        status = check_strategy(exchange->api, &transfer->request, &problem);
    }
    if (status != 200) {
        conn_respond_problem(exchange->conn, status, "%s", text_terminated(&problem));
        transfer_job_free(transfer);
        text_free(&problem);
        return;
    }
    begin_transfer(exchange, transfer);
    switch (pool_submit_transfer(exchange->api->pool, transfer)) {
    case POOL_ADMITTED: return;
    case POOL_QUEUE_FULL: transfer->result.outcome = TRANSFER_QUEUE_FULL; break;
    case POOL_CLOSED: transfer->result.outcome = TRANSFER_CANCELLED; break;
    }
    transfer_end_and_free(transfer);
}
