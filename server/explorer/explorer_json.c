// Writes what was found as one JSON document. docs/explore.schema.json describes it.
//
// The same case gives the same document, but for the members "times": rows without an ORDER BY are sorted, and values
// that change when an order is repeated are null.
#include "server/explorer/explorer_internal.h"

#include <stdlib.h>

enum { FORMAT_VERSION = 1 };

struct rows {
    int rows, columns;
    const char **names;
    const char **values;
    const bool *from_sequence;
};

static void add_count(struct json_writer *json, const char *name, uint64_t value) {
    json_add_unsigned(json, name, value);
}

static void add_rows(struct json_writer *json, const struct rows *rows, const bool *is_masked, bool in_order) {
    json_open_array(json, "columns");
    for (int column = 0; column < rows->columns; column++) {
        json_add_string(json, NULL, rows->names[column]);
    }
    json_close_array(json);
    json_open_array(json, "not_compared");
    for (int column = 0; column < rows->columns; column++) {
        if (is_masked[column] || rows->from_sequence[column]) {
            json_add_string(json, NULL, rows->names[column]);
        }
    }
    json_close_array(json);
    json_open_array(json, "rows");
    int *order = found_row_order(rows->values, rows->rows, rows->columns, is_masked, in_order);
    for (int i = 0; i < rows->rows; i++) {
        json_open_array(json, NULL);
        for (int column = 0; column < rows->columns; column++) {
            const char *value = rows->values[order[i] * rows->columns + column];
            if (value == NULL || (is_masked[column] && !rows->from_sequence[column])) {
                json_add_null(json, NULL);
            } else {
                json_add_string(json, NULL, value);
            }
        }
        json_close_array(json);
    }
    json_close_array(json);
    free(order);
}

static void add_answer(struct json_writer *json, const struct exploration *found, const struct explore_step *step,
                       const struct explore_answer *answer) {
    json_open_object(json, NULL);
    if (found_is_error(step, answer)) {
        json_open_object(json, "error");
        json_add_string(json, "sqlstate", answer->sqlstate);
        json_add_string(json, "message", answer->message);
        json_close_object(json);
    } else {
        bool *is_masked = memory_allocate_zeroed((size_t)answer->columns + 1);
        for (int column = 0; column < answer->columns; column++) {
            is_masked[column] = found_masks_answer(found, step, column);
        }
        json_add_string(json, "tag", answer->tag == NULL ? "" : answer->tag);
        add_rows(json,
                 &(struct rows){answer->rows, answer->columns, answer->names, answer->values, answer->from_sequence},
                 is_masked, found_has_order_by(found, step));
        free(is_masked);
    }
    json_add_boolean(json, "undone", answer->is_dropped);
    json_close_object(json);
}

static void add_step_name(struct json_writer *json, const char *name, const struct exploration *found,
                          const struct explore_step *step) {
    struct text text = {0};
    explore_append_step(found->explored, step, &text);
    json_add_slice(json, name, text_slice(&text));
    text_free(&text);
}

static void add_step(struct json_writer *json, const struct exploration *found, const struct explore_run *run,
                     const struct explore_step *step) {
    const struct sql_case *explored = found->explored;
    const struct case_instruction *instruction = &explored->sessions[step->session].instructions[step->instruction];
    const struct explore_session_run *session = &run->sessions[step->session];
    json_open_object(json, NULL);
    add_step_name(json, "step", found, step);
    json_add_string(json, "session", explored->sessions[step->session].name);
    json_add_signed(json, "line", instruction->line);
    json_add_string(json, "sql", step->sql == NULL ? instruction->source : step->sql);
    json_open_array(json, "blocked_by");
    for (size_t i = 0; i < explored->session_count; i++) {
        if (step->blocked_by >> i & 1) {
            json_add_string(json, NULL, explored->sessions[i].name);
        }
    }
    json_close_array(json);
    add_count(json, "completed_after", step->completed);
    json_open_array(json, "answers");
    bool is_alone = !explore_has_answers(step) && step->sqlstate[0] == '\0';
    for (size_t i = found_answer(run, step, 0); i < session->count && !is_alone; i = found_answer(run, step, i + 1)) {
        add_answer(json, found, step, &session->answers[i]);
    }
    json_close_array(json);
    json_close_object(json);
}

void json_add_invariants(struct json_writer *json, const char *name, const struct sql_case *explored, uint64_t broken) {
    json_open_array(json, name);
    for (size_t i = 0; i < explored->invariant_count && i < 64; i++) {
        if (broken >> i & 1) {
            json_add_string(json, NULL, explored->invariants[i].name);
        }
    }
    json_close_array(json);
}

