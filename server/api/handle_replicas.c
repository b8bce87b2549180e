// GET /replicas: the programs that share the settings and the barrier. Loop thread, but for query_replicas, which runs
// on a worker.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/json/json.h"

#include <string.h>

static enum db_status query_replicas(struct db_session *session, const struct read_parameters *parameters,
                                     void *replicas) {
    (void)parameters;
    return replicas_read(session, replicas);
}

static void free_replicas(void *replicas) {
    replica_list_free(replicas);
}

static void add_replica(struct json_writer *json, const struct replica *replica, const char *own_name) {
    json_open_object(json, NULL);
    json_add_string_or_null(json, "name", replica->name);
    json_add_string(json, "url", replica->url);
    json_add_string(json, "started_at", replica->started_at);
    json_add_string(json, "seen_at", replica->seen_at);
    json_add_boolean(json, "is_self", own_name == replica->name || strcmp(own_name, replica->name) == 0);
    json_add_unsigned(json, "settings_version", replica->settings_version);
    json_add_boolean(json, "present", replica->present);
    json_close_object(json);
}

static void respond_list(struct conn *conn, const struct replica_list *list, const char *own_name) {
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_open_array(&json, "replicas");
    for (size_t i = 0; i < list->count; i++) {
        add_replica(&json, &list->replicas[i], own_name);
    }
    json_close_array(&json);
    json_add_unsigned(&json, "settings_version", list->settings_version);
    json_close_object(&json);
    respond_json(conn, &body);
}

static void respond_replicas(struct conn *conn, const struct get_job *job) {
    respond_list(conn, job->result, api_of(conn)->config.replica);
}

// The program is alone: the one entry has no name, and the database is not asked.
static void respond_alone(struct exchange *exchange) {
    char started[CLOCK_TIMESTAMP_LENGTH];
    char now[CLOCK_TIMESTAMP_LENGTH];
    clock_format_timestamp(exchange->api->started_us, started);
    clock_format_timestamp(clock_realtime_us(), now);
    struct replica self = {
        .url = exchange->api->url,
        .started_at = started,
        .seen_at = now,
        .settings_version = exchange->api->settings.gate_version,
        .present = true,
    };
    struct replica_list list = {.count = 1, .replicas = &self, .settings_version = self.settings_version};
    respond_list(exchange->conn, &list, NULL);
}

void handle_replicas(struct exchange *exchange) {
    static const struct database_get get = {
        .read = {JOB_AUDIT, sizeof(struct replica_list), query_replicas, free_replicas},
        .respond = respond_replicas,
    };
    if (!parameters_are_absent(exchange)) {
        return;
    }
    if (exchange->api->replicas == NULL) {
        respond_alone(exchange);
    } else {
        exchange_read(exchange, &get, 0, NULL);
    }
}
