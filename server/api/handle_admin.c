// The admin endpoints: they read the settings, change them, and let the gates know. Loop thread.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/replica_settings.h"
#include "server/api/routes.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/limits.h"
#include "workers/strategies/strategies.h"

// Makes all of the change, or none of it and answers why. `respond` answers when it is in force.
static void change_settings(struct exchange *exchange, const struct settings_change *change,
                            void (*respond)(struct conn *conn, const void *what), const void *what) {
    struct bank_api *api = exchange->api;
    struct text problem = {0};
    struct settings next = api->settings;
    if (!settings_apply(&next, change, pool_transfer_slots(api->pool), &problem) ||
        !strategy_can_run(next.strategy, api->config.standby_url != NULL, &problem)) {
        conn_respond_problem(exchange->conn, 422, "%s", text_terminated(&problem));
    } else if (api->replicas != NULL) {
        replica_settings_write(exchange, change, &next, respond, what);
    } else {
        api->settings = next;
        settings_put_in_force(api);
        respond(exchange->conn, what);
    }
    text_free(&problem);
}

// --- GET and POST /admin/settings ---

static void respond_settings(struct conn *conn, const void *nothing) {
    (void)nothing;
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_add_settings(&json, NULL, &api_of(conn)->settings);
    respond_json(conn, &body);
}

void handle_settings(struct exchange *exchange) {
    if (parameters_are_absent(exchange)) {
        respond_settings(exchange->conn, NULL);
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
    } else {
        change_settings(exchange, &change, respond_settings, NULL);
    }
    text_free(&problem);
    text_free(&strategy_name);
}

// --- The shortcuts: each changes a few settings by the parameters of its query, and answers with those settings ---

static bool take_delay(struct query *query, uint32_t slots, struct settings_change *change, struct text *name) {
    (void)slots;
    (void)name;
    change->has_delay_enabled = change->delay_enabled = true;
    query_take_boolean(query, "enabled", &change->delay_enabled);
    change->has_delay_ms = query_take_integer(query, "ms", 0, DELAY_MS_MAX, &change->delay_ms);
    return true;
}

static void add_delay(struct json_writer *json, const struct settings *settings) {
    json_add_boolean(json, "delay_enabled", settings->delay_enabled);
    json_add_unsigned(json, "delay_ms", settings->delay_ms);
}

static bool take_barrier(struct query *query, uint32_t slots, struct settings_change *change, struct text *name) {
    (void)name;
    change->has_barrier_enabled = change->barrier_enabled = change->has_barrier_count = true;
    change->barrier_count = BARRIER_COUNT_DEFAULT;
    query_take_boolean(query, "enabled", &change->barrier_enabled);
    query_take_integer(query, "count", BARRIER_COUNT_MIN, slots, &change->barrier_count);
    return true;
}

static void add_barrier(struct json_writer *json, const struct settings *settings) {
    json_add_boolean(json, "barrier_enabled", settings->barrier_enabled);
    json_add_unsigned(json, "barrier_count", settings->barrier_count);
}

static bool take_transactions(struct query *query, uint32_t slots, struct settings_change *change, struct text *name) {
    (void)slots;
    (void)name;
    change->has_use_transactions = change->use_transactions = true;
    query_take_boolean(query, "enabled", &change->use_transactions);
    return true;
}

static void add_transactions(struct json_writer *json, const struct settings *settings) {
    json_add_boolean(json, "use_transactions", settings_use_transactions(settings));
}

static bool take_strategy(struct query *query, uint32_t slots, struct settings_change *change, struct text *name) {
    (void)slots;
    change->has_strategy = query_take_text(query, "name", name);
    change->strategy = text_slice(name);
    return change->has_strategy;
}

static void add_strategy(struct json_writer *json, const struct settings *settings) {
    json_add_string(json, "strategy", settings->strategy->name);
    json_add_boolean(json, "safe", settings->strategy->safe);
    json_add_boolean(json, "use_transactions", settings_use_transactions(settings));
}

static const struct shortcut {
    const char *path;
    const char *example; // a query that it takes
    // Takes the parameters from the query; `change` may point into `name`. `slots` is the largest count of a barrier.
    // False: the strategy's name is missing.
    bool (*take)(struct query *query, uint32_t slots, struct settings_change *change, struct text *name);
    // Adds the members of the answer.
    void (*add)(struct json_writer *json, const struct settings *settings);
} shortcuts[] = {
    {"/admin/delay", "?enabled=true", take_delay, add_delay},
    {"/admin/barrier", "?enabled=true", take_barrier, add_barrier},
    {"/admin/transactions", "?enabled=true", take_transactions, add_transactions},
    {"/admin/strategy", "?name=for_update", take_strategy, add_strategy},
};

static const struct shortcut *find_shortcut(struct slice path) {
    size_t i = 0;
    while (!slice_equals(path, slice_of(shortcuts[i].path))) {
        i++;
        CHECK(i < sizeof shortcuts / sizeof shortcuts[0]); // the routes name no other path
    }
    return &shortcuts[i];
}

// False: the client has its answer.
static bool shortcut_is_usable(struct exchange *exchange, struct query *query, const char *example) {
    struct slice body = exchange->request->body;
    if (!parameters_are_usable(exchange, query)) {
        return false;
    }
    if (body.length > 0 && !slice_equals(body, SLICE_LITERAL("{}"))) {
        conn_respond_problem(exchange->conn, 422,
                             "Parameters go into the query here, such as %s; POST /admin/settings takes a body",
                             example);
        return false;
    }
    return true;
}

static void respond_name_is_missing(struct conn *conn) {
    struct text names = {0};
    strategy_append_names(&names);
    conn_respond_problem(conn, 422, "Send the strategy's name, such as ?name=for_update; one of %s",
                         text_terminated(&names));
    text_free(&names);
}

static void respond_shortcut(struct conn *conn, const void *what) {
    const struct shortcut *shortcut = what;
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    shortcut->add(&json, &api_of(conn)->settings);
    json_close_object(&json);
    respond_json(conn, &body);
}

void handle_shortcut(struct exchange *exchange) {
    const struct shortcut *shortcut = find_shortcut(exchange->request->path);
    struct settings_change change = {0};
    struct text name = {0};
    struct query query;
    query_parse(&query, exchange->request->query);
    bool complete = shortcut->take(&query, pool_transfer_slots(exchange->api->pool), &change, &name);
    if (!shortcut_is_usable(exchange, &query, shortcut->example)) {
        text_free(&name);
        return;
    }
    if (!complete) {
        respond_name_is_missing(exchange->conn);
    } else {
        change_settings(exchange, &change, respond_shortcut, shortcut);
    }
    text_free(&name);
}
