// GET /strategies: every way to run a transfer, and which one is selected. Loop thread.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/handlers.h"
#include "server/api/parameters.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/strategies/strategies.h"

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
    respond_json(exchange->conn, &body);
}
