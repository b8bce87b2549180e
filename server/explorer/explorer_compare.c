// Draws the answers and the final rows of an order beside those of the serial orders.
//
// compare_append() > draw_block(): this order and as many serial orders as have room > draw_answers(), draw_table().
// A part is marked if none of the serial orders has it, also none of another block.
#include "server/explorer/explorer_internal.h"

#include <stdlib.h>

enum {
    CELL_COLUMNS = 20, // at least
    SERIAL_MAX = 12,   // serial orders that are compared
    RUNS_MAX = SERIAL_MAX + 1,
    ROWS_MAX = 12,       // a table with more shows only the rows that differ
    VALUE_COLUMNS = 120, // a cell's text is cut there
};

struct comparison {
    const struct exploration *found;
    const struct explore_run *runs[RUNS_MAX]; // the order, then serial orders
    size_t count;
    size_t first, shown; // the serial orders of this block
    struct drawing drawing;
    struct arena memory;
    struct text same; // the names of the tables that have the same rows in all of the runs
    bool has_mark;    // a part that no serial order shows
};

// --- A line: what each run has in one place ---

struct line {
    const char *key;                // the rows with one key are the same row
    const char *cells[RUNS_MAX];    // to draw; NULL: this run has none
    const char *compared[RUNS_MAX]; // without what is not compared
};

