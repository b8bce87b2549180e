// Evaluates an expression of pgbench: the grammar of exprparse.y, by recursive descent. Each level of precedence is a
// number; a higher one binds closer. A part that AND, OR or CASE does not reach is read but not evaluated.
#include "workers/case/case_tokens.h"
#include "workers/case/case_value.h"

#include <errno.h>
#include <stdlib.h>

enum {
    DEPTH_MAX = 100, // nested parts of an expression
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_IS,
    LEVEL_COMPARE,
    LEVEL_BITS,
    LEVEL_ADD,
    LEVEL_MULTIPLY,
    LEVEL_UNARY,
};

static const struct binary {
    const char *text;
    int level;
} operators[] = {
    {"or", LEVEL_OR},      {"and", LEVEL_AND},    {"is", LEVEL_IS},      {"isnull", LEVEL_IS},  {"notnull", LEVEL_IS},
    {"<>", LEVEL_COMPARE}, {"!=", LEVEL_COMPARE}, {"<=", LEVEL_COMPARE}, {">=", LEVEL_COMPARE}, {"<<", LEVEL_BITS},
    {">>", LEVEL_BITS},    {"<", LEVEL_COMPARE},  {">", LEVEL_COMPARE},  {"=", LEVEL_COMPARE},  {"|", LEVEL_BITS},
    {"#", LEVEL_BITS},     {"&", LEVEL_BITS},     {"+", LEVEL_ADD},      {"-", LEVEL_ADD},      {"*", LEVEL_MULTIPLY},
    {"/", LEVEL_MULTIPLY}, {"%", LEVEL_MULTIPLY},
};
#define OPERATORS (sizeof operators / sizeof operators[0])

struct evaluation {
    struct slice rest;
    uint64_t *random;
    struct text *problem;
    size_t depth;
    bool is_skipped; // the part is read only
};

static bool read_level(struct evaluation *at, int level, struct case_value *value);

static bool complain(struct evaluation *at, const char *message) {
    text_append_string(at->problem, message);
    return false;
}

static void skip(struct evaluation *at, size_t length) {
    at->rest = (struct slice){at->rest.data + length, at->rest.length - length};
}

static void skip_blanks(struct evaluation *at) {
    while (at->rest.length > 0 && case_is_blank(at->rest.data[0])) {
        skip(at, 1);
    }
}

static size_t word_length(const struct evaluation *at) {
    size_t length = 0;
    while (length < at->rest.length && case_is_name_letter(at->rest.data[length])) {
        length++;
    }
    return length;
}

// Takes the word, in any case of letters, or the symbol if it comes next.
static bool accept(struct evaluation *at, const char *text) {
    skip_blanks(at);
    bool is_word = case_is_name_letter(text[0]);
    size_t length = is_word ? word_length(at) : MIN(strlen(text), at->rest.length);
    if (!slice_equals_ignoring_case((struct slice){at->rest.data, length}, slice_of(text))) {
        return false;
    }
    skip(at, length);
    return true;
}

static bool complain_about_rest(struct evaluation *at) {
    skip_blanks(at);
    if (at->rest.length == 0) {
        return complain(at, "the expression ends too early");
    }
    text_append_format(at->problem, "\"%.*s\" is not understood here", (int)MIN(at->rest.length, 40), at->rest.data);
    return false;
}

static bool expect(struct evaluation *at, const char *text) {
    if (accept(at, text)) {
        return true;
    }
    text_append_format(at->problem, "\"%s\" is expected: ", text);
    return complain_about_rest(at);
}

static bool read_number(struct evaluation *at, bool is_negative, struct case_value *value) {
    struct text digits = {0};
    if (is_negative) {
        text_append_string(&digits, "-");
    }
    text_append(&digits, at->rest.data, MIN(at->rest.length, 400)); // no number of a script is longer
    const char *text = text_terminated(&digits);
    char *end = NULL;
    errno = 0;
    *value = (struct case_value){.type = CASE_VALUE_INTEGER, .integer = strtoll(text, &end, 10)};
    bool is_integer = *end != '.' && *end != 'e' && *end != 'E';
    if (!is_integer) {
        errno = 0;
        *value = (struct case_value){.type = CASE_VALUE_DOUBLE, .real = strtod(text, &end)};
    }
    bool is_good = end != text && !(errno == ERANGE && (is_integer || value->real > 1)) && !case_is_name_letter(*end);
    if (is_good) {
        skip(at, (size_t)(end - text) - is_negative);
    }
    text_free(&digits);
    return is_good || complain(at, "a number is too large or not well formed: ") || complain_about_rest(at);
}

