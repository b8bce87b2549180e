// A span for each finished unit, and a child span for each of its holds. The unit is copied for the exporter's thread.
// The attributes are the stable conventions for database clients
// (https://opentelemetry.io/docs/specs/semconv/database/database-spans/) and the lab's own (race_proxy.*,
// race_condition.*). The SQL is not exported, because its literals may be private.
#include "server/console/console_internal.h"

#include "observability/otlp/otlp.h"

#include <stdlib.h>

enum {
    HOLDS_MAX = 8,
    SUMMARY_MAX = 255, // the conventions' own limit
};

struct span_hold {
    uint64_t from_ns, to_ns; // since 1970
    const char *ending;
    char place[STATEMENT_PLACE_MAX];
};

struct unit_trace {
    struct trace_item item; // in the exporter's queue
    bool has_parent, has_other, is_transaction;
    struct trace_context parent, span, other;
    uint64_t from_ns, to_ns; // since 1970
    uint64_t id, session, finding;
    uint32_t backend;
    unsigned statements;
    const char *end, *kind, *level; // constants
    char sqlstate[6];
    char database[UNIT_NAME_MAX];
    char summary[SUMMARY_MAX + 1];
    size_t hold_count;
    struct span_hold holds[HOLDS_MAX];
};

void console_spans_init(struct console *console) {
    const struct tracing_config *config = console->options.tracing;
    if (config != NULL) {
        console->exporter = config_start_exporter(config, config->service == NULL ? "race-proxy" : config->service);
    }
}

void console_spans_free(struct console *console) {
    if (console->exporter != NULL) {
        otlp_exporter_stop(console->exporter, CONSOLE_FLUSH_MS);
    }
}

// --- The exporter's thread ---

static void write_text(struct otlp_writer *writer, const char *key, const char *value) {
    otlp_attribute_string(writer, key, slice_of(value));
}

static void write_holds(const struct unit_trace *trace, struct otlp_writer *writer) {
    for (size_t i = 0; i < trace->hold_count; i++) {
        const struct span_hold *hold = &trace->holds[i];
        struct trace_context context;
        trace_context_child(&trace->span, &context);
        otlp_span_begin(writer, &(struct span){
                                    .context = &context,
                                    .parent_span_id = trace->span.span_id,
                                    .name = SLICE_LITERAL("race_proxy.hold"),
                                    .kind = SPAN_KIND_INTERNAL,
                                    .started_unix_ns = hold->from_ns,
                                    .ended_unix_ns = hold->to_ns,
                                });
        write_text(writer, "race_proxy.hold.place", hold->place);
        write_text(writer, "race_proxy.hold.ending", hold->ending);
        otlp_span_end(writer, SPAN_STATUS_UNSET);
    }
}

static void write_finding(const struct unit_trace *trace, struct otlp_writer *writer) {
    if (trace->finding != 0) {
        otlp_attribute_boolean(writer, "race_condition.detected", true);
        write_text(writer, "race_condition.kind", trace->kind);
        write_text(writer, "race_condition.level", trace->level);
        otlp_attribute_integer(writer, "race_proxy.finding", (int64_t)trace->finding);
    }
}

