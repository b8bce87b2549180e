// The texts for the terminal: each candidate with its verdict and its run, a session in each column, and a last line.
#include "server/proxy/prove.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SQL_COLUMNS = 400, SESSIONS = 2, MOMENTS_MAX = 200 };

// Something that is drawn at a moment: the beginning of a statement, its end, or another event.
struct moment {
    uint64_t at_ns;
    size_t place; // in the trace; keeps the order of moments of the same time
    const struct trace_event *event;
    bool is_end;
};

static int compare(const void *first, const void *second) {
    const struct moment *a = first;
    const struct moment *b = second;
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns ? -1 : 1;
    }
    return a->place == b->place ? (int)a->is_end - (int)b->is_end : a->place < b->place ? -1 : 1;
}

static size_t column_of(const struct trace_event *event, const uint32_t sessions[SESSIONS], size_t count) {
    uint32_t backend = event->kind == TRACE_WAITS ? event->other : event->backend;
    for (size_t i = 0; i < count; i++) {
        if (sessions[i] == backend) {
            return i;
        }
    }
    return SESSIONS;
}

static bool is_drawn(const struct trace_event *event) {
    return event->kind != TRACE_COMMITTED && event->kind != TRACE_PROVED;
}

static size_t take_moments(const struct candidate *candidate, const uint32_t sessions[SESSIONS], size_t session_count,
                           struct moment *moments) {
    size_t count = 0;
    for (size_t i = 0; i < candidate->trace.count && count + 2 <= MOMENTS_MAX; i++) {
        const struct trace_event *event = &candidate->trace.events[i];
        if (is_drawn(event) && column_of(event, sessions, session_count) < SESSIONS) {
            moments[count++] = (struct moment){event->at_ns, i, event, false};
            if (event->kind == TRACE_OUTCOME) {
                moments[count++] = (struct moment){event->end_ns, i, event, true};
            }
        }
    }
    qsort(moments, count, sizeof *moments, compare);
    return count;
}

static void append_answer(const struct trace_event *event, struct text *out) {
    if (event->sqlstate[0] != '\0') {
        text_append_format(out, "-> ERROR %s", event->sqlstate);
    } else if (event->verb != SIGHT_OTHER) {
        text_append_format(out, "-> %" PRIu64 " %s", event->rows, event->rows == 1 ? "row" : "rows");
    }
}

static const char *words_of_release(enum hold_end end) {
    switch (end) {
    case HOLD_COMPLETE: return "both are here: go on";
    case HOLD_PROTECTED: return "goes on, because the other one waits for it";
    case HOLD_LIMIT: return "goes on at the time limit";
    case HOLD_CANCELLED:
    case HOLD_LEFT: return "the application has given up";
    case HOLD_DELAYED:
    case HOLD_OPENED:
    case HOLD_REPLACED:
    case HOLD_STOPPING: return "goes on";
    }
    UNREACHABLE("an end of a hold");
}

// Returns the ink of the text.
static enum ink append_moment(const struct moment *moment, const uint32_t sessions[SESSIONS], struct text *out) {
    const struct trace_event *event = moment->event;
    switch (event->kind) {
    case TRACE_OUTCOME:
        if (moment->is_end) {
            append_answer(event, out);
            return event->sqlstate[0] != '\0' ? INK_BAD : INK_PLAIN;
        }
        words_append_sql(out, slice_of(event->sql));
        words_cut(out, 0, SQL_COLUMNS);
        return INK_PLAIN;
    case TRACE_HELD: text_append_string(out, "held before its write"); return INK_NOTE;
    case TRACE_RELEASED: text_append_string(out, words_of_release(event->end)); return INK_NOTE;
    case TRACE_WAITS:
        text_append_format(out, "waits in PostgreSQL for a lock of %s", event->backend == sessions[0] ? "A" : "B");
        return INK_NOTE;
    case TRACE_COMMITTED:
    case TRACE_PROVED: return INK_PLAIN;
    }
    UNREACHABLE("a kind of event");
}

static void draw_moment(const struct drawing *drawing, const struct moment *moment, const uint32_t sessions[SESSIONS],
                        size_t column) {
    struct text text = {0};
    struct cell_text cells[DRAW_COLUMNS_MAX] = {0};
    enum ink ink = append_moment(moment, sessions, &text);
    if (text.length > 0) {
        size_t indent = moment->is_end ? 3 : 0;
        if (drawing->columns == 1) { // too narrow for two
            struct text labelled = {0};
            text_append_format(&labelled, "%s: %s", column == 0 ? "A" : "B", text_terminated(&text));
            text_free(&text);
            text = labelled;
        }
        cells[drawing->columns == 1 ? 0 : column] = (struct cell_text){text_terminated(&text), 3, indent, ink};
        draw_row(drawing, cells);
    }
    text_free(&text);
}

