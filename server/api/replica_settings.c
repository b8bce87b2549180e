// Writes a change of the settings for all replicas, and puts shared settings in force. Loop thread.
//   POST > replica_settings_write > the link > PostgreSQL > replica_settings_changed > answered > respond
#include "server/api/replica_settings.h"

#include "observability/log/log.h"
#include "server/api/api.h"
#include "server/events/events.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/limits.h"
#include "workers/strategies/strategies.h"

#include <stdlib.h>

struct settings_write {
    struct replicas_change change;
    struct job job; // for its owner: the pool does not have it
    void (*respond)(struct conn *conn, const void *what);
    const void *what;
};

static void log_settings(const struct settings *settings) {
    struct text text = {0};
    struct json_writer json = {.out = &text};
    json_add_settings(&json, NULL, settings);
    log_event(LOG_LEVEL_INFO, "settings_changed", NULL, "Settings are now %s", text_terminated(&text));
    text_free(&text);
}

void settings_put_in_force(struct bank_api *api) {
    gate_change_settings(pool_gate(api->pool), api->settings.gate_version);
    events_settings_changed(api->events, &api->settings);
    log_settings(&api->settings);
}

// --- Settings as JSON: all, or those that change ---

static void append_changed(struct text *out, const struct settings_change *change, const struct settings *next) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    if (change->has_delay_enabled) {
        json_add_boolean(&json, "delay_enabled", next->delay_enabled);
    }
    if (change->has_delay_ms) {
        json_add_unsigned(&json, "delay_ms", next->delay_ms);
    }
    if (change->has_barrier_enabled) {
        json_add_boolean(&json, "barrier_enabled", next->barrier_enabled);
    }
    if (change->has_barrier_count) {
        json_add_unsigned(&json, "barrier_count", next->barrier_count);
    }
    if (change->has_barrier_timeout_ms) {
        json_add_unsigned(&json, "barrier_timeout_ms", next->barrier_timeout_ms);
    }
    if (change->has_strategy || change->has_use_transactions) {
        json_add_string(&json, "strategy", next->strategy->name);
    }
    json_close_object(&json);
}

void replica_settings_append(struct text *out, const struct settings *settings) {
    static const struct settings_change all = {
        .has_delay_enabled = true,
        .has_delay_ms = true,
        .has_barrier_enabled = true,
        .has_barrier_count = true,
        .has_barrier_timeout_ms = true,
        .has_strategy = true,
    };
    append_changed(out, &all, settings);
}

// --- Settings that come from the database ---

// Another replica may have more workers, so its barrier may be larger than this one could hold alone.
void replica_settings_changed(void *owner, const struct shared_settings *shared) {
    struct bank_api *api = owner;
    struct settings_change change = {0};
    struct text strategy = {0};
    struct text problem = {0};
    struct settings next = api->settings;
    if (json_read_settings(slice_of(shared->json), &change, &strategy, &problem) == 200 &&
        settings_apply(&next, &change, TRANSFER_SLOTS(WORKER_THREADS_MAX), &problem)) {
        next.gate_version = shared->gates;
        api->settings = next;
        settings_put_in_force(api);
    } else { // another version of the program wrote them, or a person
        log_write(LOG_LEVEL_ERROR, NULL, "The settings of the replicas cannot be used here, so the old ones stay: %s",
                  text_terminated(&problem));
    }
    text_free(&strategy);
    text_free(&problem);
}

// --- A change ---

static void respond_result(struct conn *conn, const struct settings_write *write) {
    switch (write->change.result) {
    case REPLICAS_CHANGED: write->respond(conn, write->what); return;
    case REPLICAS_UNREACHABLE:
        conn_respond_problem(conn, 503,
                             "The settings are shared by all replicas, and the database that keeps them cannot be "
                             "reached now; nothing was changed: try again in a second");
        return;
    case REPLICAS_UNKNOWN:
        conn_respond_problem(conn, 504,
                             "The connection to the database broke while the settings were being changed, so they may "
                             "or may not have changed: GET /admin/settings shows them");
        return;
    }
    UNREACHABLE("result of a change of the replicas");
}

static void answered(struct replicas_change *change) {
    struct settings_write *write = CONTAINER_OF(change, struct settings_write, change);
    struct conn *conn = conn_of_job(&write->job);
    if (conn != NULL) {
        respond_result(conn, write);
    }
    text_free(&change->json);
    free(write);
}

void replica_settings_write(const struct exchange *exchange, const struct settings_change *change,
                            const struct settings *next, void (*respond)(struct conn *conn, const void *what),
                            const void *what) {
    struct settings_write *write = memory_allocate_zeroed(sizeof *write);
    append_changed(&write->change.json, change, next);
    write->change.answered = answered;
    write->respond = respond;
    write->what = what;
    exchange_expect(exchange, &write->job);
    replicas_change(exchange->api->replicas, &write->change);
}