static void trace_write(struct trace_item *item, struct otlp_writer *writer) {
    const struct unit_trace *trace = CONTAINER_OF(item, struct unit_trace, item);
    bool failed = trace->sqlstate[0] != '\0';
    otlp_span_begin(writer, &(struct span){
                                .context = &trace->span,
                                .parent_span_id = trace->has_parent ? trace->parent.span_id : NULL,
                                .name = slice_of(trace->summary[0] != '\0' ? trace->summary : trace->database),
                                .kind = SPAN_KIND_CLIENT,
                                .started_unix_ns = trace->from_ns,
                                .ended_unix_ns = trace->to_ns,
                            });
    write_text(writer, "db.system.name", "postgresql");
    write_text(writer, "db.namespace", trace->database);
    if (trace->summary[0] != '\0') {
        write_text(writer, "db.query.summary", trace->summary);
    }
    if (trace->statements > 1) {
        otlp_attribute_integer(writer, "db.operation.batch.size", trace->statements);
    }
    if (failed) {
        write_text(writer, "db.response.status_code", trace->sqlstate);
        write_text(writer, "error.type", trace->sqlstate);
    }
    otlp_attribute_integer(writer, "race_proxy.unit", (int64_t)trace->id);
    otlp_attribute_integer(writer, "race_proxy.session", (int64_t)trace->session);
    otlp_attribute_integer(writer, "race_proxy.backend_pid", trace->backend);
    otlp_attribute_boolean(writer, "race_proxy.transaction", trace->is_transaction);
    write_text(writer, "race_proxy.end", trace->end);
    write_finding(trace, writer);
    if (trace->has_other) {
        otlp_link(writer, &trace->other);
    }
    otlp_span_end(writer, failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
    write_holds(trace, writer);
}

static void trace_release(struct trace_item *item) {
    free(CONTAINER_OF(item, struct unit_trace, item));
}

// --- The loop's thread ---

static void add_summary(struct unit_trace *trace, const char *summary) {
    bool is_control = strncmp(summary, "BEGIN", 5) == 0 || strncmp(summary, "COMMIT", 6) == 0 ||
                      strncmp(summary, "ROLLBACK", 8) == 0;
    size_t used = strlen(trace->summary);
    size_t length = strlen(summary);
    if (!is_control && length > 0 && used + length + 2 <= sizeof trace->summary) {
        trace->summary[used] = ' ';
        memcpy(trace->summary + used + (used > 0), summary, length + 1);
    }
}

static void add_hold(struct unit_trace *trace, const struct hold_shown *hold, uint64_t offset_ns) {
    if (hold->ending != NULL && trace->hold_count < HOLDS_MAX) {
        struct span_hold *added = &trace->holds[trace->hold_count++];
        added->from_ns = hold->held_ns + offset_ns;
        added->to_ns = hold->released_ns + offset_ns;
        added->ending = hold->ending;
        memcpy(added->place, hold->place, sizeof added->place);
    }
}

static void copy_statements(struct unit_trace *trace, const struct unit *unit, uint64_t offset_ns) {
    const struct shown_statement *statement;
    TAILQ_FOREACH(statement, &unit->statements, link) {
        add_summary(trace, statement->summary);
        add_hold(trace, &statement->hold, offset_ns);
        if (statement->sqlstate[0] != '\0') {
            memcpy(trace->sqlstate, statement->sqlstate, sizeof trace->sqlstate);
        }
    }
}

void console_spans_began(struct console *console, struct unit *unit) {
    if (console->exporter == NULL) {
        return;
    }
    if (unit->has_caller) {
        trace_context_child(&unit->caller, &unit->span);
    } else {
        trace_context_start(&unit->span, false);
    }
    unit->is_traced = trace_sampler_keeps(&console->options.tracing->sampler, unit->has_caller ? &unit->caller : NULL,
                                          unit->span.trace_id);
    unit->span.sampled = unit->is_traced;
}

void console_spans_ended(struct console *console, const struct unit *unit) {
    static const char *const ends[] = {"open", "committed", "rolled_back", "done"};
    if (console->exporter == NULL || !unit->is_traced || unit->count == 0) {
        return;
    }
    struct unit_trace *trace = memory_allocate_zeroed(sizeof *trace);
    uint64_t offset_ns = (uint64_t)clock_realtime_us() * NANOSECONDS_PER_MICROSECOND - clock_monotonic_ns();
    trace->item = (struct trace_item){.write = trace_write, .release = trace_release};
    trace->has_parent = unit->has_caller;
    trace->parent = unit->caller;
    trace->span = unit->span;
    trace->has_other = unit->has_other;
    trace->other = unit->other;
    trace->is_transaction = unit->is_transaction;
    trace->from_ns = unit->began_ns + offset_ns;
    trace->to_ns = unit->ended_ns + offset_ns;
    trace->id = unit->id;
    trace->session = unit->session;
    trace->backend = unit->backend;
    trace->finding = unit->finding;
    trace->kind = unit->kind;
    trace->level = unit->level;
    trace->statements = unit->count;
    trace->end = ends[unit->end];
    memcpy(trace->database, unit->database, sizeof trace->database);
    copy_statements(trace, unit, offset_ns);
    trace->item.span_count = 1 + (unsigned)trace->hold_count;
    otlp_exporter_offer(console->exporter, &trace->item);
}
