// GET /races and GET /races/{transfer_id}: what raced, and the story of one race, from the database. Loop thread.
#include "server/api/api.h"
#include "server/api/database_problem.h"
#include "server/api/exchange.h"
#include "server/api/handlers.h"
#include "server/api/parameters.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/jobs/jobs.h"

#include <inttypes.h>

static void races_finished(struct job *job) {
    struct races_job *races = CONTAINER_OF(job, struct races_job, job);
    struct conn *conn = conn_to_answer(job);
    if (conn != NULL) {
        struct text body = {0};
        json_write_races(&body, &races->races);
        respond_json(conn, &body);
    }
    races_job_free(races);
}

void handle_races(struct exchange *exchange) {
    int64_t limit = RACES_LIMIT_DEFAULT;
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_integer(&query, "limit", &limit);
    if (!parameters_are_usable(exchange, &query)) {
        return;
    }
    if (limit < 1 || limit > RACES_LIMIT_MAX) {
        conn_respond_problem(exchange->conn, 422, "limit must be a whole number from 1 to %d", RACES_LIMIT_MAX);
        return;
    }
    exchange_submit(exchange, &races_job_new((unsigned)limit)->job, races_finished);
}

static void respond_no_transfer(struct conn *conn, struct slice id) {
    conn_respond_problem(conn, 404,
                         "There is no transfer \"%.*s\" among the newest 1,000 records: GET /races lists what raced",
                         (int)id.length, id.data);
}

static void race_finished(struct job *job) {
    struct race_job *race = CONTAINER_OF(job, struct race_job, job);
    struct conn *conn = conn_of_job(job);
    if (conn != NULL && job->database != DB_OK) {
        respond_database_problem(conn, job->database);
    } else if (conn != NULL && race->detail.transfers.count == 0) {
        respond_no_transfer(conn, slice_of(race->transfer_id));
    } else if (conn != NULL) {
        struct text body = {0};
        json_write_race(&body, &race->detail, api_of(conn)->config.tracing.page_url);
        respond_json(conn, &body);
    }
    race_job_free(race);
}

void handle_race(struct exchange *exchange) {
    if (!parameters_are_absent(exchange)) {
        return;
    }
    struct text id = {0};
    if (!percent_decode(exchange->parameter, false, &id) || !slice_is_utf8((struct slice){id.data, id.length})) {
        conn_respond_problem(exchange->conn, 400, "The transfer id in the path is not percent-encoded UTF-8");
    } else if (id.length != TRANSFER_ID_LENGTH) {
        respond_no_transfer(exchange->conn, (struct slice){id.data, id.length});
    } else {
        exchange_submit(exchange, &race_job_new(text_terminated(&id))->job, race_finished);
    }
    text_free(&id);
}
