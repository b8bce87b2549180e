// The admin endpoints: read the settings, change them, and tell the gates. Loop thread.
#include "observability/log/log.h"
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/handlers.h"
#include "server/api/parameters.h"
#include "server/events/events.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/limits.h"
#include "workers/strategies/strategies.h"

#include <inttypes.h>

static void respond_text(struct conn *conn, struct text *body) {
    conn_respond(conn, &(struct http_response){.status = 200, .body = {body->data, body->length}});
    text_free(body);
}

// All of the change, or none and an answer that says why.
static bool change_settings(struct exchange *exchange, const struct settings_change *change) {
    struct bank_api *api = exchange->api;
    struct text problem = {0};
    bool changed = settings_apply(&api->settings, change, pool_transfer_slots(api->pool), &problem);
    if (changed) {
        gate_change_settings(pool_gate(api->pool), api->settings.gate_version);
        events_settings_changed(api->events, &api->settings);
        struct text now = {0};
        json_write_settings(&now, &api->settings);
        log_write(LOG_LEVEL_INFO, NULL, "Settings are now %s", text_terminated(&now));
        text_free(&now);
    } else {
        conn_respond_problem(exchange->conn, 422, "%s", text_terminated(&problem));
    }
    text_free(&problem);
    return changed;
}

static void respond_settings(struct exchange *exchange) {
    struct text body = {0};
    json_write_settings(&body, &exchange->api->settings);
    respond_text(exchange->conn, &body);
}

void handle_settings(struct exchange *exchange) {
    if (parameters_are_absent(exchange)) {
        respond_settings(exchange);
    }
}

void handle_settings_change(struct exchange *exchange) {
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (!content_type_is_json(exchange->request)) {
        conn_respond_problem(exchange->conn, 415, "Send the settings with Content-Type: application/json");
        return;
    }
    struct settings_change change = {0};
    struct text strategy_name = {0};
    struct text problem = {0};
    int status = json_read_settings(exchange->request->body, &change, &strategy_name, &problem);
    if (status != 200) {
        conn_respond_problem(exchange->conn, status, "%s", text_terminated(&problem));
    } else if (change_settings(exchange, &change)) {
        respond_settings(exchange);
    }
    text_free(&problem);
    text_free(&strategy_name);
}

// The query of a shortcut endpoint, and nothing but the query; `such_as` is what it could be. False: it was answered.
static bool shortcut_is_usable(struct exchange *exchange, struct query *query, const char *such_as) {
    struct slice body = exchange->request->body;
    if (!parameters_are_usable(exchange, query)) {
        return false;
    }
    if (body.length > 0 && !slice_equals(body, slice_of("{}"))) {
        conn_respond_problem(exchange->conn, 422,
                             "Parameters go into the query here, such as %s; POST /admin/settings takes a body",
                             such_as);
        return false;
    }
    return true;
}

void handle_delay_change(struct exchange *exchange) {
    struct settings_change change = {
        .has_delay_enabled = true, .delay_enabled = true, .has_delay_ms = true, .delay_ms = DELAY_MS_DEFAULT};
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_boolean(&query, "enabled", &change.delay_enabled);
    query_take_integer(&query, "ms", &change.delay_ms);
    if (!shortcut_is_usable(exchange, &query, "?enabled=true") || !change_settings(exchange, &change)) {
        return;
    }
    struct text body = {0};
    text_append_format(&body, "{\"delay_enabled\":%s,\"delay_ms\":%" PRIu32 "}",
                       exchange->api->settings.delay_enabled ? "true" : "false", exchange->api->settings.delay_ms);
    respond_text(exchange->conn, &body);
}

void handle_barrier_change(struct exchange *exchange) {
    struct settings_change change = {.has_barrier_enabled = true,
                                     .barrier_enabled = true,
                                     .has_barrier_count = true,
                                     .barrier_count = BARRIER_COUNT_DEFAULT};
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_boolean(&query, "enabled", &change.barrier_enabled);
    query_take_integer(&query, "count", &change.barrier_count);
    if (!shortcut_is_usable(exchange, &query, "?enabled=true") || !change_settings(exchange, &change)) {
        return;
    }
    struct text body = {0};
    text_append_format(&body, "{\"barrier_enabled\":%s,\"barrier_count\":%" PRIu32 "}",
                       exchange->api->settings.barrier_enabled ? "true" : "false",
                       exchange->api->settings.barrier_count);
    respond_text(exchange->conn, &body);
}

void handle_transactions_change(struct exchange *exchange) {
    struct settings_change change = {.has_use_transactions = true, .use_transactions = true};
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_boolean(&query, "enabled", &change.use_transactions);
    if (!shortcut_is_usable(exchange, &query, "?enabled=true") || !change_settings(exchange, &change)) {
        return;
    }
    struct text body = {0};
    text_append_format(&body, "{\"use_transactions\":%s}",
                       settings_use_transactions(&exchange->api->settings) ? "true" : "false");
    respond_text(exchange->conn, &body);
}

void handle_strategy_change(struct exchange *exchange) {
    struct query query;
    struct text name = {0};
    query_parse(&query, exchange->request->query);
    bool named = query_take_text(&query, "name", &name);
    if (shortcut_is_usable(exchange, &query, "?name=for_update")) {
        struct settings_change change = {.has_strategy = true, .strategy = {name.data, name.length}};
        if (!named) {
            struct text names = {0};
            strategy_append_names(&names);
            conn_respond_problem(exchange->conn, 422, "Send the strategy's name, such as ?name=for_update; one of %s",
                                 text_terminated(&names));
            text_free(&names);
        } else if (change_settings(exchange, &change)) {
            const struct strategy *strategy = exchange->api->settings.strategy;
            struct text body = {0};
            text_append_format(&body, "{\"strategy\":\"%s\",\"safe\":%s,\"use_transactions\":%s}", strategy->name,
                               strategy->safe ? "true" : "false",
                               settings_use_transactions(&exchange->api->settings) ? "true" : "false");
            respond_text(exchange->conn, &body);
        }
    }
    text_free(&name);
}
