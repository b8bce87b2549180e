// bank-api: makes the parts of the program, runs the loop, frees the parts. Main thread, which is the loop thread.
//
// main() > run() reads the configuration > serve() > bank_api_start(), the loop until server_stop(), bank_api_end().
// on_unusable_database() stops the server if the database watch finds a database that the program cannot use.
#include "observability/log/log.h"
#include "observability/otlp/otlp.h"
#include "server/api/api.h"
#include "server/events/events.h"
#include "server/healthcheck.h"
#include "server/lesson/lesson.h"
#include "server/server.h"
#include "workers/strategies/strategies.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2 // the configuration cannot be used

#define TRACE_FLUSH_MS 3000 // time to send the last spans, after everything else has stopped

// By default glibc makes an arena for each thread, which costs memory. The workers allocate little, so two are enough.
#define MALLOC_ARENAS 2

static int fail(const char *problem) {
    (void)fprintf(stderr, "bank-api: %s\n", problem);
    return EXIT_FAILURE;
}

// Opens /dev/null for each standard stream that the parent has closed. Otherwise a socket could get its number, and log
// lines would be sent to a client.
static void keep_standard_streams(void) {
    int descriptor;
    do {
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
        CHECK(descriptor >= 0);
    } while (descriptor <= STDERR_FILENO);
    (void)close(descriptor);
}

static struct metric *add_metric(struct metrics *metrics, enum metric_kind kind, const char *name, const char *help) {
    return metric_without_labels(
        metrics_add_family(metrics, &(struct metric_definition){.kind = kind, .name = name, .help = help}));
}

static void start_tracing(struct bank_api *api) {
    const struct tracing_config *config = &api->config.tracing;
    api->spans_exported = add_metric(api->metrics, METRIC_COUNTER, "otel_spans_exported_total",
                                     "Spans that the collector has accepted.");
    api->spans_dropped = add_metric(api->metrics, METRIC_COUNTER, "otel_spans_dropped_total",
                                    "Spans that were not delivered, or that the collector rejected.");
    api->exporter = config_start_exporter(config, config->service);
}

static void add_replica_info(struct metrics *metrics, const char *name) {
    struct metric_family *family = metrics_add_family(metrics, &(struct metric_definition){
                                                                   .kind = METRIC_GAUGE,
                                                                   .name = "bank_replica_info",
                                                                   .help = "The name of this replica; always 1.",
                                                                   .labels = {"replica"},
                                                               });
    metric_set(metric_with(family, (const char *[]){name}), 1);
}

static void bank_api_start(struct bank_api *api, uv_loop_t *loop) {
    api->settings = api->config.settings;
    api->metrics = metrics_new();
    api->bank_metrics = bank_metrics_add(api->metrics, strategies);
    api->http_metrics = http_metrics_add(api->metrics);
    api->process_metrics = process_metrics_add(api->metrics);
    struct metric_family *build = metrics_add_family(api->metrics,
                                                     &(struct metric_definition){
                                                         .kind = METRIC_GAUGE,
                                                         .name = "bank_api_build_info",
                                                         .help = "The version of this program and of libuv; always 1.",
                                                         .labels = {"version", "libuv"},
                                                     });
    metric_set(metric_with(build, (const char *[]){LAB_VERSION, uv_version_string()}), 1);
    if (api->config.replica[0] != '\0') {
        add_replica_info(api->metrics, api->config.replica);
    }
    start_tracing(api);
    api->pool = pool_new(&(struct pool_options){
        .loop = loop,
        .database_url = api->config.database_url,
        .standby_url = api->config.standby_url,
        .schema = api->config.schema,
        .threads = api->config.worker_threads,
        .queue_limit = api->config.transfer_queue_limit,
        .metrics = api->bank_metrics,
    });
    database_watch_init(&api->watch, loop, api->pool);
    api->events = events_new(loop, api->metrics, api->config.tracing.page_url);
    api->lesson = lesson_new(loop, api->config.database_url);
    gate_change_settings(pool_gate(api->pool), api->settings.gate_version);
}

static void bank_api_end(struct bank_api *api) {
    if (api->exporter != NULL) {
        otlp_exporter_stop(api->exporter, TRACE_FLUSH_MS);
    }
    if (api->replicas != NULL) {
        replicas_free(api->replicas); // before the pool, whose gate and database it uses
    }
    pool_free(api->pool);
    database_watch_free(&api->watch);
    events_free(api->events);
    lesson_free(api->lesson);
    process_metrics_free(api->process_metrics);
    http_metrics_free(api->http_metrics);
    bank_metrics_free(api->bank_metrics);
    metrics_free(api->metrics);
}

struct start {
    struct server *server;
    struct text problem; // empty if the start succeeded
};

static void on_unusable_database(void *owner, const char *problem) {
    struct start *start = owner;
    if (!server_is_stopping(start->server)) {
        text_append_string(&start->problem, problem);
        server_stop(start->server);
    }
}

