// The variables of a session, and texts with their values filled in, quoted as psql quotes them.
#include "workers/case/case.h"

#include <stdlib.h>
#include <strings.h>

static struct case_variable_slot *find(const struct case_variables *variables, const char *name) {
    for (size_t i = 0; i < variables->count; i++) {
        if (strcmp(variables->slots[i].name, name) == 0) {
            return &variables->slots[i];
        }
    }
    return NULL;
}

static char *copy_of(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(memory_allocate(size), text, size);
}

static struct case_variable_slot *add(struct case_variables *variables, const char *name) {
    if (variables->count == variables->capacity) {
        variables->capacity = variables->capacity == 0 ? 8 : 2 * variables->capacity;
        variables->slots = memory_resize(variables->slots, variables->capacity * sizeof *variables->slots);
    }
    struct case_variable_slot *slot = &variables->slots[variables->count++];
    *slot = (struct case_variable_slot){.name = copy_of(name)};
    return slot;
}

void case_variables_set(struct case_variables *variables, const char *name, const char *value) {
    char *copy = copy_of(value); // first, because `value` may be the old value
    struct case_variable_slot *slot = find(variables, name);
    if (slot == NULL) {
        slot = add(variables, name);
    }
    free(slot->value);
    slot->value = copy;
}

void case_variables_unset(struct case_variables *variables, const char *name) {
    struct case_variable_slot *slot = find(variables, name);
    if (slot != NULL) {
        free(slot->name);
        free(slot->value);
        *slot = variables->slots[--variables->count];
    }
}

const char *case_variables_get(const struct case_variables *variables, const char *name) {
    const struct case_variable_slot *slot = find(variables, name);
    return slot == NULL ? NULL : slot->value;
}

void case_variables_begin(struct case_variables *variables) {
    case_variables_set(variables, "LAST_ERROR_MESSAGE", "");
    case_variables_set(variables, "LAST_ERROR_SQLSTATE", "00000");
}

// psql's SetResultVariables().
void case_variables_succeed(struct case_variables *variables, const char *row_count) {
    case_variables_set(variables, "ERROR", "false");
    case_variables_set(variables, "SQLSTATE", "00000");
    case_variables_set(variables, "ROW_COUNT", row_count[0] == '\0' ? "0" : row_count);
}

void case_variables_fail(struct case_variables *variables, const char *sqlstate, const char *message) {
    case_variables_set(variables, "ERROR", "true");
    case_variables_set(variables, "SQLSTATE", sqlstate);
    case_variables_set(variables, "ROW_COUNT", "0");
    case_variables_set(variables, "LAST_ERROR_SQLSTATE", sqlstate);
    case_variables_set(variables, "LAST_ERROR_MESSAGE", message);
}

void case_variables_free(struct case_variables *variables) {
    for (size_t i = 0; i < variables->count; i++) {
        free(variables->slots[i].name);
        free(variables->slots[i].value);
    }
    free(variables->slots);
    *variables = (struct case_variables){0};
}

static void append_doubled(struct text *out, const char *value, const char *doubled) {
    for (const char *at = value; *at != '\0'; at++) {
        text_append(out, at, 1);
        if (strchr(doubled, *at) != NULL) {
            text_append(out, at, 1);
        }
    }
}

// As PQescapeLiteral: a value with a backslash becomes E'...', with a blank before it.
static void append_literal(struct text *out, const char *value) {
    bool has_backslash = strchr(value, '\\') != NULL;
    text_append_string(out, has_backslash ? " E'" : "'");
    append_doubled(out, value, has_backslash ? "'\\" : "'");
    text_append_string(out, "'");
}

static void append_identifier(struct text *out, const char *value) {
    text_append_string(out, "\"");
    append_doubled(out, value, "\"");
    text_append_string(out, "\"");
}

static void append_value(struct text *out, enum case_piece_kind kind, const char *value) {
    switch (kind) {
    case CASE_PIECE_LITERAL: append_literal(out, value); break;
    case CASE_PIECE_IDENTIFIER: append_identifier(out, value); break;
    case CASE_PIECE_TEXT:
    case CASE_PIECE_VALUE:
    case CASE_PIECE_IS_SET: text_append_string(out, value); break;
    }
}

bool case_render(const struct case_template *text, const struct case_variables *variables, struct text *out,
                 struct text *problem) {
    for (size_t i = 0; i < text->count; i++) {
        const struct case_piece *piece = &text->pieces[i];
        const char *value = piece->text;
        if (piece->kind == CASE_PIECE_IS_SET) {
            value = case_variables_get(variables, piece->text) == NULL ? "FALSE" : "TRUE";
        } else if (piece->kind != CASE_PIECE_TEXT) {
            value = case_variables_get(variables, piece->text);
        }
        if (value == NULL) {
            text_append_format(problem, "the variable \"%.63s\" is not set", piece->text);
            return false;
        }
        append_value(out, piece->kind, value);
    }
    return true;
}

// psql's ParseVariableBool: "o" alone could be on or off, so it is neither.
bool case_parse_boolean(const char *text, bool *value) {
    size_t length = strlen(text);
    size_t least = length > 2 ? length : 2;
    if (length == 0) {
        return false;
    }
    bool is_true = strncasecmp(text, "true", length) == 0 || strncasecmp(text, "yes", length) == 0 ||
                   strncasecmp(text, "on", least) == 0 || strcmp(text, "1") == 0;
    bool is_false = strncasecmp(text, "false", length) == 0 || strncasecmp(text, "no", length) == 0 ||
                    strncasecmp(text, "off", least) == 0 || strcmp(text, "0") == 0;
    if (is_true || is_false) {
        *value = is_true;
    }
    return is_true || is_false;
}
