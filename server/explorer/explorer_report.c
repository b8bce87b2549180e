// The report of a case for a terminal: for each level the verdict, the smallest order that is wrong, and a line of the
// table. A level whose text is the same as an earlier level's refers to that level.
#include "server/explorer/explorer_internal.h"

#include <inttypes.h>

enum {
    OTHERS_MAX = 5, // other wrong outcomes that are listed
};

// --- The first line ---

static void append_verdict(const struct report *report, const struct exploration *found, struct text *out) {
    const struct explore_outcome *worst = found_smallest(found);
    struct text line = {0};
    words_append(&line, slice_of(found->explored->name));
    text_append_format(&line, ", %s, %s: ", found_level_name(found),
                       report->options->replay != NULL ? "one order"
                       : found->is_complete            ? "complete"
                                                       : "NOT COMPLETE");
    if (worst != NULL) {
        found_append_kind(found, worst, &line);
    } else {
        text_append_string(&line, "no anomaly");
        if (report->options->replay == NULL) {
            text_append_format(&line, "%s in %" PRIu64 " order%s", found->is_complete ? "" : " so far", found->orders,
                               found->orders == 1 ? "" : "s");
        }
    }
    enum ink ink = worst != NULL ? INK_BAD : !found->is_complete ? INK_NOTE : INK_GOOD;
    ink_append(out, report->canvas.has_color, ink);
    draw_paragraph(out, text_slice(&line), report->canvas.width, 4);
    if (report->canvas.has_color) {
        out->length--; // the colour ends before the end of the line
        ink_append(out, true, INK_PLAIN);
        text_append_string(out, "\n");
    }
    text_free(&line);
}

// --- Notes: how the verdict was found ---

static void append_note(const struct report *report, struct text *note, struct text *out) {
    draw_paragraph(out, text_slice(note), report->canvas.width, 4);
    text_clear(note);
}

static void append_why_incomplete(const struct report *report, const struct exploration *found, struct text *out) {
    struct text note = {0};
    if (!found->is_complete) {
        text_append_format(&note, "  not complete: %s",
                           found->incomplete_because == NULL ? "the case failed" : found->incomplete_because);
        append_note(report, &note, out);
    }
    text_free(&note);
}

// A case whose statements fail in every order, such as for want of a table, has no anomaly and checks nothing.
static void append_serial_error(const struct report *report, const struct exploration *found, struct text *out) {
    struct text note = {0};
    for (size_t i = 0; i < found->serial_count && note.length == 0; i++) {
        const struct explore_run *run = found->serial[i];
        for (size_t j = 0; j < run->step_count && note.length == 0; j++) {
            if (run->steps[j].sqlstate[0] != '\0') {
                text_append_string(&note, "  an error in a serial order too: ");
                explore_append_step(found->explored, &run->steps[j], &note);
                text_append_string(&note, ": ");
                found_append_answers(found, run, &run->steps[j], &note);
            }
        }
    }
    if (note.length > 0) {
        append_note(report, &note, out);
    }
    text_free(&note);
}

// The same at each level, as a rule.
static void append_notes(const struct report *report, const struct exploration *found, struct text *out) {
    struct text note = {0};
    append_serial_error(report, found, out);
    if (found->masked.length > 0) {
        text_append_string(&note,
                           "  not compared, because the values come from a sequence (rows of the setup are compared) "
                           "or change when a serial order is repeated: ");
        words_append(&note, text_slice(&found->masked));
        append_note(report, &note, out);
    }
    if (case_leaves_out_any(&found->left_out)) {
        text_append_string(&note, "  left out by --without: ");
        found_append_left_out(found, &(struct case_left_out){0}, &note);
        append_note(report, &note, out);
    }
    if (!found->explored->is_serializable) {
        text_append_string(
            &note, "  not compared with serial orders (-- serializable: no): only invariants and errors are judged");
        append_note(report, &note, out);
    }
    for (size_t i = 0; i < found->explored->invariant_count && i < 64; i++) {
        if (found->broken_serially >> i & 1) {
            text_append_string(&note, "  not judged: invariant ");
            words_append(&note, slice_of(found->explored->invariants[i].name));
            text_append_string(&note, " fails after a serial order too");
            append_note(report, &note, out);
        }
    }
    if (found->has_key_writes && found->level != CASE_READ_COMMITTED && !found->as_written) {
        text_append_string(&note,
                           "  not shown: a lone UPDATE or DELETE of a row by its key is one step, so two that "
                           "meet never wait, and none is refused with 40001; BEGIN and COMMIT around it show it");
        append_note(report, &note, out);
    }
    if (report->options->explore.whole_statements) {
        text_append_string(
            &note, "  left out by --whole-statements: races between what a lone statement reads and its COMMIT");
        append_note(report, &note, out);
    }
    if (report->options->explore.unit == EXPLORE_UNIT_TRANSACTION) {
        text_append_string(&note, "  each transaction must look atomic, a session need not (--unit transaction)");
        append_note(report, &note, out);
    }
    text_free(&note);
}