static void on_refused_replica(void *owner, const char *problem) {
    on_unusable_database(owner, problem);
}

static void start_link(struct bank_api *api) {
    struct text settings = {0};
    replica_settings_append(&settings, &api->settings);
    replicas_start(api->replicas, api->url, text_terminated(&settings));
    text_free(&settings);
}

static void join_replicas(struct bank_api *api, uv_loop_t *loop, struct start *start) {
    api->replicas = replicas_new(&(struct replicas_options){
        .loop = loop,
        .name = api->config.replica,
        .database_url = api->config.database_url,
        .db = pool_database(api->pool),
        .gate = pool_gate(api->pool),
        .owner = api,
        .settings_changed = replica_settings_changed,
        .refused = on_refused_replica,
        .refused_owner = start,
    });
}

static void note_address(struct bank_api *api, const struct server *server) {
    bool is_ipv6 = strchr(api->config.host, ':') != NULL;
    (void)snprintf(api->url, sizeof api->url, is_ipv6 ? "http://[%s]:%u" : "http://%s:%u", api->config.host,
                   server_port(server));
    api->started_us = clock_realtime_us();
}

static int serve(struct bank_api *api) {
    uv_loop_t loop;
    CHECK(uv_loop_init(&loop) == 0);
    bank_api_start(api, &loop);
    struct start start = {.server = server_new(&loop, api)};
    struct server *server = start.server;
    if (api->config.replica[0] != '\0') {
        join_replicas(api, &loop, &start);
    }
    bool listening = server_listen(server, &start.problem);
    if (listening) {
        note_address(api, server);
        database_watch_on_unusable(&api->watch, on_unusable_database, &start);
        database_watch_start(&api->watch); // creates the tables, which a server that cannot listen must not do
        if (api->replicas != NULL) {
            start_link(api);
        }
    } else {
        server_stop(server);
    }
    if (listening && api->config.guard.admin_token == NULL && !guard_host_is_loopback(slice_of(api->config.host))) {
        log_write(
            LOG_LEVEL_WARN, NULL,
            "ADMIN_TOKEN is not set: every client that can connect to %s can change the settings and reset the bank",
            api->config.host);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    server_free(server);
    bank_api_end(api);
    CHECK(uv_loop_close(&loop) == 0); // fails if a handle is still open
    uv_library_shutdown();
    bool started = start.problem.length == 0;
    int status = started ? EXIT_SUCCESS : fail(text_terminated(&start.problem));
    text_free(&start.problem);
    if (started) {
        log_event(LOG_LEVEL_INFO, "stopped", NULL, "Stopped");
    }
    return listening && !started ? EXIT_USAGE : status;
}

static int help(void) {
    struct text text = {0};
    text_append_string(&text, "bank-api " LAB_VERSION ": a bank whose transfer races on purpose\n\n"
                              "Usage: bank-api [--help | --version | --healthcheck]\n\n"
                              "Without an argument it serves. --healthcheck asks the server that runs with this\n"
                              "environment whether it is healthy, and exits with 0 if it is.\n\n");
    config_describe(&text);
    (void)fputs(text_terminated(&text), stdout);
    text_free(&text);
    return EXIT_SUCCESS;
}

static int ask_health(const struct config *config) {
    struct text problem = {0};
    bool healthy = healthcheck(config->host, config->port, &problem);
    int status = healthy ? EXIT_SUCCESS : fail(text_terminated(&problem));
    text_free(&problem);
    return status;
}

static int run(const char *argument) {
    if (strcmp(argument, "--help") == 0) {
        return help();
    }
    if (strcmp(argument, "--version") == 0) {
        (void)puts("bank-api " LAB_VERSION);
        return EXIT_SUCCESS;
    }
    bool only_asks = strcmp(argument, "--healthcheck") == 0;
    if (argument[0] != '\0' && !only_asks) {
        (void)fail("it takes --help, --version or --healthcheck; the environment configures it");
        return EXIT_USAGE;
    }
    struct bank_api api = {0};
    struct text problem = {0};
    if (!config_read(&api.config, &problem)) {
        (void)fail(text_terminated(&problem));
        text_free(&problem);
        return EXIT_USAGE;
    }
    log_configure(api.config.log_level, api.config.log_format);
    if (api.config.replica[0] != '\0') {
        replica_name_set(api.config.replica);
    }
    return only_asks ? ask_health(&api.config) : serve(&api);
}

int main(int argument_count, char **arguments) {
    keep_standard_streams();
    (void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    (void)signal(SIGPIPE, SIG_IGN);
    if (argument_count > 2) {
        (void)fail("it takes one argument at most; its settings are variables, such as BANK_API_PORT=8000: see --help");
        return EXIT_USAGE;
    }
    return run(argument_count == 2 ? arguments[1] : "");
}
