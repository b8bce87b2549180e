// GET /audit: whether all money adds up, and if not, which transfers are to blame. Loop thread, but for query_audit,
// which runs on a worker.
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/json/json.h"

static enum db_status query_audit(struct db_session *session, const struct read_parameters *parameters, void *audit) {
    (void)parameters;
    return bank_read_audit(session, audit);
}

static void free_audit(void *audit) {
    audit_free(audit);
}

static void add_violation(struct json_writer *json, const struct audit_violation *violation) {
    json_open_object(json, NULL);
    json_add_string(json, "kind", violation->kind);
    if (violation->account[0] != '\0') {
        json_add_string(json, "account", violation->account);
    }
    json_add_string(json, "detail", violation->detail);
    json_add_sum(json, "amount", violation->amount);
    text_append_string(json_add(json, "transfers"), violation->transfers);
    json_close_object(json);
}

static void respond_audit(struct conn *conn, const struct get_job *job) {
    const struct audit *audit = job->result;
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_add_boolean(&json, "consistent", audit->violations_total == 0);
    json_open_object(&json, "money");
    json_add_sum(&json, "expected", audit->money_expected);
    json_add_sum(&json, "actual", audit->money_actual);
    json_add_sum(&json, "drift", audit->money_drift);
    json_close_object(&json);
    json_add_unsigned(&json, "accounts", audit->accounts);
    json_add_unsigned(&json, "transfers", audit->transfers);
    json_open_array(&json, "violations");
    for (size_t i = 0; i < audit->violation_count; i++) {
        add_violation(&json, &audit->violations[i]);
    }
    json_close_array(&json);
    json_add_unsigned(&json, "violations_total", audit->violations_total);
    json_close_object(&json);
    respond_json(conn, &body);
}

void handle_audit(struct exchange *exchange) {
    static const struct database_get get = {
        .read = {JOB_AUDIT, sizeof(struct audit), query_audit, free_audit},
        .respond = respond_audit,
    };
    if (parameters_are_absent(exchange)) {
        exchange_read(exchange, &get, 0, NULL);
    }
}
