// Reads docs/explore.schema.json and the text beside it.
#include "server/proxy/prove_found.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

// --- Is an order one that the program can take? ---

static const char *string_of(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL ? value : "";
}

static const char *sqlstate_of(const json_t *answer) {
    return string_of(json_object_get(answer, "error"), "sqlstate");
}

static bool has_name(const json_t *names, const char *name) {
    size_t i;
    const json_t *each;
    json_array_foreach(names, i, each) {
        if (strcmp(json_string_value(each), name) == 0) {
            return true;
        }
    }
    return false;
}

// The rows of two answers, but for the columns that are not compared.
static bool have_equal_rows(const json_t *one, const json_t *other) {
    const json_t *columns = json_object_get(one, "columns");
    const json_t *masked = json_object_get(one, "not_compared");
    const json_t *masked_too = json_object_get(other, "not_compared");
    const json_t *rows = json_object_get(one, "rows");
    const json_t *other_rows = json_object_get(other, "rows");
    if (json_array_size(rows) != json_array_size(other_rows) ||
        json_array_size(columns) != json_array_size(json_object_get(other, "columns"))) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (size_t j = 0; j < json_array_size(columns); j++) {
            const char *column = json_string_value(json_array_get(columns, j));
            bool is_masked = column != NULL && (has_name(masked, column) || has_name(masked_too, column));
            if (!is_masked && !json_equal(json_array_get(json_array_get(rows, i), j),
                                          json_array_get(json_array_get(other_rows, i), j))) {
                return false;
            }
        }
    }
    return true;
}

static bool are_equal(const json_t *one, const json_t *other) {
    if (json_array_size(one) != json_array_size(other)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(one); i++) {
        const json_t *a = json_array_get(one, i);
        const json_t *b = json_array_get(other, i);
        bool are_alike = strcmp(string_of(a, "tag"), string_of(b, "tag")) == 0 &&
                         strcmp(sqlstate_of(a), sqlstate_of(b)) == 0;
        if (!are_alike || !have_equal_rows(a, b)) {
            return false;
        }
    }
    return true;
}

static const json_t *find_step(const json_t *steps, const char *name) {
    size_t i;
    const json_t *each;
    json_array_foreach(steps, i, each) {
        if (strcmp(string_of(each, "step"), name) == 0) {
            return each;
        }
    }
    return NULL;
}

// The serial order in which the session comes first. Orders with the same outcome are one, so any other one will do.
static const json_t *serial_of(const json_t *serial, const char *session) {
    size_t i;
    const json_t *each;
    json_array_foreach(serial, i, each) {
        const json_t *first = json_array_get(json_object_get(each, "steps"), 0);
        if (strcmp(string_of(first, "session"), session) == 0) {
            return each;
        }
    }
    return json_array_get(serial, 0);
}

