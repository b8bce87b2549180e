// Reads the configuration from the environment and checks it. Main thread, before the loop runs.
#include "server/config/config.h"

#include "server/config/config_variable.h"
#include "server/http/http.h"
#include "workers/database/database.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char replica_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

static bool read_log(struct config *config, struct text *problem) {
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    static const char *const formats[] = {"text", "json", NULL};
    int level = LOG_LEVEL_INFO;
    int format = LOG_FORMAT_TEXT;
    if (!variable_choice("LOG_LEVEL", levels, &level, "debug, info, warn or error", problem) ||
        !variable_choice("LOG_FORMAT", formats, &format, "text or json", problem)) {
        return false;
    }
    config->log_level = (enum log_level)level;
    config->log_format = (enum log_format)format;
    return true;
}

static bool read_settings(struct config *config, struct text *problem) {
    struct settings_change change = {0};
    uint32_t slots = TRANSFER_SLOTS(config->worker_threads);
    bool good = variable_boolean("DEBUG_DELAY_ENABLED", &change.delay_enabled, &change.has_delay_enabled, problem) &&
                variable_integer("DEBUG_DELAY_MS", 0, DELAY_MS_MAX, &change.delay_ms, &change.has_delay_ms, problem) &&
                variable_boolean("BARRIER_ENABLED", &change.barrier_enabled, &change.has_barrier_enabled, problem) &&
                variable_integer("BARRIER_COUNT", BARRIER_COUNT_MIN, slots, &change.barrier_count,
                                 &change.has_barrier_count, problem) &&
                variable_integer("BARRIER_TIMEOUT_MS", BARRIER_TIMEOUT_MS_MIN, BARRIER_TIMEOUT_MS_MAX,
                                 &change.barrier_timeout_ms, &change.has_barrier_timeout_ms, problem) &&
                variable_boolean("USE_TRANSACTIONS", &change.use_transactions, &change.has_use_transactions, problem);
    settings_defaults(&config->settings);
    return good && settings_apply(&config->settings, &change, slots, problem);
}

static bool read_guard(struct config *config, struct text *problem) {
    config->guard = (struct guard){
        .bind_host = config->host,
        .allowed_hosts = variable("BANK_API_ALLOWED_HOSTS"),
        .public_origins = variable("BANK_API_PUBLIC_ORIGINS"),
        .admin_token = variable("ADMIN_TOKEN"),
    };
    if (!guard_hosts_are_names(config->guard.allowed_hosts)) {
        return variable_refuse(problem, "BANK_API_ALLOWED_HOSTS", config->guard.allowed_hosts,
                               "names separated by commas, without http:// and without a port");
    }
    return guard_origins_are_valid(config->guard.public_origins) ||
           variable_refuse(problem, "BANK_API_PUBLIC_ORIGINS", config->guard.public_origins,
                           "origins such as https://bank.example or http://bank.example:8080, separated by commas, "
                           "without a path or a slash at the end");
}

// True if the name needs no quotes in SQL, is not reserved by PostgreSQL, and is short enough not to be cut.
static bool schema_is_name(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return name[length] == '\0' && length <= DATABASE_NAME_MAX && !(name[0] >= '0' && name[0] <= '9') &&
           strncmp(name, "pg_", 3) != 0 && strcmp(name, "information_schema") != 0;
}

static bool read_idempotency(struct config *config, struct text *problem) {
    bool given;
    return variable_number("IDEMPOTENCY_TTL_S", IDEMPOTENCY_TTL_S_MIN, IDEMPOTENCY_TTL_S_MAX,
                           &config->idempotency_ttl_s, problem) &&
           variable_boolean("IDEMPOTENCY_CHECK_THEN_WRITE", &config->idempotency_check_then_write, &given, problem);
}

