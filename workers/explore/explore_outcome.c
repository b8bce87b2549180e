// Writes what two orders must have in common as one text, so that outcomes are compared byte by byte.
//
// The text has the answers to each session's statements that were not dropped, and the rows of all tables. Rows are
// sorted unless the statement has an ORDER BY. Values of masked columns are left out.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

#define VALUE_END "\x1f"
#define ROW_END "\x1e"
#define PART_END "\x1d"
#define NULL_VALUE "\x01"

struct rows {
    int rows, columns;
    const char **values;
    const bool *is_masked;    // by column
    const bool *is_generated; // by row and column
};

static void append_row(const struct rows *rows, int row, struct text *out) {
    for (int column = 0; column < rows->columns; column++) {
        const char *value = rows->values[row * rows->columns + column];
        if (!rows->is_masked[column] && !rows->is_generated[row * rows->columns + column]) {
            text_append_string(out, value == NULL ? NULL_VALUE : value);
        }
        text_append_string(out, VALUE_END);
    }
}

static int compare(const void *one, const void *other) {
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static void append_rows(const struct rows *rows, bool in_order, struct text *out) {
    struct arena memory = {0};
    struct text row = {0};
    char **lines = arena_allocate(&memory, (size_t)rows->rows * sizeof *lines + 1);
    for (int i = 0; i < rows->rows; i++) {
        text_clear(&row);
        append_row(rows, i, &row);
        lines[i] = arena_copy(&memory, text_slice(&row));
    }
    if (!in_order) {
        qsort(lines, (size_t)rows->rows, sizeof *lines, compare);
    }
    for (int i = 0; i < rows->rows; i++) {
        text_append_string(out, lines[i]);
        text_append_string(out, ROW_END);
    }
    text_free(&row);
    arena_free(&memory);
}

static bool is_masked(const struct masks *masks, struct mask column) {
    for (size_t i = 0; i < masks->count; i++) {
        const struct mask *each = &masks->items[i];
        if (each->of_table == column.of_table && each->session == column.session && each->table == column.table &&
            each->instruction == column.instruction && each->column == column.column) {
            return true;
        }
    }
    return false;
}

static void append_masked(const struct masks *masks, struct mask column, struct rows rows, bool in_order,
                          struct text *out) {
    bool *masked = memory_allocate_zeroed((size_t)rows.columns + 1);
    for (int i = 0; i < rows.columns; i++) {
        column.column = i;
        masked[i] = is_masked(masks, column);
    }
    rows.is_masked = masked;
    append_rows(&rows, in_order, out);
    free(masked);
}

void outcome_append(const struct cell *cell, const struct explore_run *run, const struct masks *masks,
                    struct text *out) {
    for (uint16_t i = 0; i < cell->session_count; i++) {
        const struct explore_session_run *session = &run->sessions[i];
        for (size_t j = 0; j < session->count; j++) {
            const struct explore_answer *answer = &session->answers[j];
            if (answer->is_dropped) {
                continue;
            }
            text_append_format(out, "%u" VALUE_END "%u" VALUE_END "%s" VALUE_END "%s" VALUE_END, i, answer->instruction,
                               answer->sqlstate, answer->tag);
            append_masked(masks, (struct mask){.session = i, .instruction = answer->instruction},
                          (struct rows){.rows = answer->rows,
                                        .columns = answer->columns,
                                        .values = answer->values,
                                        .is_generated = answer->is_generated},
                          cell->shapes[i][answer->instruction].has_order_by, out);
            text_append_string(out, PART_END);
        }
    }
    for (uint16_t i = 0; i < run->table_count; i++) {
        const struct explore_table *table = &run->tables[i];
        text_append_format(out, "%s" VALUE_END, table->name);
        append_masked(masks, (struct mask){.of_table = true, .table = i},
                      (struct rows){.rows = table->rows,
                                    .columns = table->columns,
                                    .values = table->values,
                                    .is_generated = table->is_generated},
                      false, out);
        text_append_string(out, PART_END);
    }
}

void outcome_append_dropped(const struct explore_run *run, struct text *out) {
    for (unsigned i = 0; i < CASE_SESSIONS_MAX; i++) {
        for (size_t j = 0; j < run->sessions[i].count; j++) {
            if (run->sessions[i].answers[j].is_dropped) {
                text_append_format(out, "%u:%u ", i, run->sessions[i].answers[j].instruction);
            }
        }
    }
}

static void add_mask(struct masks *masks, struct mask column) {
    if (is_masked(masks, column)) {
        return;
    }
    masks->items = memory_resize(masks->items, (masks->count + 1) * sizeof *masks->items);
    masks->items[masks->count++] = column;
}

// The values of a column as one text, sorted: the rows of a table come in any order.
static void append_column(const struct rows *rows, int column, struct text *out) {
    struct arena memory = {0};
    const char **values = arena_allocate(&memory, (size_t)rows->rows * sizeof *values + 1);
    for (int i = 0; i < rows->rows; i++) {
        const char *value = rows->values[i * rows->columns + column];
        values[i] = value == NULL ? NULL_VALUE : value;
    }
    qsort(values, (size_t)rows->rows, sizeof *values, compare);
    for (int i = 0; i < rows->rows; i++) {
        text_append_string(out, values[i]);
        text_append_string(out, VALUE_END);
    }
    arena_free(&memory);
}

static void compare_columns(struct masks *masks, struct mask column, const struct rows *one, const struct rows *other) {
    for (int i = 0; i < MIN(one->columns, other->columns); i++) {
        struct text first = {0};
        struct text second = {0};
        append_column(one, i, &first);
        append_column(other, i, &second);
        if (!slice_equals(text_slice(&first), text_slice(&second))) {
            column.column = i;
            add_mask(masks, column);
        }
        text_free(&first);
        text_free(&second);
    }
}

void masks_add_differences(struct masks *masks, const struct explore_run *one, const struct explore_run *other) {
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        for (size_t j = 0; j < MIN(one->sessions[i].count, other->sessions[i].count); j++) {
            const struct explore_answer *a = &one->sessions[i].answers[j];
            const struct explore_answer *b = &other->sessions[i].answers[j];
            compare_columns(masks, (struct mask){.session = (uint16_t)i, .instruction = a->instruction},
                            &(struct rows){.rows = a->rows, .columns = a->columns, .values = a->values},
                            &(struct rows){.rows = b->rows, .columns = b->columns, .values = b->values});
        }
    }
    for (size_t i = 0; i < MIN(one->table_count, other->table_count); i++) {
        const struct explore_table *a = &one->tables[i];
        const struct explore_table *b = &other->tables[i];
        compare_columns(masks, (struct mask){.of_table = true, .table = (uint16_t)i},
                        &(struct rows){.rows = a->rows, .columns = a->columns, .values = a->values},
                        &(struct rows){.rows = b->rows, .columns = b->columns, .values = b->values});
    }
}

