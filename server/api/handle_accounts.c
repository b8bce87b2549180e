// GET /accounts, GET /accounts/{id}, GET /transactions, POST /reset: a job reads or resets, the loop answers.
#include "server/api/api.h"
#include "server/api/database_problem.h"
#include "server/api/exchange.h"
#include "server/api/handlers.h"
#include "server/api/parameters.h"
#include "server/events/events.h"
#include "server/http/http.h"
#include "server/json/json.h"

static void accounts_finished(struct job *job) {
    struct accounts_job *accounts = CONTAINER_OF(job, struct accounts_job, job);
    struct conn *conn = conn_to_answer(job);
    if (conn != NULL) {
        struct text body = {0};
        text_append_string(&body, "{\"accounts\":");
        json_write_accounts(&body, &accounts->accounts);
        text_append_string(&body, "}");
        respond_json(conn, &body);
    }
    accounts_job_free(accounts);
}

void handle_accounts(struct exchange *exchange) {
    if (parameters_are_absent(exchange)) {
        exchange_submit(exchange, &accounts_job_new(NULL)->job, accounts_finished);
    }
}

static void respond_no_account(struct conn *conn, const char *id) {
    conn_respond_problem(conn, 404, "There is no account \"%s\": GET /accounts lists them", id);
}

static void account_finished(struct job *job) {
    struct accounts_job *accounts = CONTAINER_OF(job, struct accounts_job, job);
    struct conn *conn = conn_to_answer(job);
    if (conn != NULL && accounts->accounts.count == 0) {
        respond_no_account(conn, accounts->id);
    } else if (conn != NULL) {
        struct text body = {0};
        json_write_account(&body, &accounts->accounts.accounts[0]);
        respond_json(conn, &body);
    }
    accounts_job_free(accounts);
}

void handle_account(struct exchange *exchange) {
    if (!parameters_are_absent(exchange)) {
        return;
    }
    struct text id = {0};
    bool good = percent_decode(exchange->parameter, false, &id) && slice_is_utf8((struct slice){id.data, id.length});
    if (!good) {
        conn_respond_problem(exchange->conn, 400, "The account id in the path is not percent-encoded UTF-8");
    } else if (id.length > ACCOUNT_ID_MAX) {
        conn_respond_problem(exchange->conn, 404, "There is no account with an id longer than %d bytes",
                             ACCOUNT_ID_MAX);
    } else {
        struct accounts_job *read = accounts_job_new(text_terminated(&id));
        exchange_submit(exchange, &read->job, account_finished);
    }
    text_free(&id);
}

static void transactions_finished(struct job *job) {
    struct transactions_job *transactions = CONTAINER_OF(job, struct transactions_job, job);
    struct conn *conn = conn_to_answer(job);
    if (conn != NULL) {
        struct text body = {0};
        text_append_string(&body, "{\"transactions\":[");
        for (size_t i = 0; i < transactions->records.count; i++) {
            text_append_string(&body, i == 0 ? "" : ",");
            json_write_record(&body, &transactions->records.records[i]);
        }
        text_append_string(&body, "]}");
        respond_json(conn, &body);
    }
    transactions_job_free(transactions);
}

void handle_transactions(struct exchange *exchange) {
    int64_t limit = TRANSACTIONS_LIMIT_DEFAULT;
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_integer(&query, "limit", &limit);
    if (!parameters_are_usable(exchange, &query)) {
        return;
    }
    if (limit < 1 || limit > TRANSACTIONS_LIMIT_MAX) {
        conn_respond_problem(exchange->conn, 422, "limit must be a whole number from 1 to %d", TRANSACTIONS_LIMIT_MAX);
        return;
    }
    exchange_submit(exchange, &transactions_job_new((unsigned)limit)->job, transactions_finished);
}

// The COMMIT was sent, and it is not certain that the reset stands.
static void respond_reset_doubt(struct conn *conn, const struct accounts_job *reset) {
    database_watch_heard(&api_of(conn)->watch, reset->job.database);
    conn_respond_problem(
        conn, 504, "%s: send POST /reset again",
        reset->doubt == RESET_UNREPLICATED
            ? "The reset is committed on this database server, but its wait for the synchronous standby "
              "was cancelled, so a failover may undo it"
            : "The connection to the database broke while the reset was being committed, so it may or "
              "may not have happened");
}

static void reset_finished(struct job *job) {
    struct accounts_job *reset = CONTAINER_OF(job, struct accounts_job, job);
    if (job->database == DB_OK && !job->ran_in_another) {
        events_reset(reset->events, &reset->accounts);
    }
    struct conn *conn = reset->doubt == RESET_CERTAIN ? conn_to_answer(job) : conn_of_job(job);
    if (conn != NULL && reset->doubt != RESET_CERTAIN) {
        respond_reset_doubt(conn, reset);
    } else if (conn != NULL) {
        struct text body = {0};
        text_append_string(&body, "{\"status\":\"reset\",\"accounts\":");
        json_write_accounts(&body, &reset->accounts);
        text_append_string(&body, "}");
        respond_json(conn, &body);
    }
    accounts_job_free(reset);
}

void handle_reset(struct exchange *exchange) {
    if (parameters_are_absent(exchange)) {
        struct accounts_job *reset = reset_job_new();
        reset->events = exchange->api->events;
        exchange_submit(exchange, &reset->job, reset_finished);
    }
}
