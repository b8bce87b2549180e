// --fix: which of the changes that can be placed mechanically ends what was found, and what it costs.
//
// fix_report() > append_levels_as_they_are(), try_change() for each change: its levels, then its diff.
#include "server/explorer/explorer_internal.h"

#include <inttypes.h>

struct fix {
    struct explorer *explorer;
    struct case_list *list;
    const struct sql_case *explored;
    struct canvas canvas;
    struct text *out;
    struct json_writer *json;
};

static uint64_t wrong_orders(const struct exploration *found) {
    uint64_t count = 0;
    for (size_t i = 0; i < found->outcome_count; i++) {
        count += found_is_bad(&found->outcomes[i]) ? found->outcomes[i].orders : 0;
    }
    return count;
}

static void append_paragraph(const struct fix *fix, struct text *line, size_t hang) {
    draw_paragraph(fix->out, text_slice(line), fix->canvas.width, hang);
    text_clear(line);
}

static void append_level(const struct fix *fix, const struct exploration *found) {
    struct text line = {0};
    uint64_t wrong = wrong_orders(found);
    text_append_format(&line, "    %-16s ", found_level_name(found));
    if (wrong > 0) {
        text_append_format(&line, "still wrong in %" PRIu64 " of %" PRIu64 " orders", wrong, found->orders);
    } else if (!found->is_complete) {
        text_append_format(&line, "not known: %s", found->incomplete_because);
    } else {
        text_append_format(&line, "ends it: of %" PRIu64 " orders %" PRIu64 " wait, %" PRIu64 " abort%s", found->orders,
                           found->blocked, found->aborted, found->aborted > 0 ? ": retry them" : "");
    }
    append_paragraph(fix, &line, 8);
    text_free(&line);
}

static void add_level(struct json_writer *json, const struct exploration *found) {
    uint64_t wrong = wrong_orders(found);
    json_open_object(json, NULL);
    json_add_string(json, "level", found_level_name(found));
    json_add_boolean(json, "complete", found->is_complete);
    json_add_boolean(json, "ends_it", wrong == 0 && found->is_complete);
    json_add_unsigned(json, "orders", found->orders);
    json_add_unsigned(json, "wrong", wrong);
    json_add_unsigned(json, "blocked", found->blocked);
    json_add_unsigned(json, "aborted", found->aborted);
    json_close_object(json);
}

// The changed lines, to be copied.
static void append_diff(const struct fix *fix, struct slice diff) {
    struct text line = {0};
    while (diff.length > 0) {
        const char *end = memchr(diff.data, '\n', diff.length);
        size_t length = end == NULL ? diff.length : (size_t)(end - diff.data);
        char sign = diff.data[0];
        text_append_string(&line, "      ");
        words_append(&line, (struct slice){diff.data, length});
        ink_append(fix->out, fix->canvas.has_color, sign == '+' ? INK_GOOD : sign == '-' ? INK_BAD : INK_DIM);
        text_append_slice(fix->out, text_slice(&line)); // as it is: a broken line could not be copied
        ink_append(fix->out, fix->canvas.has_color, INK_PLAIN);
        text_append_string(fix->out, "\n");
        text_clear(&line);
        length = MIN(diff.length, length + 1);
        diff = (struct slice){diff.data + length, diff.length - length};
    }
    text_free(&line);
}

static void explore_levels(const struct fix *fix, const struct sql_case *changed, struct text *problem) {
    bool as_written = fix->explored->names_levels; // the file's own BEGIN names the level
    for (int level = 0; level < (as_written ? 1 : CASE_LEVELS) && problem->length == 0; level++) {
        struct exploration found;
        if (explorer_is_stopped(fix->explorer)) {
            break;
        }
        if (explore(fix->explorer, changed, (enum case_level)level, as_written, &found, problem)) {
            append_level(fix, &found);
            add_level(fix->json, &found);
        } else if (explorer_is_stopped(fix->explorer)) {
            text_clear(problem); // the server's answer to a cancelled statement
            text_append_string(problem, "it was interrupted");
        }
        exploration_free(&found);
    }
    explorer_forget_case(fix->explorer); // the changed case is on the caller's stack
}

static void append_problem(const struct fix *fix, const struct text *problem) {
    struct text line = {0};
    if (problem->length > 0) {
        text_append_string(&line, explorer_is_stopped(fix->explorer) ? "    not known: " : "    cannot be placed: ");
        words_append(&line, text_slice(problem));
        append_paragraph(fix, &line, 8);
    }
    text_free(&line);
}

// False: the change has no place in this case.
static bool try_change(const struct fix *fix, enum case_variant variant, const char *change) {
    struct sql_case changed;
    struct text diff = {0};
    struct text problem = {0};
    bool has_place = !explorer_is_stopped(fix->explorer) &&
                     case_make_variant(fix->list, fix->explored, variant, &changed, &diff);
    if (has_place) {
        text_append_format(fix->out, "\n  %s\n", change);
        json_open_object(fix->json, NULL);
        json_add_string(fix->json, "change", change);
        json_add_slice(fix->json, "diff", text_slice(&diff));
        json_open_array(fix->json, "levels");
        explore_levels(fix, &changed, &problem);
        json_close_array(fix->json);
        json_add_string_or_null(fix->json, "problem", problem.length == 0 ? NULL : text_terminated(&problem));
        json_close_object(fix->json);
        append_problem(fix, &problem);
        append_diff(fix, text_slice(&diff));
    }
    text_free(&diff);
    text_free(&problem);
    return has_place;
}

void fix_report(struct explorer *explorer, struct case_list *list, const struct sql_case *explored,
                const struct exploration *found, size_t count, struct canvas canvas, struct json_writer *json,
                struct text *out) {
    struct fix fix = {explorer, list, explored, canvas, out, json};
    struct text line = {0};
    uint64_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        wrong += wrong_orders(&found[i]);
    }
    if (explorer_is_stopped(explorer)) {
        return;
    }
    if (wrong == 0) {
        text_append_string(out, "  --fix: nothing was found, so there is nothing to change\n");
        return;
    }
    text_append_string(out, "\n  Which fix ends it?\n\n  no change but the level\n");
    for (size_t i = 0; i < count; i++) {
        append_level(&fix, &found[i]);
    }
    (void)try_change(&fix, CASE_IN_TRANSACTION, "BEGIN ... COMMIT");
    (void)try_change(&fix, CASE_LOCKS_READS, "SELECT ... FOR UPDATE in a transaction");
    bool has_guard = try_change(&fix, CASE_GUARDS_UPDATE,
                                "the check in the WHERE of the UPDATE, the rest only if it finds the row");
    text_append_string(out, "\n");
    if (explorer_is_stopped(explorer)) {
        return;
    }
    text_append_format(&line,
                       "  Not tried, because they need a person: %sa unique key, a constraint, a lock of the "
                       "parent row. docs/catalogue shows each of them.",
                       has_guard ? "" : "the check in the WHERE of the UPDATE, ");
    append_paragraph(&fix, &line, 2);
    text_free(&line);
}