static void add_table(struct json_writer *json, const struct exploration *found, const struct explore_table *table) {
    bool *is_masked = memory_allocate_zeroed((size_t)table->columns + 1);
    for (int column = 0; column < table->columns; column++) {
        is_masked[column] = found_masks_table(found, table, column);
    }
    json_open_object(json, NULL);
    json_add_string(json, "table", table->name);
    add_rows(json, &(struct rows){table->rows, table->columns, table->names, table->values, table->from_sequence},
             is_masked, false);
    json_close_object(json);
    free(is_masked);
}

static void add_state(struct json_writer *json, const struct exploration *found, const struct explore_run *run) {
    json_open_array(json, "state");
    for (size_t i = 0; i < run->table_count; i++) {
        add_table(json, found, &run->tables[i]);
    }
    json_close_array(json);
}

// The tables whose rows differ from those of the last snapshot that is known.
static void add_snapshot(struct json_writer *json, const struct exploration *found, const struct explore_run *run,
                         size_t number) {
    const struct explore_table *before = NULL;
    const struct explore_table *tables = run->snapshots[number];
    for (size_t i = 0; i < number; i++) {
        before = run->snapshots[i] == NULL ? before : run->snapshots[i];
    }
    if (tables == NULL) {
        json_add_null(json, NULL);
        return;
    }
    json_open_array(json, NULL);
    for (size_t i = 0; i < run->table_count; i++) {
        if (before == NULL || !found_has_same_rows(found, &before[i], &tables[i])) {
            add_table(json, found, &tables[i]);
        }
    }
    json_close_array(json);
}

static void add_snapshots(struct json_writer *json, const struct exploration *found, const struct explore_run *run) {
    json_open_array(json, "committed");
    for (size_t i = 0; i < run->snapshot_count && run->snapshot_count == run->step_count + 1; i++) {
        add_snapshot(json, found, run, i);
    }
    json_close_array(json);
}

static void add_graph(struct json_writer *json, const struct exploration *found,
                      const struct explore_outcome *outcome) {
    static const char *const kinds[] = {[EXPLORE_RW] = "rw", [EXPLORE_WR] = "wr", [EXPLORE_WW] = "ww"};
    const struct case_session *sessions = found->explored->sessions;
    const struct explore_graph *graph = &outcome->graph;
    json_open_object(json, "graph");
    json_open_array(json, "edges");
    for (size_t i = 0; i < graph->count; i++) {
        const struct explore_edge *edge = &graph->edges[i];
        json_open_object(json, NULL);
        json_add_string(json, "from", sessions[edge->from].name);
        json_add_string(json, "to", sessions[edge->to].name);
        json_add_string(json, "kind", kinds[edge->kind]);
        json_add_string(json, "table", edge->table);
        json_add_string_or_null(json, "row", edge->row);
        add_step_name(json, "from_step", found, &outcome->first->steps[edge->from_step]);
        add_step_name(json, "to_step", found, &outcome->first->steps[edge->to_step]);
        json_add_boolean(json, "in_cycle", edge->in_cycle);
        json_close_object(json);
    }
    json_close_array(json);
    json_open_array(json, "cycle");
    for (size_t i = 0; i < graph->cycle_length; i++) {
        json_add_string(json, NULL, sessions[graph->cycle[i]].name);
    }
    json_close_array(json);
    json_close_object(json);
}

void json_add_run_members(struct json_writer *json, const struct exploration *found, const struct explore_run *run) {
    json_open_array(json, "order");
    for (size_t i = 0; i < run->step_count; i++) {
        add_step_name(json, NULL, found, &run->steps[i]);
    }
    json_close_array(json);
    json_open_array(json, "steps");
    for (size_t i = 0; i < run->step_count; i++) {
        add_step(json, found, run, &run->steps[i]);
    }
    json_close_array(json);
    add_state(json, found, run);
}

static void add_replay(struct json_writer *json, const struct exploration *found, const struct options *options,
                       const struct explore_run *run) {
    struct text command = {0};
    found_append_replay(found, options, run, &command);
    json_add_slice(json, "replay", text_slice(&command));
    text_free(&command);
}