// The server has asked for another try, so what the session has read is forgotten.
static bool must_be_repeated(const json_t *steps, const char *session) {
    size_t i;
    const json_t *each;
    json_array_foreach(steps, i, each) {
        const json_t *answers = json_object_get(each, "answers");
        const char *sqlstate = sqlstate_of(json_array_get(answers, 0));
        if (strcmp(string_of(each, "session"), session) == 0 &&
            (strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_as_recorded(const json_t *outcome, const json_t *serial) {
    const json_t *steps = json_object_get(outcome, "steps");
    size_t i;
    const json_t *each;
    json_array_foreach(steps, i, each) {
        const char *session = string_of(each, "session");
        const json_t *recorded = find_step(json_object_get(serial_of(serial, session), "steps"),
                                           string_of(each, "step"));
        if (!must_be_repeated(steps, session) &&
            (recorded == NULL || !are_equal(json_object_get(each, "answers"), json_object_get(recorded, "answers")))) {
            return false;
        }
    }
    return true;
}

// --- The result ---

static void add_name(struct found *found, const char *name, uint64_t count) {
    size_t i = 0;
    while (i < found->name_count && !slice_equals(text_slice(&found->names[i]), slice_of(name))) {
        i++;
    }
    if (i == found->name_count && i < FOUND_NAMES_MAX) {
        text_append_string(&found->names[i], name);
        found->name_count++;
    }
    if (i < FOUND_NAMES_MAX) {
        found->counts[i] += count;
    }
}

static void take_outcome(struct found *found, const json_t *outcome, const json_t *serial) {
    uint64_t count = (uint64_t)json_integer_value(json_object_get(outcome, "count"));
    bool is_anomalous = json_is_true(json_object_get(outcome, "anomalous"));
    if (is_anomalous && is_as_recorded(outcome, serial)) {
        const char *name = string_of(outcome, "name");
        add_name(found, name[0] != '\0' ? name : "not serializable", count);
        found->proved += count;
        size_t i;
        const json_t *step;
        json_array_foreach(json_object_get(outcome, "order"), i, step) {
            if (found->proved == count) { // the first one has the fewest preemptions
                text_append_format(&found->order, "%s%s", i > 0 ? " " : "", json_string_value(step));
            }
        }
    } else if (is_anomalous) {
        found->possible += count;
    }
    found->errors += json_is_true(json_object_get(outcome, "new_error")) ? count : 0;
}

static bool ends_it(const json_t *fix, const char *level) {
    size_t i;
    const json_t *each;
    json_array_foreach(json_object_get(fix, "levels"), i, each) {
        if (json_is_true(json_object_get(each, "ends_it")) && strcmp(string_of(each, "level"), level) == 0) {
            return true;
        }
    }
    return false;
}

static void take_fix(struct found *found, const json_t *fixes, const char *level) {
    size_t i;
    const json_t *each;
    bool is_as_written = strcmp(level, "as written") == 0; // --fix names the levels itself
    json_array_foreach(fixes, i, each) {
        if (found->fix.length == 0 && string_of(each, "diff")[0] != '\0' &&
            ends_it(each, is_as_written ? "READ COMMITTED" : level)) {
            text_append_string(&found->fix, string_of(each, "change"));
        }
    }
}

static bool take_case(struct found *found, const json_t *explored, struct text *problem) {
    const json_t *exploration = json_array_get(json_object_get(explored, "explorations"), 0);
    if (exploration == NULL) {
        text_append_string(problem, string_of(explored, "problem"));
        return false;
    }
    const json_t *serial = json_object_get(exploration, "serial");
    found->is_there = true;
    found->is_complete = json_is_true(json_object_get(exploration, "complete"));
    found->orders = (uint64_t)json_integer_value(json_object_get(exploration, "orders"));
    text_append_string(&found->level, string_of(exploration, "level"));
    text_append_string(&found->because, string_of(exploration, "incomplete_because"));
    size_t i;
    const json_t *each;
    json_array_foreach(json_object_get(exploration, "outcomes"), i, each) {
        take_outcome(found, each, serial);
    }
    if (found->proved > 0) {
        take_fix(found, json_object_get(explored, "fixes"), string_of(exploration, "level"));
    }
    return true;
}

static void read_text(struct text *out, const char *path) {
    char bytes[4096];
    FILE *file = fopen(path, "re");
    size_t count;
    while (file != NULL && (count = fread(bytes, 1, sizeof bytes, file)) > 0) {
        text_append(out, bytes, count);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

bool found_read(struct found *found, const char *json_path, const char *text_path, struct text *problem) {
    json_error_t error;
    json_t *document = json_load_file(json_path, 0, &error);
    const json_t *explored = json_array_get(json_object_get(document, "cases"), 0);
    bool is_good = explored != NULL && take_case(found, explored, problem);
    json_decref(document);
    read_text(&found->story, text_path);
    return is_good;
}

void found_append(const struct found *found, struct text *out) {
    if (found->proved > 0) {
        text_append_format(out, "%" PRIu64 " of %" PRIu64 " orders go wrong at %.*s: ", found->proved, found->orders,
                           (int)found->level.length, found->level.data);
        for (size_t i = 0; i < found->name_count; i++) {
            text_append_string(out, i > 0 ? ", " : "");
            text_append_slice(out, text_slice(&found->names[i]));
        }
        if (found->fix.length > 0) {
            text_append_string(out, "; this ends it: ");
            text_append_slice(out, text_slice(&found->fix));
        }
    } else {
        text_append_format(out, "none of %" PRIu64 " orders goes wrong at %.*s", found->orders,
                           (int)found->level.length, found->level.data);
    }
    if (found->possible > 0) {
        text_append_format(out,
                           "; in %" PRIu64
                           " orders a session gets another answer than it got alone, so the program may "
                           "go another way there",
                           found->possible);
    }
    if (found->errors > 0) {
        text_append_format(out, "; PostgreSQL refuses a statement in %" PRIu64, found->errors);
    }
    if (!found->is_complete) {
        text_append_string(out, "; not complete: ");
        text_append_slice(out, text_slice(&found->because));
    }
}

void found_free(struct found *found) {
    for (size_t i = 0; i < found->name_count; i++) {
        text_free(&found->names[i]);
    }
    text_free(&found->level);
    text_free(&found->because);
    text_free(&found->order);
    text_free(&found->fix);
    text_free(&found->story);
    *found = (struct found){0};
}