static bool read_arguments(struct evaluation *at, struct slice name, struct case_value *value) {
    struct case_value arguments[CASE_ARGUMENTS_MAX];
    size_t count = 0;
    if (!accept(at, ")")) {
        do {
            if (count == CASE_ARGUMENTS_MAX) {
                return complain(at, "a function has too many arguments");
            }
            if (!read_level(at, LEVEL_OR, &arguments[count++])) {
                return false;
            }
        } while (accept(at, ","));
        if (!expect(at, ")")) {
            return false;
        }
    }
    *value = (struct case_value){.type = CASE_VALUE_NULL};
    return at->is_skipped || case_value_call(name, arguments, count, at->random, value, at->problem);
}

// Behind CASE.
static bool read_case(struct evaluation *at, struct case_value *value) {
    bool was_skipped = at->is_skipped;
    bool is_found = false;
    *value = (struct case_value){.type = CASE_VALUE_NULL};
    while (accept(at, "when")) {
        struct case_value condition = {0};
        struct case_value result = {0};
        at->is_skipped = was_skipped || is_found;
        if (!read_level(at, LEVEL_OR, &condition) || !expect(at, "then")) {
            return false;
        }
        bool is_true = !at->is_skipped && case_value_is_true(condition);
        at->is_skipped = !is_true;
        if (!read_level(at, LEVEL_OR, &result)) {
            return false;
        }
        *value = is_true ? result : *value;
        is_found = is_found || is_true;
    }
    if (accept(at, "else")) {
        struct case_value result = {0};
        at->is_skipped = was_skipped || is_found;
        if (!read_level(at, LEVEL_OR, &result)) {
            return false;
        }
        *value = is_found ? *value : result;
    }
    at->is_skipped = was_skipped;
    return expect(at, "end");
}

// Also "t" and "f", because \gset gives such values.
static bool read_boolean(struct slice name, struct case_value *value) {
    struct text word = {0};
    text_append_slice(&word, name);
    *value = (struct case_value){.type = CASE_VALUE_BOOLEAN};
    bool good = case_parse_boolean(text_terminated(&word), &value->boolean);
    text_free(&word);
    return good;
}

static bool read_word(struct evaluation *at, struct case_value *value) {
    struct slice name = {at->rest.data, word_length(at)};
    if (accept(at, "null")) {
        *value = (struct case_value){.type = CASE_VALUE_NULL};
        return true;
    }
    if (accept(at, "case")) {
        return read_case(at, value);
    }
    struct evaluation before = *at;
    skip(at, name.length);
    if (accept(at, "(")) {
        return read_arguments(at, name, value);
    }
    if (read_boolean(name, value)) {
        return true;
    }
    *at = before;
    return complain_about_rest(at);
}

static bool read_primary(struct evaluation *at, struct case_value *value) {
    static const struct case_value all_bits = {.type = CASE_VALUE_INTEGER, .integer = -1};
    static const struct case_value zero = {.type = CASE_VALUE_INTEGER};
    skip_blanks(at);
    char first = at->rest.length > 0 ? at->rest.data[0] : '\0';
    if (first == '(') {
        skip(at, 1);
        return read_level(at, LEVEL_OR, value) && expect(at, ")");
    }
    if (first == '+') {
        skip(at, 1);
        return read_level(at, LEVEL_UNARY, value);
    }
    if (first == '-') {
        skip(at, 1);
        skip_blanks(at);
        if (at->rest.length > 0 && at->rest.data[0] >= '0' && at->rest.data[0] <= '9') {
            return read_number(at, true, value); // the smallest integer has no positive counterpart
        }
        return read_level(at, LEVEL_UNARY, value) &&
               (at->is_skipped || case_value_operate("-", zero, *value, value, at->problem));
    }
    if (first == '~') {
        skip(at, 1);
        return read_level(at, LEVEL_BITS + 1, value) && // it binds no closer than the other operators on bits
               (at->is_skipped || case_value_operate("#", all_bits, *value, value, at->problem));
    }
    if ((first >= '0' && first <= '9') || first == '.') {
        return read_number(at, false, value);
    }
    return case_is_name_letter(first) ? read_word(at, value) : complain_about_rest(at);
}