// --- The story of the smallest order ---

static void append_errors(const struct report *report, const struct exploration *found, const struct explore_run *run,
                          struct text *out) {
    struct text line = {0};
    for (size_t i = 0; i < run->step_count; i++) {
        const struct explore_step *step = &run->steps[i];
        if (step->sqlstate[0] != '\0' && strcmp(step->sqlstate, "25P02") != 0) {
            text_append_string(&line, "    ");
            explore_append_step(found->explored, step, &line);
            text_append_string(&line, ": ");
            found_append_answers(found, run, step, &line);
            append_note(report, &line, out);
        }
    }
    text_free(&line);
}

static bool has_dropped_work(const struct explore_run *run) {
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        for (size_t j = 0; j < run->sessions[i].count; j++) {
            if (run->sessions[i].answers[j].is_dropped) {
                return true;
            }
        }
    }
    return false;
}

static bool has_more_errors(const struct explore_run *run) {
    size_t errors = 0;
    for (size_t i = 0; i < run->step_count; i++) {
        errors += run->steps[i].sqlstate[0] != '\0' && strcmp(run->steps[i].sqlstate, "25P02") != 0;
    }
    return errors > 1;
}

// Names the steps that the smallest order does not need, and the anomaly if it has a name only without them.
static void append_shrunk(const struct report *report, const struct exploration *whole, struct text *out) {
    const struct explore_small *small = whole->smallest;
    struct text names = {0};
    struct text note = {0};
    if (small != NULL) {
        found_append_left_out(&small->replay, &whole->left_out, &names);
    }
    if (names.length > 0) {
        text_append_string(&note, "  not needed for it, and left out: ");
        text_append_slice(&note, text_slice(&names));
        append_note(report, &note, out);
    }
    if (small != NULL && found_smallest(whole)->name == NULL && small->outcome->name != NULL) {
        text_append_format(&note, "  the name of what is left: %s", small->outcome->name);
        append_note(report, &note, out);
    }
    if (whole->shrink_ended_because != NULL) {
        text_append_format(&note, "  a smaller one may exist: %s", whole->shrink_ended_because);
        append_note(report, &note, out);
    }
    text_free(&names);
    text_free(&note);
}

// `shown`: the exploration that has the outcome: the one of the smallest order, or `found`.
static void append_story(const struct report *report, const struct exploration *found, const struct exploration *shown,
                         const struct explore_outcome *outcome, struct text *out) {
    const struct explore_run *run = outcome->first;
    if (report->options->replay == NULL) {
        text_append_format(out, "  the smallest order, with %" PRIu32 " preemption%s:\n", run->preemptions,
                           run->preemptions == 1 ? "" : "s");
    }
    append_shrunk(report, found, out);
    text_append_string(out, "\n");
    story_append_run(shown, run, report->canvas, out);
    if (outcome->has_new_error) {
        text_append_string(out, has_more_errors(run) ? "  errors that no serial order raises together:\n"
                                                     : "  an error that no serial order raises:\n");
        append_errors(report, shown, run, out);
    }
    if (found_is_bad(outcome)) {
        text_append_string(out, "\n");
        compare_append(shown, run, report->canvas, outcome->is_anomalous, out);
        text_append_string(out, "\n");
    }
    if (outcome->is_anomalous && has_dropped_work(run)) {
        struct text note = {0};
        text_append_string(&note, "  The server undid a part of the work. The serial orders of the rest do not end so "
                                  "either; those above are of all work.");
        append_note(report, &note, out);
        text_free(&note);
    }
}

