// Environment variables, read and checked one by one: each reader leaves `out` alone when the variable is not set, and
// answers false with a problem in words when its value cannot be used. Main thread, before the loop runs.
#ifndef SERVER_CONFIG_CONFIG_VARIABLE_H
#define SERVER_CONFIG_CONFIG_VARIABLE_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

// NULL when it is not set, or set to nothing.
MUST_CHECK const char *variable(const char *name);

// NAME="value" cannot be used: it must be <allowed>. Always false.
bool variable_refuse(struct text *problem, const char *name, const char *value, const char *allowed);

MUST_CHECK bool variable_boolean(const char *name, bool *out, bool *given, struct text *problem);
MUST_CHECK bool variable_integer(const char *name, int64_t least, int64_t most, int64_t *out, bool *given,
                                 struct text *problem);
MUST_CHECK bool variable_number(const char *name, unsigned least, unsigned most, unsigned *out, struct text *problem);
// `out` becomes the index of the value among the choices, NULL behind the last.
MUST_CHECK bool variable_choice(const char *name, const char *const *choices, int *out, const char *allowed,
                                struct text *problem);

#endif