static bool read_database(struct config *config, struct text *problem) {
    config->database_url = variable("DATABASE_URL");
    config->schema = variable("BANK_API_SCHEMA");
    if (config->schema != NULL && !schema_is_name(config->schema)) {
        return variable_refuse(problem, "BANK_API_SCHEMA", config->schema,
                               "a schema's name of a-z, 0-9 and _, at most 63, not beginning with a digit or pg_");
    }
    config->standby_url = variable("BANK_API_STANDBY_URL");
    return db_url_check(config->database_url, problem) &&
           (config->standby_url == NULL || db_standby_url_check(config->standby_url, problem));
}

// The machine's name as the name of a replica: in lower case, with a hyphen for every other character.
static void take_host_name(char out[static REPLICA_NAME_MAX + 1]) {
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof host - 1);
    size_t length = 0;
    for (const char *at = host; *at != '\0' && length < REPLICA_NAME_MAX; at++) {
        char letter = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        out[length++] = strchr(replica_letters, letter) == NULL ? '-' : letter;
    }
    out[length] = '\0';
}

static bool read_replica(struct config *config, struct text *problem) {
    const char *name = variable("BANK_API_REPLICA");
    if (name == NULL) {
        return true;
    }
    if (strcmp(name, "hostname") == 0) {
        take_host_name(config->replica);
        return true;
    }
    if (strlen(name) > REPLICA_NAME_MAX || name[strspn(name, replica_letters)] != '\0') {
        return variable_refuse(problem, "BANK_API_REPLICA", name,
                               "a name of a-z, 0-9 and -, at most 32, or \"hostname\" for the machine's name");
    }
    (void)snprintf(config->replica, sizeof config->replica, "%s", name);
    return true;
}

bool config_read(struct config *config, struct text *problem) {
    *config = (struct config){
        .host = variable("BANK_API_HOST"),
        .worker_threads = WORKER_THREADS_DEFAULT,
        .transfer_queue_limit = TRANSFER_QUEUE_LIMIT_DEFAULT,
        .shutdown_timeout_ms = SHUTDOWN_TIMEOUT_MS_DEFAULT,
        .idempotency_ttl_s = IDEMPOTENCY_TTL_S_DEFAULT,
    };
    if (config->host == NULL) {
        config->host = "127.0.0.1";
    }
    unsigned port = 8000;
    bool good = variable_number("BANK_API_PORT", 0, UINT16_MAX, &port, problem) &&
                variable_number("WORKER_THREADS", WORKER_THREADS_MIN, WORKER_THREADS_MAX, &config->worker_threads,
                                problem) &&
                variable_number("TRANSFER_QUEUE_LIMIT", TRANSFER_QUEUE_LIMIT_MIN, TRANSFER_QUEUE_LIMIT_MAX,
                                &config->transfer_queue_limit, problem) &&
                variable_number("SHUTDOWN_TIMEOUT_MS", SHUTDOWN_TIMEOUT_MS_MIN, SHUTDOWN_TIMEOUT_MS_MAX,
                                &config->shutdown_timeout_ms, problem) &&
                read_idempotency(config, problem) && read_guard(config, problem) && read_log(config, problem) &&
                read_settings(config, problem) && read_database(config, problem) && read_replica(config, problem) &&
                config_read_tracing(&config->tracing, problem);
    config->port = (uint16_t)port;
    return good;
}

