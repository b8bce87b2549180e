// GET /transactions and GET /transfers/{transfer_id}: the newest records, and one record. Loop thread, but for the
// query_* functions, which run on a worker.
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/json/json.h"

// --- GET /transactions ---

static enum db_status query_records(struct db_session *session, const struct read_parameters *parameters,
                                    void *records) {
    return bank_read_transfers(session, parameters->limit, records);
}

static void free_records(void *records) {
    transfer_record_list_free(records);
}

static void respond_records(struct conn *conn, const struct get_job *job) {
    const struct transfer_record_list *list = job->result;
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_open_array(&json, "transactions");
    for (size_t i = 0; i < list->count; i++) {
        json_add_record(&json, NULL, &list->records[i]);
    }
    json_close_array(&json);
    json_close_object(&json);
    respond_json(conn, &body);
}

void handle_transactions(struct exchange *exchange) {
    static const struct database_get get = {
        .read = {JOB_TRANSACTIONS, sizeof(struct transfer_record_list), query_records, free_records},
        .respond = respond_records,
    };
    unsigned limit = TRANSACTIONS_LIMIT_DEFAULT;
    if (parameters_take_limit(exchange, TRANSACTIONS_LIMIT_MAX, &limit)) {
        exchange_read(exchange, &get, limit, NULL);
    }
}

// --- GET /transfers/{transfer_id} ---

static enum db_status query_record(struct db_session *session, const struct read_parameters *parameters,
                                   void *records) {
    return bank_read_transfer(session, parameters->id, records);
}

// A write without a transaction may stand without its record, so the answer does not say that nothing was transferred.
static void respond_record(struct conn *conn, const struct get_job *job) {
    const struct transfer_record_list *list = job->result;
    if (list->count == 0) {
        conn_respond_problem(conn, 404,
                             "There is no record of transfer \"%s\" since the last reset: GET /transactions lists the "
                             "newest records, and GET /audit finds money that moved without a record",
                             job->parameters.id);
        return;
    }
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_add_record(&json, NULL, &list->records[0]);
    respond_json(conn, &body);
}

void handle_transfer_record(struct exchange *exchange) {
    static const struct database_get get = {
        .read = {JOB_TRANSACTIONS, sizeof(struct transfer_record_list), query_record, free_records},
        .respond = respond_record,
    };
    struct text id = {0};
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (parameters_take_path(exchange, "transfer id", &id)) {
        if (is_transfer_id(text_slice(&id))) {
            exchange_read(exchange, &get, 0, text_terminated(&id));
        } else {
            conn_respond_problem(exchange->conn, 404, NOT_A_TRANSFER_ID "GET /transactions lists the newest records");
        }
    }
    text_free(&id);
}
