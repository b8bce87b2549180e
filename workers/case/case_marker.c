// Reads the markers of the .sql dialect:
//
//     -- setup
//     -- teardown
//     -- session NAME [like OTHER] [VARIABLE=VALUE ...]      VALUE: without blanks, or 'in quotes'
//     -- invariant NAME
//     -- serializable: yes|no
//
// A comment with one of these first words is a marker, and must be written exactly so. A marker with other letter cases
// is refused too, because the statements behind it would go to another section.
#include "workers/case/case_marker.h"
#include "workers/case/case_tokens.h"

static const struct {
    const char *word;
    enum case_marker_kind kind;
} words[] = {
    {"setup", CASE_MARKER_SETUP},         {"teardown", CASE_MARKER_TEARDOWN},          {"session", CASE_MARKER_SESSION},
    {"invariant", CASE_MARKER_INVARIANT}, {"serializable:", CASE_MARKER_SERIALIZABLE},
};

static void skip_blanks(struct slice *rest) {
    while (rest->length > 0 && case_is_blank(rest->data[0])) {
        *rest = (struct slice){rest->data + 1, rest->length - 1};
    }
}

static struct slice take(struct slice *rest, size_t length) {
    struct slice taken = {rest->data, length};
    *rest = (struct slice){rest->data + length, rest->length - length};
    return taken;
}

static struct slice take_word(struct slice *rest) {
    skip_blanks(rest);
    size_t length = 0;
    while (length < rest->length && !case_is_blank(rest->data[length])) {
        length++;
    }
    return take(rest, length);
}

static bool is_name(struct slice text) {
    for (size_t i = 0; i < text.length; i++) {
        if (!case_is_name_letter(text.data[i])) {
            return false;
        }
    }
    return text.length > 0 && text.length <= CASE_NAME_BYTES_MAX && (text.data[0] < '0' || text.data[0] > '9');
}

static int shown(struct slice text) {
    return (int)MIN(text.length, 60);
}

// A value ends at a blank, or, if it begins with a quote, at the next quote that is not doubled. False: there is none.
static bool take_value(struct slice *rest, struct text *value) {
    bool is_quoted = rest->length > 0 && rest->data[0] == '\'';
    if (!is_quoted) {
        text_append_slice(value,
                          rest->length > 0 && !case_is_blank(rest->data[0]) ? take_word(rest) : (struct slice){0});
        return true;
    }
    (void)take(rest, 1);
    while (rest->length > 0) {
        struct slice letter = take(rest, 1);
        if (letter.data[0] == '\'') {
            if (rest->length == 0 || rest->data[0] != '\'') {
                return rest->length == 0 || case_is_blank(rest->data[0]);
            }
            (void)take(rest, 1);
        }
        text_append_slice(value, letter);
    }
    return false;
}

static bool read_variable(struct case_reader *reader, struct slice *rest, int line, struct case_marker *marker) {
    size_t length = 0;
    while (length < rest->length && !case_is_blank(rest->data[length]) && rest->data[length] != '=') {
        length++;
    }
    struct slice name = take(rest, length);
    if (!is_name(name) || rest->length == 0 || rest->data[0] != '=') {
        return case_complain(reader, line, "expected VARIABLE=VALUE behind session %s, not \"%.*s\"", marker->name,
                             shown(name), name.data);
    }
    (void)take(rest, 1);
    struct case_memory *memory = reader->list->memory;
    for (size_t i = 0; i < marker->variable_count; i++) {
        if (slice_equals(slice_of(marker->variables[i].name), name)) {
            return case_complain(reader, line, "the variable \"%s\" is set twice", marker->variables[i].name);
        }
    }
    if (marker->variable_count == CASE_NAMES_MAX) {
        return case_complain(reader, line, "session %s has more than %d variables", marker->name, CASE_NAMES_MAX);
    }
    struct text value = {0};
    bool good = take_value(rest, &value);
    if (good) {
        struct case_variable *variable = case_append(memory, &marker->variables, &marker->variable_count,
                                                     sizeof *variable);
        *variable = (struct case_variable){case_copy(memory, name), case_copy(memory, text_slice(&value))};
    }
    text_free(&value);
    return good || case_complain(reader, line,
                                 "the value of \"%.*s\" has a quote that does not end: write 'it''s' with "
                                 "doubled quotes",
                                 shown(name), name.data);
}

