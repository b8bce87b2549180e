// Splits and decodes query strings, and writes error texts about them. Loop thread.
#include "server/http/query.h"

#include <inttypes.h>
#include <string.h>

bool boolean_parse(struct slice text, bool *out) {
    static const char *const yes[] = {"true", "1", "on", "yes"};
    static const char *const no[] = {"false", "0", "off", "no"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (slice_equals_ignoring_case(text, slice_of(yes[i]))) {
            *out = true;
            return true;
        }
        if (slice_equals_ignoring_case(text, slice_of(no[i]))) {
            *out = false;
            return true;
        }
    }
    return false;
}

bool integer_parse(struct slice text, int64_t *out) {
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == text.length) {
        return false;
    }
    int64_t value = 0;
    bool overflow = false;
    for (; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, text.data[i] - '0', &value);
    }
    *out = negative ? (overflow ? INT64_MIN : -value) : (overflow ? INT64_MAX : value);
    return true;
}

static void note_problem(struct query *query, const char *what, struct slice name, const char *advice) {
    if (query->problem.length == 0) {
        text_append_string(&query->problem, what);
        text_append_slice(&query->problem, name);
        text_append_string(&query->problem, advice);
    }
}

static void add_parameter(struct query *query, struct slice encoded) {
    const char *equals = memchr(encoded.data, '=', encoded.length);
    size_t name_length = equals == NULL ? encoded.length : (size_t)(equals - encoded.data);
    size_t value_start = equals == NULL ? encoded.length : name_length + 1;
    size_t before = query->decoded.length;
    bool good = percent_decode((struct slice){encoded.data, name_length}, true, &query->decoded);
    size_t between = query->decoded.length;
    good = good && percent_decode((struct slice){encoded.data + value_start, encoded.length - value_start}, true,
                                  &query->decoded);
    if (!good) {
        note_problem(query, "The query has a broken percent escape: send % and two hexadecimal digits, but not %00",
                     (struct slice){NULL, 0}, "");
        return;
    }
    struct query_parameter *parameter = &query->parameters[query->count++];
    parameter->name = (struct slice){query->decoded.data + before, between - before};
    parameter->value = (struct slice){query->decoded.data + between, query->decoded.length - between};
}

void query_parse(struct query *query, struct slice encoded) {
    *query = (struct query){0};
    // Decoding never makes a text longer, so this allocation is enough. The slices point into it, so it must not move.
    query->decoded.data = memory_allocate(encoded.length + 1);
    query->decoded.capacity = encoded.length + 1;
    size_t start = 0;
    for (size_t i = 0; i <= encoded.length; i++) {
        if (i < encoded.length && encoded.data[i] != '&') {
            continue;
        }
        if (i > start) {
            if (query->count == QUERY_PARAMETERS_MAX) {
                note_problem(query, "The query has too many parameters: send fewer", (struct slice){NULL, 0}, "");
                return;
            }
            add_parameter(query, (struct slice){encoded.data + start, i - start});
        }
        start = i + 1;
    }
}

static struct query_parameter *query_take(struct query *query, const char *name) {
    if (query->known_count < QUERY_PARAMETERS_MAX) {
        query->known[query->known_count++] = name;
    }
    struct query_parameter *found = NULL;
    for (size_t i = 0; i < query->count; i++) {
        struct query_parameter *parameter = &query->parameters[i];
        if (slice_equals(parameter->name, slice_of(name))) {
            if (found != NULL) {
                note_problem(query, "Send this parameter once: ", parameter->name, "");
            }
            parameter->taken = true;
            found = parameter;
        }
    }
    return found;
}

bool query_take_text(struct query *query, const char *name, struct text *out) {
    struct query_parameter *parameter = query_take(query, name);
    if (parameter != NULL) {
        text_append_slice(out, parameter->value);
    }
    return parameter != NULL;
}

bool query_take_boolean(struct query *query, const char *name, bool *out) {
    struct query_parameter *parameter = query_take(query, name);
    if (parameter != NULL && !boolean_parse(parameter->value, out)) {
        note_problem(query, "", parameter->name, " must be true or false (or 1, 0, on, off, yes, no)");
    }
    return parameter != NULL;
}

bool query_take_integer(struct query *query, const char *name, int64_t least, int64_t most, int64_t *out) {
    struct query_parameter *parameter = query_take(query, name);
    if (parameter == NULL) {
        return false;
    }
    bool is_number = integer_parse(parameter->value, out);
    if ((!is_number || *out < least || *out > most) && query->problem.length == 0) {
        text_append_slice(&query->problem, parameter->name);
        if (is_number) {
            text_append_format(&query->problem, " is %" PRId64 ", but", *out);
        }
        text_append_format(&query->problem, " must be a whole number from %" PRId64 " to %" PRId64, least, most);
    }
    return true;
}

static void note_unknown(struct query *query, struct slice name) {
    note_problem(query, "This path has no parameter \"", name,
                 query->known_count == 0 ? "\": remove the query, because the path has no parameters" : "\": use ");
    for (size_t i = 0; i < query->known_count; i++) {
        text_append_string(&query->problem, i == 0 ? "" : i + 1 == query->known_count ? " or " : ", ");
        text_append_string(&query->problem, query->known[i]);
    }
}

bool query_finish(struct query *query) {
    for (size_t i = 0; i < query->count && query->problem.length == 0; i++) {
        if (!query->parameters[i].taken) {
            note_unknown(query, query->parameters[i].name);
        }
    }
    return query->problem.length == 0;
}

void query_free(struct query *query) {
    text_free(&query->decoded);
    text_free(&query->problem);
}
