// GET /health: what is known, without asking the database. Loop thread.
#include "server/api/api.h"
#include "server/api/routes.h"
#include "server/http/http.h"

void handle_health(struct exchange *exchange) {
    static const struct slice ok =
        SLICE_INITIALIZER("{\"status\":\"ok\",\"service\":\"bank-api\",\"database\":\"ok\"}\n");
    static const struct slice unavailable =
        SLICE_INITIALIZER("{\"status\":\"degraded\",\"service\":\"bank-api\",\"database\":\"unavailable\"}\n");
    static const struct slice unreachable =
        SLICE_INITIALIZER("{\"status\":\"degraded\",\"service\":\"bank-api\",\"database\":\"unreachable\"}\n");
    enum database_state state = exchange->api->watch.state;
    const struct replicas *replicas = exchange->api->replicas;
    if (state == DATABASE_READY && replicas != NULL && !replicas_have_settings(replicas)) {
        state = DATABASE_UNAVAILABLE; // transfers are refused until then
    }
    bool ready = state == DATABASE_READY;
    conn_respond(exchange->conn, &(struct http_response){
                                     .status = ready ? 200 : 503,
                                     .body = ready                           ? ok
                                             : state == DATABASE_UNAVAILABLE ? unavailable
                                                                             : unreachable,
                                     .retry_after = ready ? 0 : RETRY_AFTER_SECONDS,
                                 });
}
