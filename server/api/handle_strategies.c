// GET /strategies: every way to run a transfer, and which one is selected. Loop thread.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "workers/strategies/strategies.h"

#include <string.h>

// The statement as it runs, on one line.
static void add_sql(struct json_writer *json, const char *sql) {
    struct text line = {0};
    for (const char *c = sql; *c != '\0'; c++) {
        bool space = *c == ' ' || *c == '\n';
        if (!space) {
            text_append(&line, c, 1);
        } else if (line.length > 0 && line.data[line.length - 1] != ' ' && c[1] != '\0') {
            text_append_string(&line, " ");
        }
    }
    json_add_slice(json, NULL, text_slice(&line));
    text_free(&line);
}

static void add_words(struct json_writer *json, const char *key, const char *words) {
    json_open_array(json, key);
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        json_add_slice(json, NULL, (struct slice){words, length});
        words += length + strspn(words + length, " ");
    }
    json_close_array(json);
}

static void add_sketch(struct json_writer *json, const struct sketch_line *sketch) {
    json_open_array(json, "sketch");
    for (; sketch->sql != NULL; sketch++) {
        json_open_object(json, NULL);
        json_add_string(json, "line", sketch->sql);
        add_words(json, "steps", sketch->steps);
        add_words(json, "pauses", sketch->pauses);
        json_close_object(json);
    }
    json_close_array(json);
}

static void add_strategy(struct json_writer *json, const struct strategy *strategy, const struct bank_api *api) {
    json_open_object(json, NULL);
    json_add_string(json, "name", strategy->name);
    json_add_string(json, "idea", strategy->idea);
    json_add_boolean(json, "safe", strategy->safe);
    json_add_boolean(json, "uses_locks", strategy->uses_locks);
    json_add_string(json, "isolation", strategy->isolation);
    add_sketch(json, strategy->sketch);
    json_open_array(json, "sql");
    for (size_t i = 0; strategy->statements[i] != STATEMENT_COUNT; i++) {
        add_sql(json, statement_texts[strategy->statements[i]].sql);
    }
    json_close_array(json);
    json_add_string(json, "watch_for", strategy->watch_for);
    json_add_string(json, "choose_when", strategy->choose_when);
    json_add_boolean(json, "selected", strategy == api->settings.strategy);
    json_add_boolean(json, "needs_standby", strategy->needs_standby);
    json_add_boolean(json, "available", !strategy->needs_standby || api->config.standby_url != NULL);
    json_close_object(json);
}

void handle_strategies(struct exchange *exchange) {
    if (!parameters_are_absent(exchange)) {
        return;
    }
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_open_array(&json, "strategies");
    for (size_t i = 0; strategies[i] != NULL; i++) {
        add_strategy(&json, strategies[i], exchange->api);
    }
    json_close_array(&json);
    json_close_object(&json);
    respond_json(exchange->conn, &body);
}
