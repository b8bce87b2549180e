// Writes the answers of a .spec's sessions in the formats of isolationtester.
#include "workers/explore/explore_tester.h"

#include <stdlib.h>

// The layout of one column.
struct column {
    size_t width; // bytes, as libpq counts them
    bool is_text; // its values are not all numbers: it is flush left
};

// libpq's guess: digits and the letters of a number, with a digit at the end. "12-3" passes.
static bool looks_like_number(const char *value) {
    size_t length = strlen(value);
    bool begins_well = value[0] != 'E' && value[0] != 'e';
    return begins_well && strspn(value, "0123456789.Ee -") == length && value[length - 1] >= '0' &&
           value[length - 1] <= '9';
}

static struct column lay_out(const struct db_async_answer *answer, int column) {
    struct column made = {.width = strlen(db_async_column_name(answer, column))};
    for (int row = 0; row < db_async_rows(answer); row++) {
        const char *value = db_async_value(answer, row, column);
        if (value != NULL && value[0] != '\0') {
            made.width = MAX(made.width, strlen(value));
            made.is_text |= !looks_like_number(value);
        }
    }
    return made;
}

static void add_field(const struct column *column, const char *value, struct text *out) {
    text_append_format(out, column->is_text ? "%-*s" : "%*s", (int)column->width, value);
}

void tester_print_rows(const struct db_async_answer *answer, struct text *out) {
    int count = db_async_columns(answer);
    int rows = db_async_rows(answer);
    if (count == 0) {
        return;
    }
    struct column *columns = memory_allocate_zeroed((size_t)count * sizeof *columns);
    for (int i = 0; i < count; i++) {
        columns[i] = lay_out(answer, i);
        text_append_string(out, i == 0 ? "" : "|");
        add_field(&columns[i], db_async_column_name(answer, i), out);
    }
    text_append_string(out, "\n");
    for (int i = 0; i < count; i++) {
        text_append_string(out, i == 0 ? "" : "+");
        for (size_t j = 0; j < columns[i].width; j++) {
            text_append_string(out, "-");
        }
    }
    text_append_string(out, "\n");
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < count; i++) {
            const char *value = db_async_value(answer, row, i);
            text_append_string(out, i == 0 ? "" : "|");
            add_field(&columns[i], value == NULL ? "" : value, out);
        }
        text_append_string(out, "\n");
    }
    text_append_format(out, "(%d row%s)\n\n", rows, rows == 1 ? "" : "s");
    free(columns);
}

// Without the text of the error before it, which the text of a lost connection repeats.
static const char *new_error_text(const struct db_async_answer *answer, const struct db_async_answer *before) {
    const char *text = db_async_error_text(answer);
    const char *known = before == NULL ? "" : db_async_error_text(before);
    return text + (strncmp(text, known, strlen(known)) == 0 ? strlen(known) : 0);
}

void tester_print_answer(const struct db_async_answer *answer, const struct db_async_answer *before, struct text *out) {
    if (db_async_has_rows(answer)) {
        tester_print_rows(answer, out);
    } else if (db_async_sqlstate(answer)[0] == '\0') {
        return; // a command
    } else if (db_async_is_from_server(answer)) {
        // The details of an error may hold numbers that differ from run to run.
        text_append_format(out, "%s:  %s\n", db_async_severity(answer), db_async_message(answer));
    } else {
        text_append_format(out, "%s\n", new_error_text(answer, before));
    }
}