static bool is_same(const char *one, const char *other) {
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static bool differs(const struct comparison *comparison, const struct line *line) {
    for (size_t i = 1; i < comparison->count; i++) {
        if (!is_same(line->compared[0], line->compared[i])) {
            return true;
        }
    }
    return false;
}

static bool is_only_here(const struct comparison *comparison, const struct line *line) {
    for (size_t i = 1; i < comparison->count; i++) {
        if (is_same(line->compared[0], line->compared[i])) {
            return false;
        }
    }
    return comparison->count > 1;
}

// The number of the run that stands in a column of this block.
static size_t run_in(const struct comparison *comparison, size_t column) {
    return column == 0 ? 0 : comparison->first + column - 1;
}

static void draw_line(struct comparison *comparison, const struct line *line, const char *label, const char *none) {
    struct cell_text cells[DRAW_COLUMNS_MAX] = {0};
    struct text texts[DRAW_COLUMNS_MAX] = {0};
    bool is_marked = is_only_here(comparison, line);
    comparison->has_mark |= is_marked;
    for (size_t i = 0; i <= comparison->shown; i++) {
        const char *text = line->cells[run_in(comparison, i)];
        bool is_bad = i == 0 && is_marked;
        text_append_string(&texts[i], is_bad ? "* " : "");
        text_append_string(&texts[i], label);
        text_append_string(&texts[i], text == NULL ? none : text);
        words_cut(&texts[i], 0, VALUE_COLUMNS);
        cells[i] = (struct cell_text){
            .text = text_terminated(&texts[i]),
            .indent = is_bad ? 0 : 2,
            .hang = 4,
            .ink = is_bad         ? INK_BAD
                   : text == NULL ? INK_DIM
                                  : INK_PLAIN,
        };
    }
    draw_row(&comparison->drawing, cells);
    for (size_t i = 0; i <= comparison->shown; i++) {
        text_free(&texts[i]);
    }
}

static void draw_title(const struct comparison *comparison, const char *title) {
    struct cell_text cells[DRAW_COLUMNS_MAX] = {{.text = title, .ink = INK_DIM}};
    draw_row(&comparison->drawing, cells);
}

// --- Answers ---

static const struct explore_step *step_like(const struct explore_run *run, const struct explore_step *step) {
    for (size_t i = 0; i < run->step_count; i++) {
        const struct explore_step *each = &run->steps[i];
        if (each->session == step->session && each->instruction == step->instruction &&
            each->is_commit == step->is_commit && each->is_check == step->is_check) {
            return each;
        }
    }
    return NULL;
}

static int compare_texts(const void *one, const void *other) {
    return strcmp(*(char *const *)one, *(char *const *)other);
}

// The rows of an answer as one text that does not depend on their order, unless the statement has an ORDER BY.
static void append_compared_rows(struct comparison *comparison, const struct explore_step *step,
                                 const struct explore_answer *answer, struct text *out) {
    char **rows = arena_allocate(&comparison->memory, (size_t)answer->rows * sizeof *rows + 1);
    for (int row = 0; row < answer->rows; row++) {
        struct text text = {0};
        for (int column = 0; column < answer->columns; column++) {
            bool is_masked = answer->is_generated[row * answer->columns + column] ||
                             found_masks_answer(comparison->found, step, column);
            const char *value = answer->values[row * answer->columns + column];
            text_append_format(&text, "%s\x1f", is_masked ? "" : value == NULL ? "\x01" : value);
        }
        rows[row] = arena_copy(&comparison->memory, text_slice(&text));
        text_free(&text);
    }
    if (answer->rows > 0 && !found_has_order_by(comparison->found, step)) {
        qsort(rows, (size_t)answer->rows, sizeof *rows, compare_texts);
    }
    for (int row = 0; row < answer->rows; row++) {
        text_append_format(out, "%s\x1e", rows[row]);
    }
}

static const char *compared_answers(struct comparison *comparison, const struct explore_run *run,
                                    const struct explore_step *step) {
    const struct explore_session_run *session = &run->sessions[step->session];
    struct text text = {0};
    text_append_string(&text, step->sqlstate);
    for (size_t i = found_answer(run, step, 0); i < session->count && explore_has_answers(step);
         i = found_answer(run, step, i + 1)) {
        const struct explore_answer *answer = &session->answers[i];
        text_append_format(&text, "\x1d%s\x1d", found_is_error(step, answer) ? answer->sqlstate : answer->tag);
        append_compared_rows(comparison, step, answer, &text);
    }
    const char *copy = arena_copy(&comparison->memory, text_slice(&text));
    text_free(&text);
    return copy;
}

static bool read_answers(struct comparison *comparison, const struct explore_step *step, struct line *line) {
    *line = (struct line){0};
    for (size_t i = 0; i < comparison->count; i++) {
        const struct explore_run *run = comparison->runs[i];
        const struct explore_step *each = step_like(run, step);
        if (each != NULL) {
            struct text text = {0};
            found_append_answers(comparison->found, run, each, &text);
            line->cells[i] = arena_copy(&comparison->memory, text_slice(&text));
            line->compared[i] = compared_answers(comparison, run, each);
            text_free(&text);
        }
    }
    // A serial order has no step for the COMMIT of an autocommit statement, and none for the checks before a COMMIT.
    return differs(comparison, line) && (explore_has_answers(step) || step->sqlstate[0] != '\0');
}

static void draw_answer_of(struct comparison *comparison, const struct explore_step *step, bool *has_title) {
    struct line line;
    if (!read_answers(comparison, step, &line)) {
        return;
    }
    if (!*has_title) {
        draw_title(comparison, "answers that differ");
        *has_title = true;
    }
    struct text label = {0};
    struct text name = {0};
    explore_append_step(comparison->found->explored, step, &name);
    words_append(&label, text_slice(&name));
    text_append_string(&label, ": ");
    draw_line(comparison, &line, text_terminated(&label), "not run");
    text_free(&label);
    text_free(&name);
}

// The steps of this order session by session, then those that only a serial order has.
static void draw_answers(struct comparison *comparison) {
    bool has_title = false;
    for (uint8_t session = 0; session < comparison->found->explored->session_count; session++) {
        for (size_t i = 0; i < comparison->count; i++) {
            const struct explore_run *run = comparison->runs[i];
            for (size_t j = 0; j < run->step_count; j++) {
                bool is_drawn = run->steps[j].session != session;
                for (size_t k = 0; k < i && !is_drawn; k++) {
                    is_drawn = step_like(comparison->runs[k], &run->steps[j]) != NULL;
                }
                if (!is_drawn) {
                    draw_answer_of(comparison, &run->steps[j], &has_title);
                }
            }
        }
    }
}

// --- Rows ---

static const char *row_text(struct comparison *comparison, const struct explore_table *table, int row) {
    struct text text = {0};
    found_append_row(comparison->found, table, row, &text);
    const char *copy = arena_copy(&comparison->memory, text_slice(&text));
    text_free(&text);
    return copy;
}

static const char *compared_row(struct comparison *comparison, const struct explore_table *table, int row) {
    struct text text = {0};
    for (int column = 0; column < table->columns; column++) {
        bool is_masked = table->is_generated[row * table->columns + column] ||
                         found_masks_table(comparison->found, table, column);
        const char *value = table->values[row * table->columns + column];
        text_append_format(&text, "%s\x1f", is_masked ? "" : value == NULL ? "\x01" : value);
    }
    const char *copy = arena_copy(&comparison->memory, text_slice(&text));
    text_free(&text);
    return copy;
}

// A case may create and drop tables in its steps. NULL: there is none of that name at the end.
static const struct explore_table *table_named(const struct explore_run *run, const char *name) {
    for (size_t i = 0; i < run->table_count; i++) {
        if (strcmp(run->tables[i].name, name) == 0) {
            return &run->tables[i];
        }
    }
    return NULL;
}

static bool has_generated_key(const struct explore_table *table) {
    for (int row = 0; row < table->rows; row++) {
        if (table->is_generated[row * table->columns]) {
            return true;
        }
    }
    return false;
}

// True if the values of the first column name the rows: no run has one of them twice.
static bool first_column_is_key(const struct comparison *comparison, const char *name) {
    for (size_t i = 0; i < comparison->count; i++) {
        const struct explore_table *each = table_named(comparison->runs[i], name);
        if (each == NULL) {
            continue;
        }
        if (each->columns < 2 || each->rows > 200 || has_generated_key(each) ||
            found_masks_table(comparison->found, each, 0)) {
            return false;
        }
        for (int one = 0; one < each->rows; one++) {
            for (int other = 0; other < one; other++) {
                if (is_same(each->values[one * each->columns], each->values[other * each->columns])) {
                    return false;
                }
            }
        }
    }
    return true;
}

struct lines {
    struct line *items;
    size_t count;
};

// The line with the key that has no cell of this run yet.
static struct line *line_for(struct lines *lines, const char *key, size_t run) {
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->items[i].cells[run] == NULL && is_same(lines->items[i].key, key)) {
            return &lines->items[i];
        }
    }
    lines->items = memory_resize(lines->items, (lines->count + 1) * sizeof *lines->items);
    lines->items[lines->count] = (struct line){.key = key};
    return &lines->items[lines->count++];
}