// The members of an outcome that do not depend on how many orders have it.
static void add_verdict(struct json_writer *json, const struct exploration *found,
                        const struct explore_outcome *outcome) {
    json_add_string(json, "kind",
                    outcome->is_anomalous    ? "anomaly"
                    : outcome->has_new_error ? "new error"
                    : outcome->broken != 0   ? "invariant"
                                             : "serial");
    json_add_string_or_null(json, "name", outcome->name);
    json_add_boolean(json, "anomalous", outcome->is_anomalous);
    json_add_boolean(json, "new_error", outcome->has_new_error);
    json_add_invariants(json, "invariants", found->explored, outcome->broken);
    json_add_boolean(json, "deadlock", outcome->first->is_deadlocked);
    json_add_run_members(json, found, outcome->first);
}

static bool has_same_order(const struct explore_run *one, const struct explore_run *other) {
    bool is_same = one->step_count == other->step_count;
    for (size_t i = 0; i < one->step_count && is_same; i++) {
        is_same = one->steps[i].session == other->steps[i].session &&
                  one->steps[i].instruction == other->steps[i].instruction &&
                  one->steps[i].is_commit == other->steps[i].is_commit &&
                  one->steps[i].completed == other->steps[i].completed;
    }
    return is_same;
}

// The rows after each step of the order, and the same order at the other levels.
static void add_beside(struct json_writer *json, const struct exploration *found, const struct beside *beside) {
    const struct exploration *own = &beside->levels[found->level];
    for (size_t i = 0; i < own->outcome_count; i++) {
        if (has_same_order(own->outcomes[i].first, beside->shown->first)) {
            add_snapshots(json, own, own->outcomes[i].first);
            break;
        }
    }
    json_open_array(json, "beside");
    for (int level = 0; level < CASE_LEVELS; level++) {
        const struct exploration *other = &beside->levels[level];
        for (size_t i = 0; i < other->outcome_count && other != own; i++) {
            json_open_object(json, NULL);
            json_add_string(json, "level", found_level_name(other));
            add_verdict(json, other, &other->outcomes[i]);
            add_snapshots(json, other, other->outcomes[i].first);
            json_close_object(json);
        }
    }
    json_close_array(json);
}

static void add_outcome(struct json_writer *json, const struct exploration *found, const struct options *options,
                        const struct explore_outcome *outcome, const struct beside *beside) {
    json_open_object(json, NULL);
    add_count(json, "count", outcome->orders);
    add_count(json, "preemptions", outcome->first->preemptions);
    add_verdict(json, found, outcome);
    add_replay(json, found, options, outcome->first);
    if (outcome->graph.count > 0) {
        add_graph(json, found, outcome);
    }
    if (outcome == beside->shown) {
        add_beside(json, found, beside);
    }
    json_close_object(json);
}

static void add_masked(struct json_writer *json, const struct exploration *found) {
    struct slice masked = text_slice(&found->masked);
    json_open_array(json, "masked");
    while (masked.length > 0) {
        const char *comma = memmem(masked.data, masked.length, ", ", 2);
        size_t length = comma == NULL ? masked.length : (size_t)(comma - masked.data);
        json_add_slice(json, NULL, (struct slice){masked.data, length});
        length = MIN(masked.length, length + 2);
        masked = (struct slice){masked.data + length, masked.length - length};
    }
    json_close_array(json);
}

static void add_milliseconds(struct json_writer *json, const char *name, uint64_t from_ns, uint64_t to_ns) {
    text_append_format(json_add(json, name), "%.3f", (double)(to_ns - from_ns) / 1e6);
}

static void add_times(struct json_writer *json, const struct exploration *found) {
    json_open_object(json, "times");
    add_count(json, "runs", found->runs); // a deadlock that was missed runs again
    add_milliseconds(json, "milliseconds", found->started_ns, found->ended_ns);
    if (found->first_anomaly_ns == 0) {
        json_add_null(json, "first_finding_milliseconds");
    } else {
        add_milliseconds(json, "first_finding_milliseconds", found->started_ns, found->first_anomaly_ns);
    }
    json_close_object(json);
}

static void add_counts(struct json_writer *json, const struct exploration *found) {
    add_count(json, "orders", found->orders);
    add_count(json, "anomalous", found->anomalous);
    add_count(json, "broken", found->broken);
    add_count(json, "new_errors", found->new_errors);
    add_count(json, "blocked", found->blocked);
    add_count(json, "aborted", found->aborted);
    add_count(json, "deadlocked", found->deadlocked);
    add_count(json, "stuck", found->stuck);
    add_count(json, "diverged", found->diverged);
}

