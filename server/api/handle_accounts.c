// GET /accounts, GET /accounts/{id} and POST /reset. Loop thread, but for the query_* functions, which run on a worker.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/events/events.h"
#include "server/http/http.h"
#include "server/json/json.h"

#include <stdlib.h>

// --- GET /accounts ---

static enum db_status query_accounts(struct db_session *session, const struct read_parameters *parameters,
                                     void *accounts) {
    (void)parameters;
    return bank_read_accounts(session, accounts);
}

static void free_accounts(void *accounts) {
    account_list_free(accounts);
}

static void respond_accounts(struct conn *conn, const struct get_job *job) {
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_add_accounts(&json, "accounts", job->result);
    json_close_object(&json);
    respond_json(conn, &body);
}

void handle_accounts(struct exchange *exchange) {
    static const struct database_get get = {
        .read = {JOB_ACCOUNTS, sizeof(struct account_list), query_accounts, free_accounts},
        .respond = respond_accounts,
    };
    if (parameters_are_absent(exchange)) {
        exchange_read(exchange, &get, 0, NULL);
    }
}

// --- GET /accounts/{id}: a job of its own, because the pool reads many accounts at once ---

static void account_finished(struct job *job) {
    struct accounts_job *accounts = CONTAINER_OF(job, struct accounts_job, job);
    struct conn *conn = conn_to_answer(job);
    if (conn != NULL && accounts->accounts.count == 0) {
        conn_respond_problem(conn, 404, "There is no account \"%s\": GET /accounts lists them", accounts->id);
    } else if (conn != NULL) {
        struct text body = {0};
        struct json_writer json = {.out = &body};
        json_add_account(&json, NULL, &accounts->accounts.accounts[0]);
        respond_json(conn, &body);
    }
    accounts_job_free(accounts);
}

void handle_account(struct exchange *exchange) {
    struct text id = {0};
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (parameters_take_path(exchange, "account id", &id)) {
        if (utf8_character_count(text_slice(&id)) > ACCOUNT_ID_CHARACTERS) {
            conn_respond_problem(exchange->conn, 404, "There is no account with an id longer than %d characters",
                                 ACCOUNT_ID_CHARACTERS);
        } else {
            exchange_submit(exchange, &accounts_job_new(text_terminated(&id))->job, account_finished);
        }
    }
    text_free(&id);
}

// --- POST /reset ---

// The COMMIT was sent, and it is not certain that the reset stands.
static void respond_reset_doubt(struct conn *conn, const struct reset_job *reset) {
    database_watch_report(&api_of(conn)->watch, reset->job.database);
    conn_respond_problem(
        conn, 504, "%s: send POST /reset again",
        reset->doubt == RESET_UNREPLICATED
            ? "The reset is committed on this database server, but its wait for the synchronous standby "
              "was cancelled, so a failover may undo it"
            : "The connection to the database broke while the reset was being committed, so it may or "
              "may not have happened");
}

static void answer_reset(struct reset_job *reset) {
    struct job *job = &reset->job;
    struct conn *conn = reset->doubt == RESET_CERTAIN ? conn_to_answer(job) : conn_of_job(job);
    if (conn != NULL && reset->doubt != RESET_CERTAIN) {
        respond_reset_doubt(conn, reset);
    } else if (conn != NULL) {
        struct text body = {0};
        struct json_writer json = {.out = &body};
        json_open_object(&json, NULL);
        json_add_string(&json, "status", "reset");
        json_add_accounts(&json, "accounts", &reset->accounts);
        json_close_object(&json);
        respond_json(conn, &body);
    }
    reset_job_free(reset);
}

struct reset_release {
    struct replicas_change change;
    struct reset_job *reset;
};

// If the replicas could not be reached, the waiters wait for their timeout; the bank is reset in any case.
static void waiters_released(struct replicas_change *change) {
    struct reset_release *release = CONTAINER_OF(change, struct reset_release, change);
    answer_reset(release->reset);
    free(release);
}

static void reset_finished(struct job *job) {
    struct reset_job *reset = CONTAINER_OF(job, struct reset_job, job);
    if (job->database == DB_OK && !job->ran_in_another) {
        events_reset(reset->events, &reset->accounts);
    }
    if (job->database == DB_OK && reset->replicas != NULL) {
        struct reset_release *release = memory_allocate_zeroed(sizeof *release);
        release->reset = reset;
        release->change = (struct replicas_change){.releases_waiters = true, .answered = waiters_released};
        replicas_change(reset->replicas, &release->change);
    } else {
        answer_reset(reset);
    }
}

void handle_reset(struct exchange *exchange) {
    bool totals = false;
    if (parameters_take_boolean(exchange, "totals", &totals)) {
        struct reset_job *reset = reset_job_new();
        reset->totals = totals;
        reset->events = exchange->api->events;
        reset->replicas = exchange->api->replicas;
        exchange_submit(exchange, &reset->job, reset_finished);
    }
}