static void append_replay(const struct report *report, const struct exploration *found, const struct explore_run *run,
                          struct text *out) {
    text_append_string(out, "  again: "); // one line, to be copied
    found_append_replay(found, report->options, run, out);
    text_append_string(out, "\n");
}

// --- The other wrong outcomes ---

static uint64_t count_alike(const struct exploration *found, const struct explore_outcome *outcome, bool *is_first) {
    uint64_t orders = 0;
    *is_first = true;
    for (size_t i = 0; i < found->outcome_count; i++) {
        const struct explore_outcome *each = &found->outcomes[i];
        if (found_is_bad(each) && found_are_alike(found, outcome, each)) {
            orders += each->orders;
            *is_first &= each >= outcome;
        }
    }
    return orders;
}

static void append_others(const struct report *report, const struct exploration *found,
                          const struct explore_outcome *shown, struct text *out) {
    size_t left_out = 0;
    size_t listed = 0;
    struct text line = {0};
    for (size_t i = 0; i < found->outcome_count; i++) {
        const struct explore_outcome *each = &found->outcomes[i];
        bool is_first;
        if (!found_is_bad(each) || found_are_alike(found, each, shown)) {
            continue;
        }
        uint64_t orders = count_alike(found, each, &is_first);
        if (!is_first) {
            continue;
        }
        if (listed == OTHERS_MAX) {
            left_out++;
            continue;
        }
        text_append_format(&line, "  also %" PRIu64 " order%s: ", orders, orders == 1 ? "" : "s");
        found_append_kind(found, each, &line);
        text_append_string(&line, ": ");
        explore_append_order(found->explored, each->first, &line);
        append_note(report, &line, out);
        listed++;
    }
    if (left_out > 0) {
        text_append_format(&line, "  also %zu more outcomes: --json FILE writes all", left_out);
        append_note(report, &line, out);
    }
    text_free(&line);
}

// --- A level ---

// Appends a text unless an earlier level has the same one. Returns that level's name, or NULL.
static const char *append_new(const struct report *report, const struct text *text, size_t kind, struct text *out) {
    for (size_t i = 0; i < report->earlier_count; i++) {
        if (slice_equals(text_slice(&report->earlier[i].texts[kind]), text_slice(text))) {
            return report->earlier[i].level;
        }
    }
    text_append_slice(out, text_slice(text));
    return NULL;
}

void report_exploration(struct report *report, const struct exploration *found, struct text *out) {
    const struct explore_outcome *worst = found_smallest(found);
    const struct explore_small *small = found->smallest;
    const struct exploration *shown = small == NULL ? found : &small->replay;
    const struct explore_outcome *outcome = small == NULL ? worst : small->outcome;
    struct text texts[REPORT_TEXTS] = {0};
    append_verdict(report, found, out);
    append_why_incomplete(report, found, out);
    append_notes(report, found, &texts[REPORT_NOTES]);
    if (report->options->replay != NULL) { // it is shown whatever it is; a deadlock has an outcome for each victim
        for (size_t i = 0; i < found->outcome_count; i++) {
            append_story(report, found, found, &found->outcomes[i], &texts[REPORT_STORY]);
        }
    } else if (worst != NULL) {
        append_story(report, found, shown, outcome, &texts[REPORT_STORY]);
        append_others(report, found, worst, &texts[REPORT_OTHERS]);
    }
    (void)append_new(report, &texts[REPORT_NOTES], REPORT_NOTES, out);
    const char *same = append_new(report, &texts[REPORT_STORY], REPORT_STORY, out);
    if (same != NULL && texts[REPORT_STORY].length > 0) {
        text_append_format(out, "  the same order, answers and rows as at %s\n", same);
    }
    (void)append_new(report, &texts[REPORT_OTHERS], REPORT_OTHERS, out);
    if (worst != NULL) {
        append_replay(report, shown, outcome->first, out);
    }
    if (report->earlier_count < CASE_LEVELS) {
        report->earlier[report->earlier_count].level = found_level_name(found);
        memcpy(report->earlier[report->earlier_count++].texts, texts, sizeof texts);
    }
}

void report_free(struct report *report) {
    for (size_t i = 0; i < report->earlier_count; i++) {
        for (size_t j = 0; j < REPORT_TEXTS; j++) {
            text_free(&report->earlier[i].texts[j]);
        }
    }
    report->earlier_count = 0;
}

