// Draws the steps of a run in their order, a column for each session.
#include "server/explorer/explorer_internal.h"

enum {
    SQL_COLUMNS = 240, // a longer statement is cut
    LIST_INDENT = 4,
    LABEL_COLUMNS = 6, // below a longer label the lines stand further left
};

struct story {
    const struct exploration *found;
    const struct explore_run *run;
    struct drawing drawing;
    bool is_list;                      // too many sessions for columns: the steps are one below the other
    uint8_t column[CASE_SESSIONS_MAX]; // by session
    size_t columns;
};

// A session that is left out has no column.
static void take_columns(struct story *story) {
    const struct exploration *found = story->found;
    for (size_t i = 0; i < found->explored->session_count; i++) {
        story->column[i] = (uint8_t)story->columns;
        story->columns += !case_leaves_out_session(found->explored, &found->left_out, i);
    }
}

static void draw_in(const struct story *story, uint8_t session, struct text *text, size_t indent, size_t hang,
                    enum ink ink) {
    struct cell_text cells[DRAW_COLUMNS_MAX] = {0};
    cells[story->is_list ? 0 : story->column[session]] =
        (struct cell_text){.text = text_terminated(text), .indent = indent, .hang = hang, .ink = ink};
    draw_row(&story->drawing, cells);
    text_clear(text);
}

// "A2 ", or "s1: rxy1 " in a list if the name of the step does not begin with the session's.
static void append_label(const struct story *story, const struct explore_step *step, struct text *out) {
    const char *session = story->found->explored->sessions[step->session].name;
    struct text name = {0};
    explore_append_step(story->found->explored, step, &name);
    if (story->is_list && !slice_starts_with(text_slice(&name), slice_of(session))) {
        words_append(out, slice_of(session));
        text_append_string(out, ": ");
    }
    words_append(out, text_slice(&name));
    text_append_string(out, " ");
    text_free(&name);
}

// Lines behind the first one of a step stand below its SQL.
static size_t indent_of(const struct story *story, const struct text *label) {
    return story->is_list ? LIST_INDENT : MIN(words_width(text_slice(label)), (size_t)LABEL_COLUMNS);
}

static void append_sql(const struct story *story, const struct explore_step *step, struct text *out) {
    const struct case_instruction *instruction =
        &story->found->explored->sessions[step->session].instructions[step->instruction];
    size_t from = out->length;
    const char *sql = step->sql == NULL ? instruction->source : step->sql;
    words_append_sql(out, step->is_commit ? SLICE_LITERAL("COMMIT") : slice_of(sql));
    for (size_t i = 0; i < instruction->parameter_count && explore_has_answers(step); i++) {
        const char *value = instruction->parameters[i];
        text_append_format(out, "%s$%zu=", i == 0 ? "  -- " : ", ", i + 1);
        words_append(out, slice_of(value == NULL ? "NULL" : value));
    }
    words_cut(out, from, SQL_COLUMNS);
}

static void draw_answer(const struct story *story, const struct explore_step *step, size_t indent) {
    struct text answer = {0};
    struct text line = {0};
    found_append_answers(story->found, story->run, step, &answer);
    // "BEGIN" and "COMMIT" answer themselves.
    bool is_plain = slice_equals(text_slice(&answer), SLICE_LITERAL("BEGIN")) ||
                    slice_equals(text_slice(&answer), SLICE_LITERAL("COMMIT"));
    if (answer.length > 0 && !is_plain) {
        text_append_string(&line, "-> ");
        text_append_slice(&line, text_slice(&answer));
        draw_in(story, step->session, &line, indent, indent + 3,
                slice_starts_with(text_slice(&answer), SLICE_LITERAL("ERROR")) ? INK_BAD : INK_PLAIN);
    }
    text_free(&answer);
    text_free(&line);
}

static void draw_wait(const struct story *story, const struct explore_step *step, size_t indent) {
    struct text line = {0};
    text_append_string(&line, "waits for ");
    const char *separator = "";
    for (unsigned i = 0; i < story->found->explored->session_count; i++) {
        if (step->blocked_by >> i & 1) {
            text_append_string(&line, separator);
            words_append(&line, slice_of(story->found->explored->sessions[i].name));
            separator = ", ";
        }
    }
    text_append_string(&line, step->blocked_by == 0 ? "a lock" : "");
    draw_in(story, step->session, &line, indent, indent + 2, INK_NOTE);
    text_free(&line);
}

// True if a session that waited was refused when this step was launched, because the step closed a circle of waits.
static bool closes_circle(const struct story *story, size_t number) {
    for (size_t i = 0; i < number; i++) {
        const struct explore_step *step = &story->run->steps[i];
        if (step->completed == number + 1 && strcmp(step->sqlstate, "40P01") == 0) {
            return true;
        }
    }
    return false;
}

static void draw_continued(const struct story *story, const struct explore_step *step) {
    struct text text = {0};
    append_label(story, step, &text);
    size_t indent = indent_of(story, &text);
    text_append_string(&text, "continues");
    draw_in(story, step->session, &text, 0, indent, INK_NOTE);
    draw_answer(story, step, indent);
    text_free(&text);
}

static void draw_step(const struct story *story, size_t number) {
    const struct explore_step *step = &story->run->steps[number];
    struct text text = {0};
    append_label(story, step, &text);
    size_t indent = indent_of(story, &text);
    append_sql(story, step, &text);
    draw_in(story, step->session, &text, 0, indent, INK_PLAIN);
    bool is_at_once = step->completed == number + 1, has_circle = is_at_once && closes_circle(story, number);
    if (has_circle) {
        text_append_string(&text, "waits, which closes a circle: a deadlock");
        draw_in(story, step->session, &text, indent, indent + 2, INK_NOTE);
    } else if (is_at_once) {
        draw_answer(story, step, indent);
    } else {
        draw_wait(story, step, indent);
    }
    for (size_t i = 0; i < number; i++) {
        if (story->run->steps[i].completed == number + 1) {
            draw_continued(story, &story->run->steps[i]);
        }
    }
    if (has_circle) {
        draw_continued(story, step);
    }
    text_free(&text);
}

static void draw_names(const struct story *story) {
    struct cell_text titles[DRAW_COLUMNS_MAX] = {0};
    struct text names[DRAW_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < story->found->explored->session_count; i++) {
        if (!case_leaves_out_session(story->found->explored, &story->found->left_out, i)) {
            size_t column = story->column[i];
            words_append(&names[column], slice_of(story->found->explored->sessions[i].name));
            words_cut(&names[column], 0, story->drawing.cell);
            titles[column] = (struct cell_text){.text = text_terminated(&names[column]), .ink = INK_BOLD};
        }
    }
    draw_row(&story->drawing, titles);
    for (size_t i = 0; i < story->columns; i++) {
        text_free(&names[i]);
    }
}

void story_append_run(const struct exploration *found, const struct explore_run *run, struct canvas canvas,
                      struct text *out) {
    struct story story = {.found = found, .run = run};
    take_columns(&story);
    story.is_list = story.columns > 4 || !draw_has_room(story.columns, canvas.width);
    story.drawing = draw_begin(out, story.is_list ? 1 : story.columns, canvas.width, canvas.has_color);
    if (!story.is_list) {
        draw_names(&story);
    }
    draw_rule(&story.drawing);
    for (size_t i = 0; i < run->step_count; i++) {
        draw_step(&story, i);
    }
    draw_rule(&story.drawing);
}
