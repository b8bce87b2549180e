// The JSON of the answers.
#include "server/console/console_internal.h"

// Times on the wire are microseconds since 1970; the record has monotonic nanoseconds.
struct writer {
    struct json_writer json;
    int64_t offset_us;
};

static struct writer writer_to(struct text *out) {
    int64_t monotonic_us = (int64_t)(clock_monotonic_ns() / NANOSECONDS_PER_MICROSECOND);
    return (struct writer){.json = {.out = out}, .offset_us = clock_realtime_us() - monotonic_us};
}

static void add_time(struct writer *writer, const char *name, uint64_t ns) {
    if (ns == 0) {
        json_add_null(&writer->json, name);
    } else {
        json_add_signed(&writer->json, name, (int64_t)(ns / NANOSECONDS_PER_MICROSECOND) + writer->offset_us);
    }
}

static void add_hold(struct writer *writer, const struct hold_shown *hold) {
    struct json_writer *json = &writer->json;
    if (hold->place[0] == '\0') {
        json_add_null(json, "hold");
        return;
    }
    json_open_object(json, "hold");
    json_add_string(json, "place", hold->place);
    add_time(writer, "from_us", hold->held_ns);
    add_time(writer, "to_us", hold->released_ns);
    json_add_string_or_null(json, "ending", hold->ending);
    json_close_object(json);
}

static void add_statement(struct writer *writer, const struct shown_statement *statement) {
    struct json_writer *json = &writer->json;
    json_open_object(json, NULL);
    json_add_string(json, "sql", statement->sql);
    json_add_string_or_null(json, "summary", statement->summary);
    add_time(writer, "sent_us", statement->sent_ns);
    add_time(writer, "done_us", statement->done_ns);
    json_add_string_or_null(json, "tag", statement->tag);
    json_add_string_or_null(json, "sqlstate", statement->sqlstate);
    add_hold(writer, &statement->hold);
    if (statement->waits_for != 0) {
        json_add_unsigned(json, "waits_for", statement->waits_for);
    } else {
        json_add_null(json, "waits_for");
    }
    json_add_boolean(json, "found_read", statement->in_finding_reads);
    json_add_boolean(json, "found_write", statement->in_finding_writes);
    json_close_object(json);
}

static void add_unit(struct writer *writer, const struct unit *unit) {
    static const char *const ends[] = {"open", "committed", "rolled_back", "done"};
    struct json_writer *json = &writer->json;
    if (unit == NULL) {
        json_add_null(json, NULL);
        return;
    }
    json_open_object(json, NULL);
    json_add_unsigned(json, "id", unit->id);
    json_add_unsigned(json, "session", unit->session);
    json_add_unsigned(json, "backend_pid", unit->backend);
    json_add_string(json, "database", unit->database);
    json_add_boolean(json, "transaction", unit->is_transaction);
    json_add_string(json, "end", ends[unit->end]);
    add_time(writer, "from_us", unit->began_ns);
    add_time(writer, "to_us", unit->ended_ns);
    char trace_id[TRACE_ID_HEX] = "";
    if (unit->has_caller || unit->is_traced) {
        trace_context_trace_id(unit->has_caller ? &unit->caller : &unit->span, trace_id);
    }
    json_add_string_or_null(json, "trace_id", trace_id);
    if (unit->finding != 0) {
        json_add_unsigned(json, "finding", unit->finding);
    } else {
        json_add_null(json, "finding");
    }
    json_open_array(json, "statements");
    const struct shown_statement *statement;
    TAILQ_FOREACH(statement, &unit->statements, link) {
        add_statement(writer, statement);
    }
    json_close_array(json);
    json_add_unsigned(json, "left_out", unit->left_out);
    add_hold(writer, &unit->hold);
    json_close_object(json);
}

void console_json_units(const struct console *console, struct text *out) {
    struct writer writer = writer_to(out);
    json_open_object(&writer.json, NULL);
    json_open_array(&writer.json, "units");
    const struct unit *unit;
    TAILQ_FOREACH(unit, &console->record.units, link) {
        add_unit(&writer, unit);
    }
    json_close_array(&writer.json);
    json_close_object(&writer.json);
    text_append(out, "\n", 1);
}

// Writes the finding as --find=FILE does, with the time at which it was found beside it. The object stays open.
static void open_finding(const struct console *console, struct writer *writer, const struct sight_finding *finding) {
    struct json_writer *json = &writer->json;
    const struct found_units *found = record_found(&console->record, finding->id);
    sight_finding_json(finding, json, NULL);
    json->out->length--; // the closing brace, so that more members may follow
    if (found != NULL) {
        char at[CLOCK_TIMESTAMP_LENGTH];
        clock_format_timestamp(found->at_us, at);
        json_add_string(json, "found_at", at);
    } else {
        json_add_null(json, "found_at");
    }
}

void console_json_findings(const struct console *console, size_t limit, struct text *out) {
    const struct sight *sight = console->options.sight;
    struct writer writer = writer_to(out);
    struct json_writer *json = &writer.json;
    size_t count = sight != NULL ? sight_finding_count(sight) : 0;
    json_open_object(json, NULL);
    json_add_boolean(json, "finds", sight != NULL);
    json_add_unsigned(json, "count", count);
    json_open_array(json, "findings");
    for (size_t i = count; i > 0 && count - i < limit; i--) {
        open_finding(console, &writer, sight_finding_at(sight, i - 1));
        json_close_object(json);
    }
    json_close_array(json);
    json_close_object(json);
    text_append(out, "\n", 1);
}

bool console_json_finding(const struct console *console, uint64_t id, struct text *out) {
    const struct sight *sight = console->options.sight;
    const struct sight_finding *finding = NULL;
    for (size_t i = 0; sight != NULL && i < sight_finding_count(sight); i++) {
        const struct sight_finding *each = sight_finding_at(sight, i);
        finding = each->id == id ? each : finding;
    }
    if (finding == NULL) {
        return false;
    }
    struct writer writer = writer_to(out);
    const struct found_units *found = record_found(&console->record, id);
    open_finding(console, &writer, finding);
    json_open_array(&writer.json, "units");
    for (size_t i = 0; found != NULL && i < 2; i++) {
        if (found->units[i] != NULL) {
            add_unit(&writer, found->units[i]);
        }
    }
    json_close_array(&writer.json);
    json_close_object(&writer.json);
    text_append(out, "\n", 1);
    return true;
}

void console_json_sessions(const struct console *console, struct text *out) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_open_array(&json, "sessions");
    console->options.callbacks->add_sessions(console->options.owner, &json);
    json_close_array(&json);
    json_close_object(&json);
    text_append(out, "\n", 1);
}

void console_json_rules(const struct console *console, struct text *out) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    console->options.callbacks->add_rules(console->options.owner, &json);
    json_close_object(&json);
    text_append(out, "\n", 1);
}

void console_json_health(const struct console *console, struct text *out) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "status", "ok");
    json_add_string(&json, "service", "race-proxy");
    json_add_unsigned(&json, "sessions", console->options.callbacks->session_count(console->options.owner));
    json_add_unsigned(&json, "held", console->held);
    json_close_object(&json);
    text_append(out, "\n", 1);
}
