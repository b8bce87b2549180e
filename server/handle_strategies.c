// GET /strategies: every way to run a transfer, and which one is selected. Loop thread.
#include "bank_api.h"
#include "conn.h"
#include "handlers.h"
#include "json_codec.h"
#include "parameters.h"
#include "strategy.h"

void handle_strategies(struct exchange *exchange) {
    if (!parameters_are_absent(exchange)) {
        return;
    }
    struct text body = {0};
    text_append_string(&body, "{\"strategies\":[");
    for (size_t i = 0; strategies[i] != NULL; i++) {
        text_append_string(&body, i == 0 ? "" : ",");
        json_write_strategy(&body, strategies[i], strategies[i] == exchange->api->settings.strategy);
    }
    text_append_string(&body, "]}");
    conn_respond(exchange->conn, &(struct http_response){.status = 200, .body = {body.data, body.length}});
    text_free(&body);
}
