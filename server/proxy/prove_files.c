// Writes the verdicts as JSON and as a test report of JUnit.
#include "server/proxy/prove.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

// --- JSON ---

static const char *kind_name(enum trace_kind kind) {
    static const char *const names[] = {"statement", "held", "released", "waits", "committed", "proved"};
    return names[kind];
}

static const char *end_name(enum hold_end end) {
    static const char *const names[] = {"complete",  "delayed", "limit",  "protected",
                                        "cancelled", "left",    "opened", "stopping"};
    return names[end];
}

static void add_event(struct json_writer *json, const struct trace_event *event, uint64_t start_ns) {
    json_open_object(json, NULL);
    json_add_string(json, "event", kind_name(event->kind));
    json_add_unsigned(json, "backend", event->backend);
    json_add_unsigned(json, "at_us", (event->at_ns - start_ns) / NANOSECONDS_PER_MICROSECOND);
    if (event->kind == TRACE_OUTCOME) {
        json_add_unsigned(json, "end_us", (event->end_ns - start_ns) / NANOSECONDS_PER_MICROSECOND);
        json_add_string(json, "sql", event->sql);
        json_add_string_or_null(json, "tag", event->tag);
        json_add_string_or_null(json, "sqlstate", event->sqlstate);
        json_add_unsigned(json, "rows", event->rows);
    } else if (event->kind == TRACE_RELEASED) {
        json_add_string(json, "end", end_name(event->end));
    } else if (event->kind == TRACE_WAITS) {
        json_add_unsigned(json, "waiter", event->other);
    }
    json_close_object(json);
}

static void add_trace(struct json_writer *json, const struct trace *trace) {
    uint64_t start_ns = UINT64_MAX;
    for (size_t i = 0; i < trace->count; i++) {
        start_ns = MIN(start_ns, trace->events[i].at_ns);
    }
    json_open_array(json, "events");
    for (size_t i = 0; i < trace->count; i++) {
        add_event(json, &trace->events[i], start_ns);
    }
    json_close_array(json);
}

static void add_candidate(struct json_writer *json, const struct candidate *candidate, size_t number) {
    json_open_object(json, NULL);
    json_add_unsigned(json, "number", number);
    json_add_string(json, "kind", sight_kind_name(candidate->kind));
    json_add_string(json, "table", candidate->table);
    json_add_string_or_null(json, "row", candidate->row);
    json_add_string(json, "read", candidate->sql_read);
    json_add_string(json, "write", candidate->sql_write);
    json_add_string(json, "verdict", verdict_name(candidate->verdict));
    json_add_string(json, "level", sight_level_name(candidate->level));
    json_add_string(json, "reason", candidate->reason);
    json_add_slice(json, "sentence", text_slice(&candidate->sentence));
    json_open_array(json, "ends");
    for (size_t i = 0; i < 2 && candidate->ends[i].length > 0; i++) {
        json_add_slice(json, NULL, text_slice(&candidate->ends[i]));
    }
    json_close_array(json);
    add_trace(json, &candidate->trace);
    json_close_object(json);
}

static void add_text_or_null(struct json_writer *json, const char *name, const struct text *text) {
    if (text->length == 0) {
        json_add_null(json, name);
    } else {
        json_add_slice(json, name, text_slice(text));
    }
}

static void add_explore(struct json_writer *json, const struct prove_result *result) {
    const struct explore *explore = result->explore;
    const struct found *found = &explore->found;
    json_open_object(json, "explore");
    json_add_string(json, "file", result->options->explore_path);
    add_text_or_null(json, "problem", &explore->problem);
    if (found->is_there) {
        json_add_slice(json, "level", text_slice(&found->level));
        json_add_boolean(json, "complete", found->is_complete);
        json_add_unsigned(json, "orders", found->orders);
        json_add_unsigned(json, "proved", found->proved);
        json_add_unsigned(json, "possible", found->possible);
        json_add_unsigned(json, "new_errors", found->errors);
        json_open_array(json, "anomalies");
        for (size_t i = 0; i < found->name_count; i++) {
            json_open_object(json, NULL);
            json_add_slice(json, "name", text_slice(&found->names[i]));
            json_add_unsigned(json, "orders", found->counts[i]);
            json_close_object(json);
        }
        json_close_array(json);
        add_text_or_null(json, "order", &found->order);
        add_text_or_null(json, "fix", &found->fix);
        add_text_or_null(json, "story", &found->story);
    }
    json_close_object(json);
}

static void append_json(const struct prove_result *result, struct text *out) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_open_array(&json, "command");
    for (char *const *each = result->options->command; *each != NULL; each++) {
        json_add_string(&json, NULL, *each);
    }
    json_close_array(&json);
    json_add_signed(&json, "exit_status", result->status);
    json_add_string_or_null(&json, "problem", result->problem);
    json_add_unsigned(&json, "statements_alone", result->statements);
    json_add_unsigned(&json, "candidates_dropped", result->dropped);
    json_open_array(&json, "candidates");
    for (size_t i = 0; i < result->count; i++) {
        add_candidate(&json, &result->candidates[i], i + 1);
    }
    json_close_array(&json);
    if (result->explore != NULL) {
        add_explore(&json, result);
    }
    json_close_object(&json);
    text_append_string(out, "\n");
}