static int compare_keys(const void *one, const void *other) {
    const char *a = ((const struct line *)one)->key;
    const char *b = ((const struct line *)other)->key;
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

static struct lines read_table(struct comparison *comparison, const char *name) {
    bool has_key = first_column_is_key(comparison, name);
    struct lines lines = {0};
    for (size_t i = 0; i < comparison->count; i++) {
        const struct explore_table *table = table_named(comparison->runs[i], name);
        for (int row = 0; table != NULL && row < table->rows; row++) {
            const char *compared = compared_row(comparison, table, row);
            const char *key = has_key ? table->values[row * table->columns] : compared;
            struct line *line = line_for(&lines, key, i);
            line->cells[i] = row_text(comparison, table, row);
            line->compared[i] = compared;
        }
    }
    if (lines.count > 0) {
        qsort(lines.items, lines.count, sizeof *lines.items, compare_keys);
    }
    return lines;
}

// True if it is named instead: its rows are the same in all of the runs, and another part is not.
static bool is_same_table(struct comparison *comparison, const char *name, const struct lines *lines) {
    bool is_in_all = true;
    for (size_t i = 0; i < comparison->count; i++) {
        is_in_all &= table_named(comparison->runs[i], name) != NULL;
    }
    for (size_t i = 0; i < lines->count; i++) {
        is_in_all &= !differs(comparison, &lines->items[i]);
    }
    if (is_in_all && comparison->count > 1) {
        text_append_string(&comparison->same, comparison->same.length == 0 ? "" : ", ");
        words_append(&comparison->same, slice_of(name));
    }
    return is_in_all && comparison->count > 1;
}

static void draw_table(struct comparison *comparison, const struct explore_table *table) {
    struct lines lines = read_table(comparison, table->name);
    struct text title = {0};
    if (is_same_table(comparison, table->name, &lines)) {
        free(lines.items);
        return;
    }
    words_append(&title, slice_of(table->name));
    for (int column = 0; column < table->columns; column++) {
        if (found_shows_column(comparison->found, table, column)) {
            text_append_string(&title, column == 0 ? " (" : ", ");
            words_append(&title, slice_of(table->names[column]));
        }
    }
    text_append_string(&title, table->columns == 0 ? "" : ")");
    text_append_string(&title, lines.count == 0 ? ": no rows" : "");
    draw_title(comparison, text_terminated(&title));
    size_t hidden = 0;
    size_t drawn = 0;
    for (size_t i = 0; i < lines.count; i++) {
        bool is_shown = lines.count <= ROWS_MAX || (differs(comparison, &lines.items[i]) && drawn < ROWS_MAX);
        if (is_shown) {
            draw_line(comparison, &lines.items[i], "", "(no row)");
            drawn++;
        } else {
            hidden++;
        }
    }
    if (hidden > 0) {
        text_clear(&title);
        text_append_format(&title, "  ... and %zu more rows", hidden);
        draw_title(comparison, text_terminated(&title));
    }
    free(lines.items);
    text_free(&title);
}

// --- The whole ---

static void draw_head(struct comparison *comparison) {
    struct cell_text cells[DRAW_COLUMNS_MAX] = {{.text = "this order", .ink = INK_BOLD}};
    struct text names[DRAW_COLUMNS_MAX] = {0};
    for (size_t i = 1; i <= comparison->shown; i++) {
        found_append_sessions(comparison->found, comparison->runs[run_in(comparison, i)], &names[i]);
        cells[i] = (struct cell_text){.text = text_terminated(&names[i]), .ink = INK_BOLD};
    }
    draw_row(&comparison->drawing, cells);
    for (size_t i = 1; i <= comparison->shown; i++) {
        text_free(&names[i]);
    }
    draw_rule(&comparison->drawing);
}

static void draw_block(struct comparison *comparison) {
    draw_head(comparison);
    draw_answers(comparison);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct explore_run *run = comparison->runs[i];
        for (size_t j = 0; j < run->table_count; j++) {
            bool is_drawn = false;
            for (size_t k = 0; k < i; k++) {
                is_drawn |= table_named(comparison->runs[k], run->tables[j].name) != NULL;
            }
            if (!is_drawn) {
                draw_table(comparison, &run->tables[j]);
            }
        }
    }
    draw_rule(&comparison->drawing);
    arena_free(&comparison->memory);
}