void masks_append_names(const struct masks *masks, const struct sql_case *explored, const struct explore_run *run,
                        struct text *out) {
    const char *separator = "";
    for (size_t i = 0; i < run->table_count; i++) {
        for (int j = 0; j < run->tables[i].columns; j++) {
            if (run->tables[i].from_sequence[j]) {
                text_append_format(out, "%s%s.%s", separator, run->tables[i].name, run->tables[i].names[j]);
                separator = ", ";
            }
        }
    }
    for (size_t i = 0; i < masks->count; i++) {
        const struct mask *mask = &masks->items[i];
        if (mask->of_table) {
            const struct explore_table *table = &run->tables[mask->table];
            text_append_format(out, "%s%s.%s", separator, table->name, table->names[mask->column]);
        } else {
            const struct case_session *session = &explored->sessions[mask->session];
            text_append_format(out, "%scolumn %d of %s", separator, mask->column + 1,
                               session->instructions[mask->instruction].name);
        }
        separator = ", ";
    }
}

static bool has_error(const struct explore_session_run *session, const char *sqlstate) {
    for (size_t i = 0; i < session->count; i++) {
        if (strcmp(session->answers[i].sqlstate, sqlstate) == 0) {
            return true;
        }
    }
    return false;
}

// An error that is not the server's request to repeat, nor one that follows from an error before.
static bool is_refusal(const char *sqlstate) {
    return sqlstate[0] != '\0' && strcmp(sqlstate, "40001") != 0 && strcmp(sqlstate, "40P01") != 0 &&
           strcmp(sqlstate, "25P02") != 0;
}

// Two sessions may each be refused in some serial order, but in none together.
static bool has_errors_of(const struct cell *cell, const struct explore_run *serial, const struct explore_run *run) {
    for (size_t i = 0; i < cell->session_count; i++) {
        for (size_t j = 0; j < run->sessions[i].count; j++) {
            const char *sqlstate = run->sessions[i].answers[j].sqlstate;
            if (is_refusal(sqlstate) && !has_error(&serial->sessions[i], sqlstate)) {
                return false;
            }
        }
    }
    return true;
}

bool outcome_has_new_error(const struct cell *cell, const struct explore_run *run, const struct serial_run *serial,
                           size_t serial_count) {
    for (size_t i = 0; i < serial_count; i++) {
        if (has_errors_of(cell, serial[i].run, run)) {
            return false;
        }
    }
    return serial_count > 0;
}

bool run_is_smaller(const struct explore_run *one, const struct explore_run *other) {
    if (one->preemptions != other->preemptions) {
        return one->preemptions < other->preemptions;
    }
    if (one->step_count != other->step_count) {
        return one->step_count < other->step_count;
    }
    for (size_t i = 0; i < one->step_count; i++) {
        if (one->steps[i].session != other->steps[i].session) {
            return one->steps[i].session < other->steps[i].session;
        }
    }
    return one->victims < other->victims;
}

// A statement that names a table which does not exist would fail alike in every order, and be called clean.
bool outcome_fails_always(const struct sql_case *explored, const struct serial_run *serial, size_t serial_count,
                          struct text *problem) {
    const struct explore_answer *found = NULL;
    size_t in_session = 0;
    for (size_t i = 0; i < serial_count; i++) {
        bool fails = false;
        for (size_t j = 0; j < explored->session_count && !fails; j++) {
            for (size_t k = 0; k < serial[i].run->sessions[j].count && !fails; k++) {
                const struct explore_answer *answer = &serial[i].run->sessions[j].answers[k];
                // A syntax error, an unknown name, a refused access, what PostgreSQL does not support, or what it
                // accepts only inside or only outside of a transaction.
                fails = strncmp(answer->sqlstate, "42", 2) == 0 || strncmp(answer->sqlstate, "0A", 2) == 0 ||
                        strcmp(answer->sqlstate, "25001") == 0 || strcmp(answer->sqlstate, "25P01") == 0;
                found = fails ? answer : found;
                in_session = fails ? j : in_session;
            }
        }
        if (!fails) {
            return false;
        }
    }
    if (found == NULL) {
        return false;
    }
    const struct case_instruction *instruction = &explored->sessions[in_session].instructions[found->instruction];
    text_append_format(problem, "%s:%d: %s fails in every serial order: %s", explored->file, instruction->line,
                       instruction->name, found->message);
    if (explored->is_recording && explored->setup.count == 0) {
        text_append_string(problem, ": give the tables with --setup FILE");
    }
    return true;
}
