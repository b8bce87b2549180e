// The functions of pgbench's expressions. The random ones have pgbench's distributions, but a generator of their own:
// splitmix64, so that a seed gives the same values on every machine.
#include "workers/case/case_value.h"

#include <math.h>

#define IS(literal) slice_equals_ignoring_case(name, SLICE_LITERAL(literal))

static bool complain(struct text *problem, struct slice name, const char *message) {
    text_append_format(problem, "%.*s() %s", (int)MIN(name.length, 40), name.data, message);
    return false;
}

static uint64_t next_random(uint64_t *state) {
    uint64_t bits = *state += UINT64_C(0x9E3779B97F4A7C15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
    return bits ^ (bits >> 31);
}

// At least 0 and less than 1.
static double next_fraction(uint64_t *state) {
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static double exponential_fraction(uint64_t *state, double parameter) {
    double cut = exp(-parameter);
    return -log(cut + (1.0 - cut) * (1.0 - next_fraction(state))) / parameter;
}

static double gaussian_fraction(uint64_t *state, double parameter) {
    double deviation;
    do {
        deviation = sqrt(-2.0 * log(1.0 - next_fraction(state))) * sin(2.0 * M_PI * next_fraction(state));
    } while (deviation < -parameter || deviation >= parameter);
    return (deviation + parameter) / (parameter * 2.0);
}

// From 1 to `count`: Devroye, "Non-Uniform Random Variate Generation", page 551, as in pgbench.
static double zipfian_rank(uint64_t *state, double count, double parameter) {
    double b = pow(2.0, parameter - 1.0);
    for (;;) {
        double u = 1.0 - next_fraction(state);
        double v = next_fraction(state);
        double x = floor(pow(u, -1.0 / (parameter - 1.0)));
        double t = pow(1.0 + 1.0 / x, parameter - 1.0);
        if (x <= count && v * x * (t - 1.0) / (b - 1.0) <= t / b) {
            return x;
        }
    }
}

static bool to_integer(struct slice name, const struct case_value *value, int64_t *result, struct text *problem) {
    static const struct case_value all_bits = {.type = CASE_VALUE_INTEGER, .integer = -1};
    struct case_value copy;
    if (value->type != CASE_VALUE_INTEGER && value->type != CASE_VALUE_DOUBLE) {
        return complain(problem, name, "needs a number");
    }
    bool good = case_value_operate("&", *value, all_bits, &copy, problem); // rounds a double
    *result = copy.integer;
    return good;
}

static bool to_double(struct slice name, const struct case_value *value, double *result, struct text *problem) {
    *result = value->type == CASE_VALUE_INTEGER ? (double)value->integer : value->real;
    return value->type == CASE_VALUE_INTEGER || value->type == CASE_VALUE_DOUBLE ||
           complain(problem, name, "needs a number");
}

static bool draw(struct slice name, const struct case_value *arguments, size_t count, uint64_t *random,
                 struct case_value *result, struct text *problem) {
    int64_t least;
    int64_t most;
    double parameter = 0;
    if (count != (IS("random") ? 2 : 3)) {
        return complain(problem, name, IS("random") ? "needs two arguments" : "needs three arguments");
    }
    if (random == NULL) {
        return complain(problem, name,
                        "is drawn when the script is read: its arguments may not depend on \\gset or \\if");
    }
    if (!to_integer(name, &arguments[0], &least, problem) || !to_integer(name, &arguments[1], &most, problem) ||
        (count == 3 && !to_double(name, &arguments[2], &parameter, problem))) {
        return false;
    }
    int64_t span;
    if (least > most || __builtin_sub_overflow(most, least, &span) || span >= INT64_C(1) << 53) {
        return complain(problem, name, "needs bounds in order, less than 2^53 apart");
    }
    double size = (double)span + 1.0;
    double offset = 0;
    if (IS("random")) {
        offset = next_fraction(random) * size;
    } else if (IS("random_exponential") && parameter > 0) {
        offset = exponential_fraction(random, parameter) * size;
    } else if (IS("random_gaussian") && parameter >= 2.0 && isfinite(parameter)) {
        offset = gaussian_fraction(random, parameter) * size;
    } else if (IS("random_zipfian") && parameter >= 1.001 && parameter <= 1000.0) {
        offset = zipfian_rank(random, size, parameter) - 1.0;
    } else {
        return complain(problem, name, "has a parameter that is out of pgbench's range");
    }
    *result = (struct case_value){.type = CASE_VALUE_INTEGER, .integer = least + MIN((int64_t)offset, span)};
    return true;
}

static uint64_t murmur2(uint64_t value, uint64_t seed) {
    const uint64_t factor = UINT64_C(0xC6A4A7935BD1E995);
    uint64_t hash = seed ^ (8 * factor);
    value *= factor;
    value = (value ^ (value >> 47)) * factor;
    hash = (hash ^ value) * factor;
    hash = (hash ^ (hash >> 47)) * factor;
    return hash ^ (hash >> 47);
}

static uint64_t fnv1a(uint64_t value, uint64_t seed) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ seed;
    for (int i = 0; i < 8; i++) {
        hash = (hash ^ (value & 0xFF)) * UINT64_C(0x100000001B3);
        value >>= 8;
    }
    return hash;
}

static bool hash(struct slice name, const struct case_value *arguments, size_t count, struct case_value *result,
                 struct text *problem) {
    int64_t value;
    int64_t seed;
    if (count != 2) {
        return complain(problem, name, "needs a value and a seed, such as :default_seed");
    }
    if (!to_integer(name, &arguments[0], &value, problem) || !to_integer(name, &arguments[1], &seed, problem)) {
        return false;
    }
    uint64_t bits = IS("hash_fnv1a") ? fnv1a((uint64_t)value, (uint64_t)seed)
                                     : murmur2((uint64_t)value, (uint64_t)seed);
    *result = (struct case_value){.type = CASE_VALUE_INTEGER, .integer = (int64_t)bits};
    return true;
}

// least and greatest: doubles as soon as one argument is a double.
static bool choose(struct slice name, const struct case_value *arguments, size_t count, struct case_value *result,
                   struct text *problem) {
    if (count == 0) {
        return complain(problem, name, "needs an argument");
    }
    bool has_double = false;
    for (size_t i = 0; i < count; i++) {
        struct case_value is_chosen = {.boolean = i == 0};
        double number;
        if (!to_double(name, &arguments[i], &number, problem) ||
            (i > 0 && !case_value_operate(IS("least") ? "<" : ">", arguments[i], *result, &is_chosen, problem))) {
            return false;
        }
        has_double = has_double || arguments[i].type == CASE_VALUE_DOUBLE;
        *result = is_chosen.boolean ? arguments[i] : *result;
    }
    if (has_double && result->type == CASE_VALUE_INTEGER) {
        *result = (struct case_value){.type = CASE_VALUE_DOUBLE, .real = (double)result->integer};
    }
    return true;
}

static bool is_choice(struct slice name) {
    return IS("least") || IS("greatest");
}

static bool calculate_real(struct slice name, const struct case_value *arguments, size_t count,
                           struct case_value *result, struct text *problem) {
    double a = 0;
    double b = 0;
    size_t expected = IS("pi") ? 0 : IS("pow") || IS("power") ? 2 : 1;
    if (count != expected) {
        return complain(problem, name,
                        expected == 0   ? "has no arguments"
                        : expected == 1 ? "needs one argument"
                                        : "needs two arguments");
    }
    if ((count > 0 && !to_double(name, &arguments[0], &a, problem)) ||
        (count > 1 && !to_double(name, &arguments[1], &b, problem))) {
        return false;
    }
    *result = (struct case_value){.type = CASE_VALUE_DOUBLE};
    result->real = IS("double") ? a : IS("sqrt") ? sqrt(a) : IS("ln") ? log(a) : IS("exp") ? exp(a) : pow(a, b);
    result->real = IS("pi") ? M_PI : result->real;
    return true;
}

static bool calculate_one(struct slice name, const struct case_value *arguments, size_t count,
                          struct case_value *result, struct text *problem) {
    static const struct case_value zero = {.type = CASE_VALUE_INTEGER};
    if (count != 1) {
        return complain(problem, name, "needs one argument");
    }
    *result = arguments[0];
    double number;
    if (IS("int")) {
        result->type = CASE_VALUE_INTEGER;
        return to_integer(name, &arguments[0], &result->integer, problem);
    }
    if (IS("debug") || (to_double(name, &arguments[0], &number, problem) && !(number < 0))) {
        return true;
    }
    return arguments[0].type != CASE_VALUE_BOOLEAN && case_value_operate("-", zero, arguments[0], result, problem);
}

bool case_value_call(struct slice name, const struct case_value *arguments, size_t count, uint64_t *random,
                     struct case_value *result, struct text *problem) {
    *result = (struct case_value){.type = CASE_VALUE_NULL};
    for (size_t i = 0; i < count; i++) {
        if (arguments[i].type == CASE_VALUE_NULL) {
            return true;
        }
    }
    if (IS("random") || IS("random_exponential") || IS("random_gaussian") || IS("random_zipfian")) {
        return draw(name, arguments, count, random, result, problem);
    }
    if (IS("hash") || IS("hash_murmur2") || IS("hash_fnv1a")) {
        return hash(name, arguments, count, result, problem);
    }
    if (is_choice(name)) {
        return choose(name, arguments, count, result, problem);
    }
    if (IS("mod")) {
        return count == 2 ? case_value_operate("%", arguments[0], arguments[1], result, problem)
                          : complain(problem, name, "needs two arguments");
    }
    if (IS("abs") || IS("int") || IS("debug")) {
        return calculate_one(name, arguments, count, result, problem);
    }
    if (IS("double") || IS("sqrt") || IS("ln") || IS("exp") || IS("pi") || IS("pow") || IS("power")) {
        return calculate_real(name, arguments, count, result, problem);
    }
    return complain(problem, name, "is not a function that a case understands");
}
