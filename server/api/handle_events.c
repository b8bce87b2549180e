// GET /events: the connection becomes a stream of events, until one of us leaves. Loop thread.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/events/events.h"
#include "server/http/http.h"

void handle_events(struct exchange *exchange) {
    struct bank_api *api = exchange->api;
    struct conn *conn = exchange->conn;
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (conn->context->is_stopping) {
        conn_respond_problem(conn, 503, "The server is stopping: try again in a moment");
    } else if (events_are_full(api->events)) {
        conn_respond_problem(conn, 503, "%d subscribers are connected already: close a page that shows the lab",
                             EVENT_SUBSCRIBERS_MAX);
    } else if (exchange->request->method == HTTP_METHOD_HEAD) {
        conn_respond(conn,
                     &(struct http_response){.status = 200, .content_type = "text/event-stream", .streams = true});
    } else {
        struct slice last_id = exchange->request->headers[HTTP_HEADER_LAST_EVENT_ID];
        events_subscribe(api->events, conn, last_id, &api->settings);
    }
}