void compare_append(const struct exploration *found, const struct explore_run *run, struct canvas canvas,
                    bool is_anomalous, struct text *out) {
    struct comparison comparison = {.found = found, .runs = {run}, .count = 1};
    while (comparison.count < RUNS_MAX && comparison.count - 1 < found->serial_count) {
        comparison.runs[comparison.count] = found->serial[comparison.count - 1];
        comparison.count++;
    }
    size_t room = MIN(MAX((canvas.width + 1) / (CELL_COLUMNS + 3), (size_t)2), (size_t)DRAW_COLUMNS_MAX) - 1;
    size_t serial = comparison.count - 1;
    for (size_t first = 1; first <= serial || first == 1; first += room) {
        text_clear(&comparison.same); // each block has all tables
        comparison.first = first;
        comparison.shown = MIN(room, serial + 1 - first);
        comparison.drawing = draw_begin(out, comparison.shown + 1, canvas.width, canvas.has_color);
        draw_block(&comparison);
    }
    if (comparison.same.length > 0) {
        struct text line = {0};
        text_append_string(&line, "  the rows are the same in all of them: ");
        text_append_slice(&line, text_slice(&comparison.same));
        draw_paragraph(out, text_slice(&line), canvas.width, 4);
        text_free(&line);
        text_free(&comparison.same);
    }
    if (comparison.has_mark) {
        text_append_string(out, "  * no serial order shows this\n");
    } else if (is_anomalous && serial > 1) {
        draw_paragraph(out, SLICE_LITERAL("  each part is as after some serial order, but none shows all of them"),
                       canvas.width, 2);
    }
    if (serial < found->serial_count) {
        text_append_format(out, "  ... and %zu more serial outcomes: --json FILE writes all\n",
                           found->serial_count - serial);
    }
}