// Behind IS.
static bool read_is(struct evaluation *at, struct case_value *value) {
    bool is_not = accept(at, "not");
    bool is_same = false;
    if (accept(at, "null")) {
        is_same = value->type == CASE_VALUE_NULL;
    } else if (accept(at, "true")) {
        is_same = value->type == CASE_VALUE_BOOLEAN && value->boolean;
    } else if (accept(at, "false")) {
        is_same = value->type == CASE_VALUE_BOOLEAN && !value->boolean;
    } else {
        return complain(at, "IS needs NULL, TRUE or FALSE: ") || complain_about_rest(at);
    }
    *value = (struct case_value){.type = CASE_VALUE_BOOLEAN, .boolean = is_same != is_not};
    return true;
}

// AND and OR. A left side that decides, and one that is NULL, is the result; the right side is then not evaluated.
static bool read_logic(struct evaluation *at, bool is_and, struct case_value *left) {
    bool was_skipped = at->is_skipped;
    struct case_value right = {0};
    bool is_true = false;
    if (!was_skipped && left->type != CASE_VALUE_NULL && !case_value_to_boolean(*left, &is_true, at->problem)) {
        return false;
    }
    at->is_skipped = was_skipped || left->type == CASE_VALUE_NULL || is_true != is_and;
    if (!read_level(at, is_and ? LEVEL_NOT : LEVEL_AND, &right)) {
        return false;
    }
    if (!at->is_skipped) {
        if (right.type != CASE_VALUE_NULL && !case_value_to_boolean(right, &is_true, at->problem)) {
            return false;
        }
        *left = right;
    }
    at->is_skipped = was_skipped;
    return true;
}

// Takes the next operator of at least this level, or NULL.
static const struct binary *accept_operator(struct evaluation *at, int level) {
    for (size_t i = 0; i < OPERATORS; i++) {
        struct evaluation before = *at;
        if (accept(at, operators[i].text)) {
            if (operators[i].level >= level) {
                return &operators[i];
            }
            *at = before;
            return NULL;
        }
    }
    return NULL;
}

static bool read_right(struct evaluation *at, const struct binary *found, struct case_value *left) {
    struct case_value right = {0};
    if (found->level == LEVEL_OR || found->level == LEVEL_AND) {
        return read_logic(at, found->level == LEVEL_AND, left);
    }
    if (strcmp(found->text, "is") == 0) {
        return read_is(at, left);
    }
    if (found->level == LEVEL_IS) {
        bool is_null = left->type == CASE_VALUE_NULL;
        *left = (struct case_value){.type = CASE_VALUE_BOOLEAN, .boolean = is_null == (found->text[0] == 'i')};
        return true;
    }
    return read_level(at, found->level + 1, &right) &&
           (at->is_skipped || case_value_operate(found->text, *left, right, left, at->problem));
}

static bool read_not(struct evaluation *at, struct case_value *value) {
    bool is_true = false;
    if (!read_level(at, LEVEL_NOT, value)) {
        return false;
    }
    if (at->is_skipped || value->type == CASE_VALUE_NULL) {
        return true;
    }
    if (!case_value_to_boolean(*value, &is_true, at->problem)) {
        return false;
    }
    value->boolean = !is_true;
    return true;
}

// Reads operators of this level and of the higher ones.
static bool read_level(struct evaluation *at, int level, struct case_value *value) {
    *value = (struct case_value){.type = CASE_VALUE_NULL};
    if (++at->depth > DEPTH_MAX) {
        return complain(at, "the expression is nested too deep");
    }
    bool good = accept(at, "not") ? read_not(at, value) : read_primary(at, value);
    const struct binary *found = NULL;
    while (good && level < LEVEL_UNARY && (found = accept_operator(at, level)) != NULL) {
        good = read_right(at, found, value);
    }
    at->depth--;
    return good;
}

bool case_calculate_random(const char *expression, uint64_t *random, struct text *value, struct text *problem) {
    struct evaluation at = {.rest = slice_of(expression), .problem = problem};
    struct case_value result = {0};
    at.random = random;
    if (!read_level(&at, LEVEL_OR, &result)) {
        return false;
    }
    skip_blanks(&at);
    if (at.rest.length > 0) {
        return complain_about_rest(&at);
    }
    case_value_append(value, result);
    return true;
}

bool case_calculate(const char *expression, struct text *value, struct text *problem) {
    return case_calculate_random(expression, NULL, value, problem);
}