// --- JUnit ---

static void append_test(struct text *out, const struct candidate *candidate, size_t number) {
    struct text name = {0};
    struct text story = {0};
    text_append_format(&name, "%zu. %s %s", number, candidate->table, sight_kind_name(candidate->kind));
    text_append_string(out, "    <testcase");
    junit_append_attribute(out, "classname", SLICE_LITERAL("race-proxy.prove"));
    junit_append_attribute(out, "name", text_slice(&name));
    text_append_format(out, " time=\"%.3f\"", candidate->seconds);
    if (candidate->verdict == VERDICT_REFUTED) {
        text_append_string(out, "/>\n");
    } else {
        report_candidate(candidate, number, (struct canvas){.width = 100}, &story);
        junit_append_child(out, candidate->verdict == VERDICT_FORCED ? "failure" : "error",
                           text_slice(&candidate->sentence), text_slice(&story));
    }
    text_free(&name);
    text_free(&story);
}

// A result that is not complete is an error, as a candidate is that was not forced.
static bool is_undecided(const struct explore *explore) {
    return explore != NULL && explore->found.proved == 0 && !(explore->found.is_there && explore->found.is_complete);
}

static void append_explore(struct text *out, const struct explore *explore) {
    struct text message = {0};
    struct text story = {0};
    text_append_string(out, "    <testcase classname=\"race-proxy.prove\" name=\"every order\" time=\"0\"");
    if (explore->found.proved == 0 && !is_undecided(explore)) {
        text_append_string(out, "/>\n");
        return;
    }
    if (explore->found.is_there) {
        found_append(&explore->found, &message);
    } else {
        text_append_slice(&message, text_slice(&explore->problem));
    }
    report_explore(explore, (struct canvas){.width = 100}, &story);
    junit_append_child(out, is_undecided(explore) ? "error" : "failure", text_slice(&message), text_slice(&story));
    text_free(&message);
    text_free(&story);
}

static void append_junit(const struct prove_result *result, struct text *out) {
    size_t failures = 0;
    size_t errors = result->problem != NULL;
    failures += result->explore != NULL && result->explore->found.proved > 0;
    errors += is_undecided(result->explore);
    for (size_t i = 0; i < result->count; i++) {
        failures += result->candidates[i].verdict == VERDICT_FORCED;
        errors += result->candidates[i].verdict == VERDICT_NOT_FORCED;
    }
    text_append_format(out,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite "
                       "name=\"race-proxy prove\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" "
                       "time=\"%.3f\">\n",
                       result->count + (result->problem != NULL) + (result->explore != NULL), failures, errors,
                       result->seconds);
    for (size_t i = 0; i < result->count; i++) {
        append_test(out, &result->candidates[i], i + 1);
    }
    if (result->explore != NULL) {
        append_explore(out, result->explore);
    }
    if (result->problem != NULL) {
        text_append_string(out, "    <testcase classname=\"race-proxy.prove\" name=\"run\" time=\"0\"");
        junit_append_child(out, "error", slice_of(result->problem), slice_of(result->problem));
    }
    text_append_string(out, "  </testsuite>\n</testsuites>\n");
}

// --- The files ---

static bool is_standard_output(const char *path) {
    return strcmp(path, "-") == 0;
}

static bool is_possible(const char *option, const char *path) {
    if (path == NULL || is_standard_output(path)) {
        return true;
    }
    FILE *file = fopen(path, "ae"); // its content stays until there is a new one
    if (file == NULL) {
        (void)fprintf(stderr, "race-proxy prove: --%s %s: the file cannot be written: %s\n", option, path,
                      strerror(errno));
        return false;
    }
    (void)fclose(file);
    return true;
}

bool files_are_possible(const struct prove_options *options) {
    return is_possible("json", options->json) && is_possible("junit", options->junit);
}

static bool write_file(const char *option, const char *path, const struct text *content) {
    FILE *file = is_standard_output(path) ? stdout : fopen(path, "we");
    bool good = file != NULL && fwrite(content->data, 1, content->length, file) == content->length;
    good = file != NULL && (file == stdout ? fflush(file) : fclose(file)) == 0 && good;
    if (!good) {
        (void)fprintf(stderr, "race-proxy prove: --%s %s: the file cannot be written: %s\n", option, path,
                      strerror(errno));
    }
    return good;
}

bool files_write(const struct prove_result *result) {
    struct text json = {0};
    struct text junit = {0};
    append_json(result, &json);
    append_junit(result, &junit);
    bool good = result->options->json == NULL || write_file("json", result->options->json, &json);
    good = (result->options->junit == NULL || write_file("junit", result->options->junit, &junit)) && good;
    text_free(&json);
    text_free(&junit);
    return good;
}