static bool read_session(struct case_reader *reader, struct slice *rest, int line, struct case_marker *marker) {
    struct slice after = *rest;
    if (slice_equals(take_word(&after), SLICE_LITERAL("like"))) {
        struct slice like = take_word(&after);
        if (!is_name(like)) {
            return case_complain(reader, line, "expected the name of a session behind \"like\", not \"%.*s\"",
                                 shown(like), like.data);
        }
        marker->like = case_copy(reader->list->memory, like);
        *rest = after;
    }
    for (skip_blanks(rest); rest->length > 0; skip_blanks(rest)) {
        if (!read_variable(reader, rest, line, marker)) {
            return false;
        }
    }
    return true;
}

static bool read_serializable(struct case_reader *reader, struct slice *rest, int line, struct case_marker *marker) {
    struct slice value = take_word(rest);
    bool is_yes = slice_equals(value, SLICE_LITERAL("yes"));
    if (!is_yes && !slice_equals(value, SLICE_LITERAL("no"))) {
        return case_complain(reader, line, "expected \"-- serializable: yes\" or \"-- serializable: no\"");
    }
    marker->is_serializable = is_yes;
    return true;
}

static bool read_rest(struct case_reader *reader, struct slice rest, int line, struct case_marker *marker) {
    bool has_name = marker->kind == CASE_MARKER_SESSION || marker->kind == CASE_MARKER_INVARIANT;
    struct slice name = has_name ? take_word(&rest) : (struct slice){0};
    if (has_name && !is_name(name)) {
        return case_complain(reader, line,
                             "expected a name of letters, digits and underscores behind \"-- %s\", not "
                             "\"%.*s\"",
                             marker->kind == CASE_MARKER_SESSION ? "session" : "invariant", shown(name),
                             name.length > 0 ? name.data : "");
    }
    marker->name = has_name ? case_copy(reader->list->memory, name) : NULL;
    if (marker->kind == CASE_MARKER_SESSION && !read_session(reader, &rest, line, marker)) {
        return false;
    }
    if (marker->kind == CASE_MARKER_SERIALIZABLE && !read_serializable(reader, &rest, line, marker)) {
        return false;
    }
    skip_blanks(&rest);
    if (rest.length > 0) {
        return case_complain(reader, line,
                             "nothing may stand behind this marker, but \"%.*s\" does; a comment needs another "
                             "first word",
                             shown(rest), rest.data);
    }
    return true;
}

// True if the comment would be this marker with its first word in other letters, or with or without a colon.
static bool is_nearly(struct case_reader *reader, struct slice word, struct slice rest, size_t index) {
    struct slice marker_word = slice_of(words[index].word);
    struct text unused = {0};
    struct case_reader probe = *reader;
    probe.problem = &unused;
    struct case_marker marker = {.kind = words[index].kind};
    word.length -= slice_ends_with(word, SLICE_LITERAL(":"));
    marker_word.length -= slice_ends_with(marker_word, SLICE_LITERAL(":"));
    bool nearly = slice_equals_ignoring_case(word, marker_word) && read_rest(&probe, rest, 0, &marker);
    text_free(&unused);
    return nearly;
}

bool case_marker_read(struct case_reader *reader, struct slice comment, int line, struct case_marker *marker) {
    *marker = (struct case_marker){.kind = CASE_MARKER_NONE};
    struct slice rest = comment;
    (void)take(&rest, 2);
    struct slice word = take_word(&rest);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (slice_equals(word, slice_of(words[i].word))) {
            marker->kind = words[i].kind;
            return read_rest(reader, rest, line, marker);
        }
        if (is_nearly(reader, word, rest, i)) {
            return case_complain(reader, line, "the marker is written \"-- %s\", not \"-- %.*s\"", words[i].word,
                                 shown(word), word.data);
        }
    }
    return true;
}
