// GET /races and GET /races/{transfer_id}: the races, and one race with its steps. Loop thread, but for the query_*
// functions, which run on a worker.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/json/json.h"

#include <string.h>

static void add_race(struct json_writer *json, const char *name, const struct race *race) {
    json_open_object(json, name);
    json_add_string(json, "id", race->id);
    text_append_string(json_add(json, "transfer_ids"), race->ids);
    json_add_unsigned(json, "transfer_count", race->transfer_count);
    json_add_string(json, "account", race->account);
    json_add_string(json, "at", race->at);
    text_append_string(json_add(json, "strategies"), race->strategies);
    json_add_string(json, "verdict", race->verdict);
    json_add_money(json, "lowest_balance", race->lowest_balance);
    json_add_unsigned(json, "succeeded", race->succeeded);
    json_add_unsigned(json, "refused", race->refused);
    json_close_object(json);
}

// --- GET /races ---

static enum db_status query_races(struct db_session *session, const struct read_parameters *parameters, void *races) {
    return bank_read_races(session, parameters->limit, races);
}

static void free_races(void *races) {
    race_list_free(races);
}

static void respond_races(struct conn *conn, const struct get_job *job) {
    const struct race_list *races = job->result;
    const struct race_totals *totals = &races->totals;
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_open_array(&json, "races");
    for (size_t i = 0; i < races->count; i++) {
        add_race(&json, NULL, &races->races[i]);
    }
    json_close_array(&json);
    json_open_object(&json, "totals");
    json_add_unsigned(&json, "transfers", totals->transfers);
    json_add_unsigned(&json, "races", totals->raced_transfers); // the older name, which clients know
    json_add_unsigned(&json, "raced_transfers", totals->raced_transfers);
    json_add_unsigned(&json, "double_spends", totals->double_spends);
    json_add_unsigned(&json, "lost_updates", totals->lost_updates);
    json_add_sum(&json, "money_drift", totals->money_drift);
    json_add_string_or_null(&json, "since", totals->since);
    json_close_object(&json);
    json_close_object(&json);
    respond_json(conn, &body);
}

void handle_races(struct exchange *exchange) {
    static const struct database_get get = {
        .read = {JOB_RACES, sizeof(struct race_list), query_races, free_races},
        .respond = respond_races,
    };
    unsigned limit = RACES_LIMIT_DEFAULT;
    if (parameters_take_limit(exchange, RACES_LIMIT_MAX, &limit)) {
        exchange_read(exchange, &get, limit, NULL);
    }
}

// --- GET /races/{transfer_id} ---

static enum db_status query_race(struct db_session *session, const struct read_parameters *parameters, void *detail) {
    enum db_status status = bank_read_race(session, parameters->id, detail);
    return status == DB_NOT_REPRESENTABLE ? DB_OK : status; // no transfer has such an id, so none was found
}

static void free_race(void *detail) {
    race_detail_free(detail);
}

static void respond_no_transfer(struct conn *conn, struct slice id) {
    if (!is_transfer_id(id)) {
        conn_respond_problem(conn, 404, NOT_A_TRANSFER_ID "GET /races lists the races");
        return;
    }
    conn_respond_problem(conn, 404,
                         "There is no transfer \"%.*s\" among the newest 1,000 records: GET /races lists the races",
                         (int)id.length, id.data);
}

static void add_steps(struct json_writer *json, const struct race_detail *detail, const char *transfer_id) {
    json_open_array(json, "steps");
    for (size_t i = 0; i < detail->step_count; i++) {
        if (strcmp(detail->steps[i].transfer_id, transfer_id) == 0) {
            json_open_object(json, NULL);
            json_add_step_members(json, &detail->steps[i].step);
            json_close_object(json);
        }
    }
    json_close_array(json);
}

static void add_waits(struct json_writer *json, const struct race_detail *detail, const char *transfer_id) {
    json_open_array(json, "blocked_by");
    for (size_t i = 0; i < detail->wait_count; i++) {
        const struct lock_wait *wait = &detail->waits[i];
        if (strcmp(wait->waiter, transfer_id) == 0) {
            json_open_object(json, NULL);
            json_add_string(json, "step", wait->step);
            json_add_string(json, "transfer_id", wait->holder);
            json_add_signed(json, "from_us", wait->from_us);
            json_add_signed(json, "to_us", wait->to_us);
            json_close_object(json);
        }
    }
    json_close_array(json);
}

static void add_missed_write(struct json_writer *json, const struct missed_write *missed) {
    json_open_object(json, NULL);
    json_add_string(json, "reader", missed->stale_reader);
    json_add_signed(json, "read_at_us", missed->read_at_us);
    json_add_money(json, "value_read", missed->value_read);
    json_add_string(json, "writer", missed->writer);
    json_add_signed(json, "written_at_us", missed->written_at_us);
    json_add_money(json, "value_written", missed->value_written);
    json_add_string(json, "account", missed->account);
    json_add_signed(json, "committed_by_us", missed->committed_by_us);
    json_add_boolean(json, "uncommitted_at_read", missed->uncommitted_at_read);
    json_add_boolean(json, "not_replayed", missed->not_replayed);
    json_close_object(json);
}

static void respond_race(struct conn *conn, const struct get_job *job) {
    const struct race_detail *detail = job->result;
    if (detail->transfers.count == 0) {
        respond_no_transfer(conn, slice_of(job->parameters.id));
        return;
    }
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    add_race(&json, "race", &detail->race);
    json_open_array(&json, "transfers");
    for (size_t i = 0; i < detail->transfers.count; i++) {
        const struct transfer_record *record = &detail->transfers.records[i];
        json_open_object(&json, NULL);
        json_add_record_members(&json, record);
        json_add_trace_url(&json, api_of(conn)->config.tracing.page_url, record->trace_id);
        json_add_signed(&json, "seq", race_detail_seq(detail, i));
        add_steps(&json, detail, record->id);
        add_waits(&json, detail, record->id);
        json_close_object(&json);
    }
    json_close_array(&json);
    json_open_array(&json, "missed_writes");
    for (size_t i = 0; i < detail->missed_count; i++) {
        add_missed_write(&json, &detail->missed[i]);
    }
    json_close_array(&json);
    json_close_object(&json);
    respond_json(conn, &body);
}

void handle_race(struct exchange *exchange) {
    static const struct database_get get = {
        .read = {JOB_RACE, sizeof(struct race_detail), query_race, free_race},
        .respond = respond_race,
    };
    struct text id = {0};
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (parameters_take_path(exchange, "transfer id", &id)) {
        if (!is_transfer_id(text_slice(&id))) {
            respond_no_transfer(exchange->conn, text_slice(&id));
        } else {
            exchange_read(exchange, &get, 0, text_terminated(&id));
        }
    }
    text_free(&id);
}