// --- The table ---

enum { FIGURES_MAX = 8 };

struct figure {
    const char *title;
    uint64_t value[CASE_LEVELS];
    bool is_always; // shown although it is 0 at every level
};

static size_t read_figures(const struct exploration *found, size_t count, struct figure figures[FIGURES_MAX]) {
    struct figure all[FIGURES_MAX] = {
        {.title = "orders", .is_always = true},
        {.title = "anomalous", .is_always = true},
        {.title = "invariant"},
        {.title = "error"},
        {.title = "blocked", .is_always = true},
        {.title = "aborted", .is_always = true},
        {.title = "deadlock"},
        {.title = "stuck"},
    };
    for (size_t i = 0; i < count; i++) {
        const uint64_t values[FIGURES_MAX] = {found[i].orders,     found[i].anomalous, found[i].broken,
                                              found[i].new_errors, found[i].blocked,   found[i].aborted,
                                              found[i].deadlocked, found[i].stuck};
        for (size_t j = 0; j < FIGURES_MAX; j++) {
            all[j].value[i] = values[j];
            all[j].is_always |= values[j] != 0;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < FIGURES_MAX; i++) {
        if (all[i].is_always) {
            figures[kept++] = all[i];
        }
    }
    return kept;
}

static void append_line(const struct exploration *found, size_t row, const struct figure *figures, size_t count,
                        int gap, struct text *out) {
    text_append_format(out, "  %-15s", found_level_name(&found[row]));
    for (size_t i = 0; i < count; i++) {
        text_append_format(out, "%*s%*" PRIu64, gap, "", (int)strlen(figures[i].title), figures[i].value[row]);
    }
    text_append_format(out, "%*s%8s\n", gap, "", found[row].is_complete ? "yes" : "NO");
}

static void append_as_list(const struct exploration *found, size_t row, const struct figure *figures, size_t count,
                           struct text *out) {
    text_append_format(out, "  %s:", found_level_name(&found[row]));
    for (size_t i = 0; i < count; i++) {
        text_append_format(out, "%s%s%" PRIu64 " %s", i == 0 ? "" : ",", i % 4 == 0 ? "\n    " : " ",
                           figures[i].value[row], figures[i].title);
    }
    text_append_format(out, "\n    %s\n", found[row].is_complete ? "complete" : "NOT COMPLETE");
}

static void append_times(const struct exploration *found, size_t count, struct text *out) {
    uint64_t runs = 0;
    uint64_t elapsed = 0;
    uint64_t first = 0;
    for (size_t i = 0; i < count; i++) {
        runs += found[i].runs;
        elapsed += found[i].ended_ns - found[i].started_ns;
        if (first == 0 && found[i].first_anomaly_ns != 0) {
            first = found[i].first_anomaly_ns - found[i].started_ns;
        }
    }
    text_append_format(out, "  %" PRIu64 " runs in %.1f s (%.0f/s)", runs, (double)elapsed / 1e9,
                       elapsed == 0 ? 0.0 : (double)runs * 1e9 / (double)elapsed);
    if (first != 0) {
        text_append_format(out, "; the first finding after %.0f ms", (double)first / 1e6);
    }
    text_append_string(out, "\n");
}

void report_table(const struct report *report, const struct exploration *found, size_t count, struct text *out) {
    struct figure figures[FIGURES_MAX];
    size_t kept = read_figures(found, count, figures);
    size_t width = 2 + 15 + 8;
    if (count == 0 || report->options->replay != NULL) {
        return;
    }
    for (size_t i = 0; i < kept; i++) {
        width += strlen(figures[i].title);
    }
    int gap = width + 2 * (kept + 1) <= report->canvas.width ? 2 : 1;
    if (width + kept + 1 > report->canvas.width) {
        for (size_t row = 0; row < count; row++) {
            append_as_list(found, row, figures, kept, out);
        }
    } else {
        text_append_format(out, "\n  %-15s", "level");
        for (size_t i = 0; i < kept; i++) {
            text_append_format(out, "%*s%s", gap, "", figures[i].title);
        }
        text_append_format(out, "%*s%s\n", gap, "", "complete");
        for (size_t row = 0; row < count; row++) {
            append_line(found, row, figures, kept, gap, out);
        }
    }
    append_times(found, count, out);
}
