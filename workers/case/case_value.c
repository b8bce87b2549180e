// The operators of pgbench's expressions, as evalStandardFunc() of pgbench.c has them: integers of 64 bits whose
// overflow is an error, doubles, booleans, and NULL, which makes every result NULL.
#include "workers/case/case_value.h"

#include <float.h>
#include <math.h>

static const char *name_of(enum case_value_type type) {
    switch (type) {
    case CASE_VALUE_NULL: return "null";
    case CASE_VALUE_BOOLEAN: return "boolean";
    case CASE_VALUE_INTEGER: return "integer";
    case CASE_VALUE_DOUBLE: return "double";
    }
    UNREACHABLE("type of a value");
}

static bool complain(struct text *problem, const char *message) {
    text_append_string(problem, message);
    return false;
}

bool case_value_to_boolean(struct case_value value, bool *result, struct text *problem) {
    *result = value.boolean;
    if (value.type != CASE_VALUE_BOOLEAN) {
        text_append_format(problem, "a boolean is expected, not %s", name_of(value.type));
    }
    return value.type == CASE_VALUE_BOOLEAN;
}

static bool to_double(struct case_value value, double *result, struct text *problem) {
    *result = value.type == CASE_VALUE_INTEGER ? (double)value.integer : value.real;
    if (value.type != CASE_VALUE_INTEGER && value.type != CASE_VALUE_DOUBLE) {
        text_append_format(problem, "a number is expected, not %s", name_of(value.type));
        return false;
    }
    return true;
}

static bool to_integer(struct case_value value, int64_t *result, struct text *problem) {
    if (value.type == CASE_VALUE_DOUBLE) {
        double rounded = rint(value.real);
        if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0)) {
            return complain(problem, "a double does not fit into an integer");
        }
        *result = (int64_t)rounded;
        return true;
    }
    *result = value.integer;
    if (value.type != CASE_VALUE_INTEGER) {
        text_append_format(problem, "an integer is expected, not %s", name_of(value.type));
    }
    return value.type == CASE_VALUE_INTEGER;
}

bool case_value_is_true(struct case_value value) {
    switch (value.type) {
    case CASE_VALUE_NULL: return false;
    case CASE_VALUE_BOOLEAN: return value.boolean;
    case CASE_VALUE_INTEGER: return value.integer != 0;
    case CASE_VALUE_DOUBLE: return value.real != 0.0;
    }
    UNREACHABLE("type of a value");
}

static struct case_value boolean(bool value) {
    return (struct case_value){.type = CASE_VALUE_BOOLEAN, .boolean = value};
}

static struct case_value integer(int64_t value) {
    return (struct case_value){.type = CASE_VALUE_INTEGER, .integer = value};
}

static struct case_value real(double value) {
    return (struct case_value){.type = CASE_VALUE_DOUBLE, .real = value};
}

// `difference` is negative, 0 or positive as the left value is less, equal or greater. False: no comparison.
static bool compare(const char *operation, int difference, struct case_value *result) {
    static const struct {
        const char *operation;
        bool less, equal, greater;
    } comparisons[] = {
        {"=", false, true, false}, {"<>", true, false, true}, {"!=", true, false, true}, {"<", true, false, false},
        {"<=", true, true, false}, {">", false, false, true}, {">=", false, true, true},
    };
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        if (strcmp(operation, comparisons[i].operation) == 0) {
            *result = boolean(difference < 0   ? comparisons[i].less
                              : difference > 0 ? comparisons[i].greater
                                               : comparisons[i].equal);
            return true;
        }
    }
    return false;
}

static bool operate_on_doubles(const char *operation, struct case_value left, struct case_value right,
                               struct case_value *result, struct text *problem) {
    double a;
    double b;
    if (!to_double(left, &a, problem) || !to_double(right, &b, problem)) {
        return false;
    }
    bool is_not_a_number = isnan(a) || isnan(b);
    if (compare(operation, a < b ? -1 : a > b, result)) {
        *result = is_not_a_number ? boolean(strcmp(operation, "<>") == 0 || strcmp(operation, "!=") == 0) : *result;
        return true;
    }
    switch (operation[0]) {
    case '+': *result = real(a + b); return true;
    case '-': *result = real(a - b); return true;
    case '*': *result = real(a * b); return true;
    default: *result = real(a / b); return true; // division by 0 gives an infinity, as in pgbench
    }
}

static bool divide(char operation, int64_t a, int64_t b, struct case_value *result, struct text *problem) {
    if (b == 0) {
        return complain(problem, "division by zero");
    }
    if (b == -1) { // INT64_MIN / -1 has no result
        int64_t quotient;
        if (operation == '/' && __builtin_sub_overflow((int64_t)0, a, &quotient)) {
            return complain(problem, "the result does not fit into an integer");
        }
        *result = integer(operation == '/' ? quotient : 0);
        return true;
    }
    *result = integer(operation == '/' ? a / b : a % b);
    return true;
}

static bool calculate(char operation, int64_t a, int64_t b, struct case_value *result, struct text *problem) {
    int64_t value = 0;
    bool overflows = false;
    switch (operation) {
    case '+': overflows = __builtin_add_overflow(a, b, &value); break;
    case '-': overflows = __builtin_sub_overflow(a, b, &value); break;
    case '*': overflows = __builtin_mul_overflow(a, b, &value); break;
    case '&': value = a & b; break;
    case '|': value = a | b; break;
    case '#': value = a ^ b; break;
    case '<': value = (int64_t)((uint64_t)a << ((uint64_t)b & 63)); break;
    case '>': value = a >> ((uint64_t)b & 63); break;
    default: return divide(operation, a, b, result, problem);
    }
    *result = integer(value);
    return !overflows || complain(problem, "the result does not fit into an integer");
}

bool case_value_operate(const char *operation, struct case_value left, struct case_value right,
                        struct case_value *result, struct text *problem) {
    int64_t a;
    int64_t b;
    *result = (struct case_value){.type = CASE_VALUE_NULL};
    if (left.type == CASE_VALUE_NULL || right.type == CASE_VALUE_NULL) {
        return true;
    }
    bool is_for_integers = strchr("%&|#", operation[0]) != NULL || strcmp(operation, "<<") == 0 ||
                           strcmp(operation, ">>") == 0;
    if (!is_for_integers && (left.type == CASE_VALUE_DOUBLE || right.type == CASE_VALUE_DOUBLE)) {
        return operate_on_doubles(operation, left, right, result, problem);
    }
    return to_integer(left, &a, problem) && to_integer(right, &b, problem) &&
           (compare(operation, a < b ? -1 : a > b, result) || calculate(operation[0], a, b, result, problem));
}

// pgbench writes these values as PostgreSQL does, not as printf() does.
static void append_double(struct text *out, double value) {
    if (isnan(value)) {
        text_append_string(out, "NaN");
    } else if (isinf(value)) {
        text_append_string(out, value < 0 ? "-Infinity" : "Infinity");
    } else {
        text_append_format(out, "%.*g", DBL_DIG, value);
    }
}

void case_value_append(struct text *out, struct case_value value) {
    switch (value.type) {
    case CASE_VALUE_NULL: text_append_string(out, "NULL"); break;
    case CASE_VALUE_BOOLEAN: text_append_string(out, value.boolean ? "true" : "false"); break;
    case CASE_VALUE_INTEGER: text_append_signed(out, value.integer); break;
    case CASE_VALUE_DOUBLE: append_double(out, value.real); break;
    }
}
