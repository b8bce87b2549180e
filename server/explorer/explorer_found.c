// The result of an exploration in words: for the terminal, JSON and JUnit.
#include "server/explorer/explorer_internal.h"

#include <stdlib.h>

enum {
    ROWS_SHOWN = 4,     // an answer shows so many
    VALUE_COLUMNS = 60, // a value is cut there
    MESSAGE_COLUMNS = 200,
};

const char *found_level_name(const struct exploration *found) {
    static const char *const names[CASE_LEVELS] = {"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"};
    return found->as_written ? "as written" : names[found->level];
}

const char *found_level_option(const struct exploration *found) {
    static const char *const names[CASE_LEVELS] = {"rc", "rr", "ser"};
    return found->as_written ? "as-written" : names[found->level];
}

bool found_is_bad(const struct explore_outcome *outcome) {
    return outcome->is_anomalous || outcome->has_new_error || outcome->broken != 0;
}

const struct explore_outcome *found_smallest(const struct exploration *found) {
    const struct explore_outcome *best = NULL;
    for (size_t i = 0; i < found->outcome_count; i++) {
        const struct explore_outcome *each = &found->outcomes[i];
        if (found_is_bad(each) && (best == NULL || each->first->preemptions < best->first->preemptions ||
                                   (each->first->preemptions == best->first->preemptions &&
                                    each->first->step_count < best->first->step_count))) {
            best = each;
        }
    }
    return best;
}

static void append_invariants(const struct exploration *found, uint64_t broken, struct text *out) {
    const char *separator = "";
    for (size_t i = 0; i < found->explored->invariant_count && i < 64; i++) {
        if (broken >> i & 1) {
            text_append_string(out, separator);
            words_append(out, slice_of(found->explored->invariants[i].name));
            separator = ", ";
        }
    }
}

void found_append_kind(const struct exploration *found, const struct explore_outcome *outcome, struct text *out) {
    const char *separator = "";
    if (outcome->is_anomalous) {
        text_append_string(out, "not serializable: ");
        words_append(out, slice_of(outcome->name == NULL ? "unnamed" : outcome->name));
        separator = "; ";
    }
    if (outcome->has_new_error) {
        text_append_format(out, "%sa new error", separator);
        separator = "; ";
    }
    if (outcome->broken != 0) {
        bool is_one = (outcome->broken & (outcome->broken - 1)) == 0;
        text_append_format(out, "%s%s ", separator, is_one ? "invariant" : "invariants");
        append_invariants(found, outcome->broken, out);
        text_append_string(out, is_one ? " fails" : " fail");
    }
    if (!found_is_bad(outcome)) {
        text_append_string(out, "serial");
    }
}

bool found_is_masked(const struct exploration *found, const char *column) {
    struct slice masked = text_slice(&found->masked);
    size_t length = strlen(column);
    while (masked.length >= length && masked.length > 0) {
        const char *comma = memmem(masked.data, masked.length, ", ", 2);
        size_t item = comma == NULL ? masked.length : (size_t)(comma - masked.data);
        if (item == length && memcmp(masked.data, column, length) == 0) {
            return true;
        }
        size_t taken = MIN(masked.length, item + 2);
        masked = (struct slice){masked.data + taken, masked.length - taken};
    }
    return false;
}

bool found_masks_table(const struct exploration *found, const struct explore_table *table, int column) {
    struct text name = {0};
    text_append_format(&name, "%s.%s", table->name, table->names[column]);
    bool is_masked = found_is_masked(found, text_terminated(&name));
    text_free(&name);
    return is_masked;
}

bool found_masks_answer(const struct exploration *found, const struct explore_step *step, int column) {
    struct text name = {0};
    text_append_format(&name, "column %d of %s", column + 1,
                       found->explored->sessions[step->session].instructions[step->instruction].name);
    bool is_masked = found_is_masked(found, text_terminated(&name));
    text_free(&name);
    return is_masked;
}

bool found_has_same_rows(const struct exploration *found, const struct explore_table *one,
                         const struct explore_table *other) {
    if (strcmp(one->name, other->name) != 0 || one->rows != other->rows || one->columns != other->columns) {
        return false;
    }
    for (int i = 0; i < one->rows * one->columns; i++) {
        const char *a = one->values[i];
        const char *b = other->values[i];
        bool is_same = a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
        int column = i % one->columns;
        bool is_generated = one->is_generated[i] && other->is_generated[i];
        if (!is_same && !is_generated && !found_masks_table(found, one, column)) {
            return false;
        }
    }
    return true;
}

