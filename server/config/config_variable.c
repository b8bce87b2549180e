// Reads environment variables and parses their values. Main thread.
#include "server/config/config_variable.h"

#include "server/config/settings_change.h"
#include "server/http/http.h"
#include "workers/transfer/transfer.h"

#include <inttypes.h>
#include <stdlib.h>

const char *variable(const char *name) {
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

bool variable_refuse(struct text *problem, const char *name, const char *value, const char *allowed) {
    text_append_format(problem, "%s=\"%s\" cannot be used: it must be %s", name, value, allowed);
    return false;
}

bool variable_boolean(const char *name, bool *out, bool *given, struct text *problem) {
    const char *value = variable(name);
    *given = value != NULL;
    if (value != NULL && !boolean_parse(slice_of(value), out)) {
        return variable_refuse(problem, name, value, "true or false (or 1, 0, on, off, yes, no)");
    }
    return true;
}

bool variable_integer(const char *name, int64_t least, int64_t most, int64_t *out, bool *given, struct text *problem) {
    const char *value = variable(name);
    *given = value != NULL;
    if (value == NULL) {
        return true;
    }
    if (!integer_parse(slice_of(value), out) || *out < least || *out > most) {
        struct text allowed = {0};
        settings_describe_range(&allowed, least, most);
        variable_refuse(problem, name, value, text_terminated(&allowed));
        text_free(&allowed);
        return false;
    }
    return true;
}

bool variable_number(const char *name, unsigned least, unsigned most, unsigned *out, struct text *problem) {
    int64_t value = *out;
    bool given;
    if (!variable_integer(name, least, most, &value, &given, problem)) {
        return false;
    }
    *out = (unsigned)value;
    return true;
}

bool variable_choice(const char *name, const char *const *choices, int *out, const char *allowed,
                     struct text *problem) {
    const char *value = variable(name);
    if (value == NULL) {
        return true;
    }
    for (int i = 0; choices[i] != NULL; i++) {
        if (slice_equals_ignoring_case(slice_of(value), slice_of(choices[i]))) {
            *out = i;
            return true;
        }
    }
    return variable_refuse(problem, name, value, allowed);
}
