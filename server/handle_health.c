// GET /health: what is known, without asking the database. Loop thread.
#include "bank_api.h"
#include "conn.h"
#include "handlers.h"
#include "http_limits.h"

void handle_health(struct exchange *exchange) {
    static const struct slice ok =
        SLICE_INITIALIZER("{\"status\":\"ok\",\"service\":\"bank-api\",\"database\":\"ok\"}");
    static const struct slice degraded =
        SLICE_INITIALIZER("{\"status\":\"degraded\",\"service\":\"bank-api\",\"database\":\"unreachable\"}");
    bool reachable = exchange->api->watch.reachable;
    conn_respond(exchange->conn, &(struct http_response){
                                     .status = reachable ? 200 : 503,
                                     .body = reachable ? ok : degraded,
                                     .retry_after = reachable ? 0 : RETRY_AFTER_SECONDS,
                                 });
}