bool found_are_alike(const struct exploration *found, const struct explore_outcome *one,
                     const struct explore_outcome *other) {
    const char *a = one->name == NULL ? "" : one->name;
    const char *b = other->name == NULL ? "" : other->name;
    if (one->is_anomalous != other->is_anomalous || one->has_new_error != other->has_new_error ||
        one->broken != other->broken || strcmp(a, b) != 0 || one->first->table_count != other->first->table_count) {
        return false;
    }
    for (size_t i = 0; i < one->first->table_count; i++) {
        if (!found_has_same_rows(found, &one->first->tables[i], &other->first->tables[i])) {
            return false;
        }
    }
    return true;
}

size_t found_answer(const struct explore_run *run, const struct explore_step *step, size_t from) {
    const struct explore_session_run *session = &run->sessions[step->session];
    while (from < session->count && session->answers[from].instruction != step->instruction) {
        from++;
    }
    return from;
}

// The answer to an autocommit statement keeps the error of its COMMIT, which is a step of its own.
bool found_is_error(const struct explore_step *step, const struct explore_answer *answer) {
    return answer->sqlstate[0] != '\0' && step->sqlstate[0] != '\0';
}

void found_append_sessions(const struct exploration *found, const struct explore_run *run, struct text *out) {
    for (size_t i = 0; i < run->step_count; i++) {
        uint8_t session = run->steps[i].session;
        if (i == 0 || session != run->steps[i - 1].session) {
            text_append_string(out, i == 0 ? "" : ", then ");
            words_append(out, slice_of(found->explored->sessions[session].name));
        }
    }
}

static void append_value(const char *value, struct text *out) {
    size_t from = out->length;
    words_append(out, slice_of(value == NULL ? "NULL" : value));
    words_cut(out, from, VALUE_COLUMNS);
}

bool found_has_order_by(const struct exploration *found, const struct explore_step *step) {
    return case_shape_of(found->explored->sessions[step->session].instructions[step->instruction].source).has_order_by;
}

struct sorted_row {
    const char **values;
    int number, columns;
    const bool *is_masked;
};

static int compare_rows(const void *one, const void *other) {
    const struct sorted_row *a = one;
    const struct sorted_row *b = other;
    for (int column = 0; column < a->columns; column++) {
        const char *left = a->values[a->number * a->columns + column];
        const char *right = b->values[b->number * b->columns + column];
        int order = left == NULL || right == NULL ? (left != NULL) - (right != NULL) : strcmp(left, right);
        if (order != 0 && !a->is_masked[column]) {
            return order;
        }
    }
    return a->number - b->number;
}

int *found_row_order(const char **values, int rows, int columns, const bool *is_masked, bool in_order) {
    struct sorted_row *sorted = memory_allocate_zeroed(((size_t)rows + 1) * sizeof *sorted);
    int *numbers = memory_allocate_zeroed(((size_t)rows + 1) * sizeof *numbers);
    for (int row = 0; row < rows; row++) {
        sorted[row] = (struct sorted_row){values, row, columns, is_masked};
    }
    if (!in_order) {
        qsort(sorted, (size_t)rows, sizeof *sorted, compare_rows);
    }
    for (int row = 0; row < rows; row++) {
        numbers[row] = sorted[row].number;
    }
    free(sorted);
    return numbers;
}

static void append_rows(const struct explore_answer *answer, bool in_order, struct text *out) {
    bool *is_masked = memory_allocate_zeroed((size_t)answer->columns + 1);
    int *order = found_row_order(answer->values, answer->rows, answer->columns, is_masked, in_order);
    for (int row = 0; row < MIN(answer->rows, (int)ROWS_SHOWN); row++) {
        text_append_string(out, row == 0 ? "" : "; ");
        for (int column = 0; column < answer->columns; column++) {
            text_append_string(out, column == 0 ? "" : ", ");
            if (strcmp(answer->names[column], "?column?") != 0) {
                words_append(out, slice_of(answer->names[column]));
                text_append_string(out, "=");
            }
            append_value(answer->values[order[row] * answer->columns + column], out);
        }
    }
    free(order);
    free(is_masked);
    if (answer->rows > ROWS_SHOWN) {
        text_append_format(out, "; ... (%d rows)", answer->rows);
    } else if (answer->columns == 0 && answer->rows > 0) {
        text_append_format(out, "%d row%s", answer->rows, answer->rows == 1 ? "" : "s");
    }
    text_append_string(out, answer->rows == 0 ? "no rows" : "");
}