// An array of the names of sessions and steps.
static void add_left_out(struct json_writer *json, const struct exploration *found) {
    struct text names = {0};
    case_append_left_out(found->explored, &found->left_out, "\n", &names);
    struct slice rest = text_slice(&names);
    json_open_array(json, "left_out");
    while (rest.length > 0) {
        const char *end = memchr(rest.data, '\n', rest.length);
        size_t length = end == NULL ? rest.length : (size_t)(end - rest.data);
        json_add_slice(json, NULL, (struct slice){rest.data, length});
        length = MIN(rest.length, length + 1);
        rest = (struct slice){rest.data + length, rest.length - length};
    }
    json_close_array(json);
    text_free(&names);
}

static void add_serial(struct json_writer *json, const struct exploration *found) {
    json_open_array(json, "serial");
    for (size_t i = 0; i < found->serial_count; i++) {
        json_open_object(json, NULL);
        json_add_run_members(json, found, found->serial[i]);
        json_add_invariants(json, "invariants", found->explored, found->serial[i]->broken_invariants);
        json_close_object(json);
    }
    json_close_array(json);
}

static void add_smallest(struct json_writer *json, const struct exploration *found, const struct options *options,
                         const struct beside *beside) {
    const struct explore_small *small = found->smallest;
    if (small == NULL) {
        json_add_null(json, "smallest");
        return;
    }
    json_open_object(json, "smallest");
    add_left_out(json, &small->replay);
    add_masked(json, &small->replay);
    json_open_array(json, "outcomes");
    add_outcome(json, &small->replay, options, small->outcome, beside);
    json_close_array(json);
    add_serial(json, &small->replay);
    json_close_object(json);
}

void json_add_exploration(struct json_writer *json, const struct exploration *found, const struct options *options,
                          const struct beside *beside) {
    const struct explore_outcome *smallest = found_smallest(found);
    json_open_object(json, NULL);
    json_add_string(json, "level", found_level_name(found));
    json_add_boolean(json, "complete", found->is_complete && options->replay == NULL);
    json_add_string_or_null(json, "incomplete_because",
                            options->replay != NULL ? "one order was run" : found->incomplete_because);
    json_add_boolean(json, "reduced", found->is_reduced);
    add_counts(json, found);
    json_add_invariants(json, "invariants_not_judged", found->explored, found->broken_serially);
    add_left_out(json, found);
    add_masked(json, found);
    json_open_array(json, "outcomes");
    for (size_t i = 0; i < found->outcome_count; i++) {
        add_outcome(json, found, options, &found->outcomes[i], beside);
    }
    json_close_array(json);
    add_serial(json, found);
    add_smallest(json, found, options, beside);
    json_add_string_or_null(json, "shrink_ended_because", found->shrink_ended_because);
    if (smallest == NULL) {
        json_add_null(json, "replay");
    } else if (found->smallest == NULL) {
        add_replay(json, found, options, smallest->first);
    } else {
        add_replay(json, &found->smallest->replay, options, found->smallest->outcome->first);
    }
    add_times(json, found);
    json_close_object(json);
}

void json_begin_document(struct json_writer *json, const struct options *options) {
    json_open_object(json, NULL);
    json_add_signed(json, "version", FORMAT_VERSION);
    json_add_string(json, "program", "race-explore " LAB_VERSION);
    json_add_string(json, "unit", options->explore.unit == EXPLORE_UNIT_SESSION ? "session" : "transaction");
    json_add_boolean(json, "whole_statements", options->explore.whole_statements);
    json_open_array(json, "cases");
}

void json_begin_case(struct json_writer *json, const char *file, const struct sql_case *explored) {
    json_open_object(json, NULL);
    json_add_string(json, "file", file);
    json_add_string_or_null(json, "name", explored == NULL ? NULL : explored->name);
    json_open_array(json, "sessions");
    for (size_t i = 0; explored != NULL && i < explored->session_count; i++) {
        json_add_string(json, NULL, explored->sessions[i].name);
    }
    json_close_array(json);
    json_open_array(json, "invariants");
    for (size_t i = 0; explored != NULL && i < explored->invariant_count; i++) {
        json_add_string(json, NULL, explored->invariants[i].name);
    }
    json_close_array(json);
    json_open_array(json, "explorations");
}

void json_begin_fixes(struct json_writer *json) {
    json_close_array(json);
    json_open_array(json, "fixes");
}

void json_end_case(struct json_writer *json, const char *problem) {
    json_close_array(json);
    json_add_string_or_null(json, "problem", problem);
    json_close_object(json);
}

void json_end_document(struct json_writer *json) {
    json_close_array(json);
    json_close_object(json);
    text_append_string(json->out, "\n");
}
