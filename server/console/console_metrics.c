// The metrics race_proxy_*, and the standard ones of the process.
#include "server/console/console_internal.h"

#include "observability/otlp/otlp.h"

static struct metric *add(struct console *console, enum metric_kind kind, const char *name, const char *help) {
    return metric_without_labels(metrics_add_family(
        console->metrics.registry, &(struct metric_definition){.kind = kind, .name = name, .help = help}));
}

static struct metric_family *add_labelled(struct console *console, const char *name, const char *help,
                                          const char *first, const char *second) {
    return metrics_add_family(console->metrics.registry, &(struct metric_definition){
                                                             .kind = METRIC_COUNTER,
                                                             .name = name,
                                                             .help = help,
                                                             .labels = {first, second},
                                                         });
}

static void add_holds(struct console *console) {
    struct console_metrics *metrics = &console->metrics;
    struct metric_family *endings = add_labelled(console, "race_proxy_held_total",
                                                 "Holds that have ended, by their ending.", "ending", NULL);
    for (size_t i = 0; console->options.endings[i] != NULL; i++) {
        CHECK(i < CONSOLE_ENDINGS_MAX);
        metrics->endings[i] = metric_with(endings, &console->options.endings[i]);
    }
    metrics->hold_seconds =
        metric_without_labels(metrics_add_family(metrics->registry, &(struct metric_definition){
                                                                        .kind = METRIC_HISTOGRAM,
                                                                        .name = "race_proxy_hold_seconds",
                                                                        .help = "How long a session was held.",
                                                                        .bounds = metrics_latency_bounds,
                                                                        .bound_count = metrics_latency_bound_count,
                                                                    }));
    metrics->held_now = add(console, METRIC_GAUGE, "race_proxy_held_sessions", "Sessions that are held now.");
}

void console_metrics_init(struct console *console) {
    struct console_metrics *metrics = &console->metrics;
    metrics->registry = metrics_new();
    metrics->sessions = add(console, METRIC_GAUGE, "race_proxy_sessions", "Connections of clients.");
    metrics->statements = add(console, METRIC_COUNTER, "race_proxy_statements_total",
                              "Statements that were forwarded: each Query and each Bind message.");
    add_holds(console);
    metrics->findings = add_labelled(
        console, "race_proxy_findings_total",
        "Races that were found for the first time at this level; a repetition does not count.", "kind", "level");
    for (enum sight_kind kind = SIGHT_STALE_READ; kind <= SIGHT_LOCK_TOO_LATE; kind++) {
        for (enum sight_level level = SIGHT_REFUTED; level <= SIGHT_PROVED; level++) {
            (void)metric_with(metrics->findings, (const char *[]){sight_kind_name(kind), sight_level_name(level)});
        }
    }
    struct metric_family *bytes = add_labelled(console, "race_proxy_bytes_total",
                                               "Bytes that were received to be relayed.", "direction", NULL);
    metrics->bytes[CONSOLE_TO_SERVER] = metric_with(bytes, (const char *[]){"to_server"});
    metrics->bytes[CONSOLE_TO_CLIENT] = metric_with(bytes, (const char *[]){"to_client"});
    metrics->memory = add(console, METRIC_GAUGE, "race_proxy_memory_bytes",
                          "Memory of the history that findings need, and of the units that the page shows.");
    metrics->spans_exported = add(console, METRIC_COUNTER, "otel_spans_exported_total",
                                  "Spans that the collector has accepted.");
    metrics->spans_dropped = add(console, METRIC_COUNTER, "otel_spans_dropped_total",
                                 "Spans that were not delivered, or that the collector rejected.");
    struct metric_family *build = metrics_add_family(metrics->registry,
                                                     &(struct metric_definition){
                                                         .kind = METRIC_GAUGE,
                                                         .name = "race_proxy_build_info",
                                                         .help = "The version of this program and of libuv; always 1.",
                                                         .labels = {"version", "libuv"},
                                                     });
    metric_set(metric_with(build, (const char *[]){LAB_VERSION, uv_version_string()}), 1);
    metrics->process = process_metrics_add(metrics->registry);
}

void console_metrics_free(struct console *console) {
    process_metrics_free(console->metrics.process);
    metrics_free(console->metrics.registry);
}

void console_metrics_let_go(struct console *console, const char *ending, uint64_t held_ns) {
    for (size_t i = 0; console->options.endings[i] != NULL; i++) {
        if (strcmp(console->options.endings[i], ending) == 0) {
            metric_add(console->metrics.endings[i], 1);
        }
    }
    metric_observe(console->metrics.hold_seconds, (double)held_ns / (double)NANOSECONDS_PER_SECOND);
}

void console_metrics_finding(struct console *console, const char *kind, const char *level) {
    metric_add(metric_with(console->metrics.findings, (const char *[]){kind, level}), 1);
}

void console_metrics_render(struct console *console, enum metrics_format format, struct text *out) {
    struct console_metrics *metrics = &console->metrics;
    const struct console_options *options = &console->options;
    struct process_sample process; // a proxy has few descriptors, so the loop itself reads /proc
    process_sample_take(&process);
    process_metrics_set(metrics->process, &process);
    size_t memory = console->record.bytes + (options->sight != NULL ? sight_counters(options->sight).memory : 0);
    metric_set(metrics->memory, (double)memory);
    metric_set(metrics->sessions, options->callbacks->session_count(options->owner));
    metric_set(metrics->held_now, console->held);
    for (enum console_direction direction = CONSOLE_TO_SERVER; direction <= CONSOLE_TO_CLIENT; direction++) {
        metric_set(metrics->bytes[direction], (double)options->callbacks->bytes(options->owner, direction));
    }
    if (console->exporter != NULL) {
        struct otlp_counts counts = otlp_exporter_counts(console->exporter);
        metric_set(metrics->spans_exported, (double)counts.exported);
        metric_set(metrics->spans_dropped, (double)counts.dropped);
    }
    metrics_render(metrics->registry, format, out);
}