static void append_answer(const struct exploration *found, const struct explore_step *step,
                          const struct explore_answer *answer, struct text *out) {
    const char *tag = answer->tag == NULL ? "" : answer->tag;
    if (found_is_error(step, answer)) {
        size_t from = out->length;
        text_append_format(out, "ERROR %s ", answer->sqlstate);
        words_append(out, slice_of(answer->message));
        words_cut(out, from, MESSAGE_COLUMNS);
    } else if (answer->columns == 0 && strncmp(tag, "SELECT", 6) != 0) {
        words_append(out, slice_of(tag));
    } else {
        if (strncmp(tag, "SELECT", 6) != 0) {
            words_append(out, slice_of(tag));
            text_append_string(out, ": ");
        }
        append_rows(answer, found_has_order_by(found, step), out);
    }
}

void found_append_answers(const struct exploration *found, const struct explore_run *run,
                          const struct explore_step *step, struct text *out) {
    const struct explore_session_run *session = &run->sessions[step->session];
    if (!explore_has_answers(step) && step->sqlstate[0] == '\0') {
        text_append_string(out, step->is_commit ? "COMMIT" : "SET CONSTRAINTS");
        return;
    }
    const char *separator = "";
    for (size_t i = found_answer(run, step, 0); i < session->count; i = found_answer(run, step, i + 1)) {
        text_append_string(out, separator);
        append_answer(found, step, &session->answers[i], out);
        separator = "; ";
    }
}

bool found_shows_column(const struct exploration *found, const struct explore_table *table, int column) {
    return column == 0 || table->from_sequence[column] || !found_masks_table(found, table, column);
}

void found_append_row(const struct exploration *found, const struct explore_table *table, int row, struct text *out) {
    for (int column = 0; column < table->columns; column++) {
        if (found_shows_column(found, table, column)) {
            text_append_string(out, column == 0 ? "" : ", ");
            append_value(table->values[row * table->columns + column], out);
        }
    }
}

// The number of statements from `from` on that are left out one behind the other.
static size_t count_left_out(const struct case_session *session, size_t number, const struct case_left_out *left_out,
                             const struct case_left_out *except, size_t from, size_t *last) {
    size_t count = 0;
    for (size_t i = from; i < session->count; i++) {
        if (session->instructions[i].operation != CASE_STATEMENT) {
            continue;
        }
        if (!case_is_left_out(left_out, number, i) || case_is_left_out(except, number, i)) {
            break;
        }
        *last = i;
        count++;
    }
    return count;
}

void found_append_left_out(const struct exploration *found, const struct case_left_out *except, struct text *out) {
    const char *separator = "";
    for (size_t i = 0; i < found->explored->session_count; i++) {
        const struct case_session *session = &found->explored->sessions[i];
        if (case_leaves_out_session(found->explored, except, i)) {
            continue;
        }
        if (case_leaves_out_session(found->explored, &found->left_out, i)) {
            text_append_format(out, "%ssession ", separator);
            words_append(out, slice_of(session->name));
            separator = ", ";
            continue;
        }
        for (size_t j = 0; j < session->count; j++) {
            size_t last = j;
            size_t count = count_left_out(session, i, &found->left_out, except, j, &last);
            if (count == 0 || session->instructions[j].operation != CASE_STATEMENT) {
                continue;
            }
            last = count > 2 ? last : j;
            text_append_string(out, separator);
            words_append(out, slice_of(session->instructions[j].name));
            text_append_string(out, last > j ? " to " : "");
            words_append(out, slice_of(last > j ? session->instructions[last].name : ""));
            separator = ", ";
            j = last;
        }
    }
}

void found_append_replay(const struct exploration *found, const struct options *options, const struct explore_run *run,
                         struct text *out) {
    struct text order = {0};
    text_append_string(out, "./lab explore ");
    if (options->script_count == 0) {
        words_append_shell(out, found->explored->file);
    }
    for (size_t i = 0; i < options->script_count; i++) {
        text_append_string(out, i == 0 ? "--session " : " --session ");
        words_append_shell(out, options->scripts[i]);
    }
    if (options->setup_path != NULL) {
        text_append_string(out, " --setup ");
        words_append_shell(out, options->setup_path);
    }
    if (options->has_more_cases) {
        text_append_string(out, " --case ");
        words_append_shell(out, found->explored->name);
    }
    text_append_string(out, options->explore.unit == EXPLORE_UNIT_TRANSACTION ? " --unit transaction" : "");
    text_append_string(out, options->explore.whole_statements ? " --whole-statements" : "");
    text_append_format(out, " --levels %s", found_level_option(found));
    if (case_leaves_out_any(&found->left_out)) {
        struct text names = {0};
        case_append_left_out(found->explored, &found->left_out, ",", &names);
        text_append_string(out, " --without ");
        words_append_shell(out, text_terminated(&names));
        text_free(&names);
    }
    text_append_string(out, " --replay ");
    explore_append_order(found->explored, run, &order);
    words_append_shell(out, text_terminated(&order));
    text_free(&order);
}