static void draw_run(const struct candidate *candidate, struct canvas canvas, struct text *out) {
    uint32_t sessions[SESSIONS] = {0};
    size_t session_count = verdict_sessions(candidate, sessions);
    struct moment moments[MOMENTS_MAX];
    size_t count = take_moments(candidate, sessions, session_count, moments);
    if (count == 0) {
        return;
    }
    bool has_room = draw_has_room(SESSIONS, canvas.width);
    struct drawing drawing = draw_begin(out, has_room ? SESSIONS : 1, canvas.width, canvas.has_color);
    if (has_room) {
        struct cell_text titles[DRAW_COLUMNS_MAX] = {{.text = "A", .ink = INK_BOLD}, {.text = "B", .ink = INK_BOLD}};
        draw_row(&drawing, titles);
    }
    draw_rule(&drawing);
    for (size_t i = 0; i < count; i++) {
        draw_moment(&drawing, &moments[i], sessions, column_of(moments[i].event, sessions, session_count));
    }
    draw_rule(&drawing);
    if (count + 2 > MOMENTS_MAX) {
        text_append_string(out, "  (the rest is left out; --json FILE has it)\n");
    }
}

static void append_statement(const char *label, const char *sql, struct canvas canvas, struct text *out) {
    struct text line = {0};
    text_append_format(&line, "   %s", label);
    words_append_sql(&line, slice_of(sql));
    draw_paragraph(out, text_slice(&line), canvas.width, 9);
    text_free(&line);
}

static const char *title_of(enum verdict verdict) {
    static const char *const titles[] = {"NOT FORCED", "refuted", "FORCED, a wrong result"};
    return titles[verdict];
}

void report_candidate(const struct candidate *candidate, size_t number, struct canvas canvas, struct text *out) {
    static const enum ink inks[] = {INK_NOTE, INK_GOOD, INK_BAD};
    struct text line = {0};
    text_append_format(&line, "%zu. %s", number, candidate->table);
    if (candidate->row[0] != '\0') {
        text_append_string(&line, " (");
        words_append(&line, slice_of(candidate->row));
        text_append_string(&line, ")");
    }
    for (const char *each = sight_kind_name(candidate->kind); *each != '\0'; each++) {
        text_append_string(&line, each == sight_kind_name(candidate->kind) ? ", " : "");
        text_append(&line, *each == '_' ? " " : each, 1);
    }
    text_append_slice(out, text_slice(&line));
    text_append_string(out, ": ");
    ink_append(out, canvas.has_color, inks[candidate->verdict]);
    text_append_string(out, title_of(candidate->verdict));
    ink_append(out, canvas.has_color, INK_PLAIN);
    text_append_string(out, "\n");
    text_clear(&line);
    text_append_string(&line, "   ");
    words_append(&line, text_slice(&candidate->sentence));
    draw_paragraph(out, text_slice(&line), canvas.width, 3);
    append_statement("read  ", candidate->sql_read, canvas, out);
    append_statement("write ", candidate->sql_write, canvas, out);
    if (candidate->ends[0].length > 0) {
        text_append_format(out, "   COMMAND, twice at once: %.*s and %.*s\n", (int)candidate->ends[0].length,
                           candidate->ends[0].data, (int)candidate->ends[1].length, candidate->ends[1].data);
    }
    text_append_string(out, "\n");
    draw_run(candidate, canvas, out);
    text_append_string(out, "\n");
    text_free(&line);
}

void report_explore(const struct explore *explore, struct canvas canvas, struct text *out) {
    struct text line = {0};
    text_append_string(&line, "Every order of the two: ");
    if (explore->found.is_there) {
        found_append(&explore->found, &line);
    } else {
        text_append_string(&line, "not run, because ");
        text_append_slice(&line, text_slice(&explore->problem));
    }
    draw_paragraph(out, text_slice(&line), canvas.width, 3);
    text_append_string(out, "\n");
    if (explore->found.proved > 0) { // else it calls every other branch an anomaly
        text_append_slice(out, text_slice(&explore->found.story));
        text_append_string(out, "\n");
    }
    text_free(&line);
}

void report_summary(const struct prove_result *result, struct canvas canvas, struct text *out) {
    size_t counts[3] = {0};
    for (size_t i = 0; i < result->count; i++) {
        counts[result->candidates[i].verdict]++;
    }
    struct text line = {0};
    if (result->count == 0) {
        text_append_format(&line,
                           "No candidate: COMMAND ran %" PRIu64 " statements, and wrote nothing that it had read "
                           "before.\n",
                           result->statements);
    } else {
        text_append_format(&line, "%zu %s: %zu forced, %zu refuted, %zu not forced.\n", result->count,
                           result->count == 1 ? "candidate" : "candidates", counts[VERDICT_FORCED],
                           counts[VERDICT_REFUTED], counts[VERDICT_NOT_FORCED]);
    }
    if (result->explore != NULL && result->explore->found.is_there) {
        text_append_string(&line, "Every order: ");
        found_append(&result->explore->found, &line);
        text_append_format(&line, ".\nAgain: ./lab explore %s\n", result->options->explore_path);
    } else if (result->explore != NULL) {
        text_append_format(&line, "Every order: not run, because %.*s\n", (int)result->explore->problem.length,
                           result->explore->problem.data);
    }
    if (result->dropped > 0) {
        text_append_format(&line, "%zu more candidates were not tried: give a COMMAND that does less.\n",
                           result->dropped);
    }
    ink_append(out, canvas.has_color, INK_BOLD);
    text_append_slice(out, text_slice(&line));
    ink_append(out, canvas.has_color, INK_PLAIN);
    text_free(&line);
}
