// Reads and checks environment variables one by one. If a variable is not set, its reader leaves `out` unchanged. If
// its value cannot be used, the reader returns false and appends an error text to `problem`.
// Main thread, before the loop runs.
#ifndef SERVER_CONFIG_CONFIG_VARIABLE_H
#define SERVER_CONFIG_CONFIG_VARIABLE_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

// Returns the value of the variable, or NULL if it is not set or empty. The environment owns the value.
MUST_CHECK const char *variable(const char *name);

// Appends `NAME="value" cannot be used: it must be <allowed>` to `problem`. Returns false always.
bool variable_refuse(struct text *problem, const char *name, const char *value, const char *allowed);

// `given` becomes true if the variable is set. `least` and `most` are allowed values.
MUST_CHECK bool variable_boolean(const char *name, bool *out, bool *given, struct text *problem);
MUST_CHECK bool variable_integer(const char *name, int64_t least, int64_t most, int64_t *out, bool *given,
                                 struct text *problem);
MUST_CHECK bool variable_number(const char *name, unsigned least, unsigned most, unsigned *out, struct text *problem);
// `out` becomes the index of the value in `choices`, a list that ends with NULL. `allowed` names the choices for the
// error text.
MUST_CHECK bool variable_choice(const char *name, const char *const *choices, int *out, const char *allowed,
                                struct text *problem);

#endif
