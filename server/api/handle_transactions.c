// GET /transactions: the newest records. Loop thread, but for query_records, which runs on a worker.
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/json/json.h"

static enum db_status query_records(struct db_session *session, const struct read_parameters *parameters,
                                    void *records) {
    return bank_read_transfers(session, parameters->limit, records);
}

static void free_records(void *records) {
    transfer_record_list_free(records);
}

static void respond_records(struct conn *conn, const struct read_job *job) {
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
