// The values of pgbench's expressions, its operators and its functions. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_VALUE_H
#define WORKERS_CASE_CASE_VALUE_H

#include "workers/case/case.h"

enum case_value_type { CASE_VALUE_NULL, CASE_VALUE_BOOLEAN, CASE_VALUE_INTEGER, CASE_VALUE_DOUBLE };

struct case_value {
    enum case_value_type type;
    bool boolean;
    int64_t integer;
    double real;
};

enum {
    CASE_ARGUMENTS_MAX = 16, // arguments of one function
};

// Each function returns false after it has appended to `problem`.
MUST_CHECK bool case_value_operate(const char *operation, struct case_value left, struct case_value right,
                                   struct case_value *result, struct text *problem);
MUST_CHECK bool case_value_to_boolean(struct case_value value, bool *result, struct text *problem);
// True for true and for a number that is not 0, as a condition of CASE and \if reads a value.
MUST_CHECK bool case_value_is_true(struct case_value value);
// `random` is the state of the generator, or NULL: random functions are then a problem.
MUST_CHECK bool case_value_call(struct slice name, const struct case_value *arguments, size_t count, uint64_t *random,
                                struct case_value *result, struct text *problem);
void case_value_append(struct text *out, struct case_value value);

// case_calculate() with a generator of random numbers.
MUST_CHECK bool case_calculate_random(const char *expression, uint64_t *random, struct text *value,
                                      struct text *problem);

#endif