void config_describe(struct text *out) {
    text_append_string(
        out, "Environment:\n"
             "  DATABASE_URL             postgresql://..., of PostgreSQL or of a PgBouncer that\n"
             "                           docs/POOLERS.md allows; unset: libpq's own PG* variables\n"
             "  BANK_API_SCHEMA          schema for the lab's tables, made if it is missing; unset: the\n"
             "                           first of the search_path, usually public\n"
             "  BANK_API_STANDBY_URL     postgresql://... of a hot standby, for the strategies that read\n"
             "                           there; unset: there is none\n"
             "  BANK_API_REPLICA         name of this program if several share one database, of a-z, 0-9\n"
             "                           and -, or hostname for the machine's name; unset: it is alone\n"
             "  BANK_API_HOST            address to listen on (127.0.0.1)\n"
             "  BANK_API_PORT            port to listen on, 0 for any free one (8000)\n"
             "  BANK_API_ALLOWED_HOSTS   more host names that clients may use, separated by commas\n"
             "  BANK_API_PUBLIC_ORIGINS  origins of its page behind a proxy, such as https://bank.example\n"
             "  ADMIN_TOKEN              bearer token for /admin/* and /reset; unset: anybody may use them\n"
             "  WORKER_THREADS           4..512 (32), besides one for each other kind of work: 9;\n"
             "                           each has a database session\n"
             "  TRANSFER_QUEUE_LIMIT     transfers that may wait for a worker, 1..100000 (1024)\n"
             "  SHUTDOWN_TIMEOUT_MS      100..600000, for running requests to finish (10000)\n"
             "  IDEMPOTENCY_TTL_S        1..2592000, seconds for which an Idempotency-Key is kept (86400)\n"
             "  IDEMPOTENCY_CHECK_THEN_WRITE  wrong on purpose: looks the key up before the transfer and writes\n"
             "                           it after the commit (false)\n"
             "  LOG_LEVEL                debug, info, warn, error (info)\n"
             "  LOG_FORMAT               text, json (text)\n"
             "  DEBUG_DELAY_ENABLED      start with the debug delay on (false)\n"
             "  DEBUG_DELAY_MS           0..60000 (100)\n"
             "  BARRIER_ENABLED          start with the barrier on (false)\n"
             "  BARRIER_COUNT            transfers that meet at the barrier, 2..28 with 32 workers: one\n"
             "                           worker in eight is kept free (2)\n"
             "  BARRIER_TIMEOUT_MS       1..600000, until a transfer that waits alone continues (30000)\n"
             "  USE_TRANSACTIONS         start in safe mode (false)\n"
             "  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go, such as http://localhost:4318; unset: nowhere\n"
             "  OTEL_EXPORTER_OTLP_HEADERS   name=value,name=value, sent with every batch\n"
             "  OTEL_EXPORTER_OTLP_TIMEOUT   for one request (10000) ms\n"
             "  OTEL_EXPORTER_OTLP_COMPRESSION  gzip, none (gzip)\n"
             "  OTEL_EXPORTER_OTLP_PROTOCOL  http/json, no other\n"
             "  OTEL_EXPORTER_OTLP_CERTIFICATE  PEM file of the authority to trust; a client certificate is\n"
             "                               OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, _CLIENT_KEY\n"
             "                               Each of these also as OTEL_EXPORTER_OTLP_TRACES_..., which wins;\n"
             "                               OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used without /v1/traces\n"
             "  OTEL_TRACES_EXPORTER         otlp, none; OTEL_SDK_DISABLED true, false: no traces\n"
             "  OTEL_PROPAGATORS             tracecontext, baggage (not read), none (tracecontext)\n"
             "  OTEL_SERVICE_NAME            (bank-api), OTEL_RESOURCE_ATTRIBUTES key=value,key=value\n"
             "  OTEL_TRACES_SAMPLER          " TRACE_SAMPLER_NAMES "\n"
             "                               (parentbased_always_on)\n"
             "  OTEL_TRACES_SAMPLER_ARG      the ratio, 0..1; a trace with a race is always kept\n"
             "  BANK_API_TRACE_URL           page that shows a trace, with {trace_id} in it; unset: none\n"
             "  OTEL_BSP_MAX_QUEUE_SIZE      (2048) spans; a batch is sent when it is full, the queue is half\n"
             "                               full, or the delay is over\n"
             "  OTEL_BSP_MAX_EXPORT_BATCH_SIZE  spans, at most the queue's size (512)\n"
             "  OTEL_BSP_SCHEDULE_DELAY      (5000) ms\n"
             "  OTEL_BSP_EXPORT_TIMEOUT      for a batch and all its attempts (30000) ms\n");
}
