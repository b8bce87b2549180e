// Reads request bodies with jansson. Loop thread.
#include "server/json/json_read.h"

#include "workers/limits.h"
#include "workers/money/money.h"
#include "workers/strategies/strategies.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

// Whole numbers are decoded as doubles: one beyond 64 bits then reaches the check of its own field.
#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)
#define EXACT_IN_A_DOUBLE 9007199254740992.0 // 2^53: whole numbers up to it are themselves
#define AMOUNT_TOO_SMALL "\"amount\" must be greater than zero"
#define AMOUNT_TOO_LARGE "\"amount\" must be at most 1000000000000 (1e12)"

static int refuse(struct text *problem, const char *what) {
    text_append_string(problem, what);
    return 422;
}

static int refuse_field(struct text *problem, const char *field, const char *what) {
    text_append_json_string(problem, slice_of(field));
    text_append_string(problem, what);
    return 422;
}

#define MALFORMED "The body is not valid JSON: "
#define UNREADABLE "The body cannot be read: " // for a text that the grammar of JSON allows

// jansson has one code for all syntax errors, so its text has to say that the escape was half of a surrogate pair.
static bool is_half_a_pair(const json_error_t *error) {
    return slice_starts_with(slice_of(error->text), SLICE_LITERAL("invalid Unicode "));
}

// jansson's own sentences name its options and its internals, so each of its errors has a sentence of ours.
static const char *sentence_for(const json_error_t *error) {
    switch (json_error_code(error)) {
    case json_error_premature_end_of_input: return MALFORMED "the text ends too early";
    case json_error_end_of_input_expected: return MALFORMED "something follows the JSON text";
    case json_error_invalid_utf8: return MALFORMED "this is not UTF-8";
    case json_error_duplicate_key: return UNREADABLE "an object has two fields of the same name";
    case json_error_stack_overflow: return UNREADABLE "the values are nested too deeply";
    default: break;
    }
    return is_half_a_pair(error) ? UNREADABLE "an escape stands for no Unicode character (half of a surrogate pair)"
                                 : MALFORMED "this is not JSON syntax";
}

// Appends advice about a mistake that JavaScript and Python allow. The last character that jansson has read shows it.
// An error inside a string, whose token starts with a double quote, gets none.
static void append_advice(struct text *problem, struct slice body, const json_error_t *error) {
    if (json_error_code(error) != json_error_invalid_syntax || error->position < 1 ||
        (size_t)error->position > body.length || strstr(error->text, "near '\"") != NULL) {
        return;
    }
    size_t last = (size_t)error->position - 1;
    size_t before = last; // becomes the end of what is before the blanks before that character
    while (before > 0 && strchr(" \t\r\n", body.data[before - 1]) != NULL) {
        before--;
    }
    char c = body.data[last];
    if (c == '\'') {
        text_append_string(problem, ": JSON takes double quotes, not single ones");
    } else if ((c == '}' || c == ']') && before > 0 && body.data[before - 1] == ',') {
        text_append_string(problem, ": a comma stands before the closing bracket");
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') {
        text_append_string(problem, ": JSON takes double quotes around every name and every text, and the only words "
                                    "without quotes are true, false and null");
    }
}

// Appends a text that is JSON exactly if `body` is, without the two things that jansson stops at although JSON allows
// them: numbers beyond a double (every run of digits is cut to its first two) and NULs in names. Different names stay
// different: U+0000 becomes U+0001 U+0001, and U+0001 becomes U+0001 U+0002.
static void append_harmless(struct text *out, struct slice body) {
    bool in_string = false;
    size_t digits = 0;
    for (size_t i = 0; i < body.length; i++) {
        struct slice rest = {body.data + i, body.length - i};
        bool is_digit = rest.data[0] >= '0' && rest.data[0] <= '9';
        digits = is_digit && !in_string ? digits + 1 : 0;
        if (digits > 2) {
            continue;
        }
        size_t step = 1;
        if (in_string && slice_starts_with(rest, SLICE_LITERAL("\\u0000"))) {
            step = sizeof "\\u0000" - 1;
            text_append_string(out, "\\u0001\\u0001");
        } else if (in_string && slice_starts_with(rest, SLICE_LITERAL("\\u0001"))) {
            step = sizeof "\\u0001" - 1;
            text_append_string(out, "\\u0001\\u0002");
        } else {
            step = in_string && rest.data[0] == '\\' && rest.length > 1 ? 2 : 1;
            text_append(out, rest.data, step);
        }
        in_string ^= rest.data[0] == '"';
        i += step - 1;
    }
}

// jansson stopped at something that JSON allows. 422 if the rest is JSON too, and 400 if it is not.
static int refuse_unreadable(struct slice body, const json_error_t *error, struct text *problem) {
    struct text harmless = {0};
    json_error_t other;
    append_harmless(&harmless, body);
    json_t *parsed = json_loadb(harmless.data, harmless.length, LOAD_FLAGS, &other);
    bool is_json = parsed != NULL;
    json_decref(parsed);
    text_free(&harmless);
    if (!is_json) {
        text_append_string(problem, sentence_for(&other));
        return 400;
    }
    if (json_error_code(error) == json_error_null_byte_in_key) {
        return refuse(problem, "There is no field whose name holds a NUL character");
    }
    text_append_format(problem,
                       "The number that ends at line %d, column %d is out of range: every number here lies between 0 "
                       "and 1000000000000 (1e12)",
                       error->line, error->column);
    return 422;
}

static int refuse_text(struct slice body, const json_error_t *error, struct text *problem) {
    enum json_error_code code = json_error_code(error);
    if (code == json_error_numeric_overflow || code == json_error_null_byte_in_key) {
        return refuse_unreadable(body, error, problem);
    }
    if (slice_starts_with(body, SLICE_LITERAL("\xEF\xBB\xBF"))) {
        text_append_string(problem, MALFORMED "it starts with a byte order mark; leave that out");
    } else {
        text_append_string(problem, sentence_for(error));
        append_advice(problem, body, error);
        text_append_format(problem, " (line %d, column %d)", error->line, error->column);
    }
    return 400;
}

static int parse_object(struct slice body, json_t **out, struct text *problem) {
    *out = NULL;
    if (body.length == 0) {
        text_append_string(problem, "The body is empty: send a JSON object");
        return 400;
    }
    if (memchr(body.data, '\0', body.length) != NULL) { // no JSON text has one; jansson skips it behind a number
        text_append_string(problem, MALFORMED "it holds a NUL byte");
        return 400;
    }
    json_error_t error;
    *out = json_loadb(body.data, body.length, LOAD_FLAGS, &error);
    if (*out == NULL) {
        return refuse_text(body, &error, problem);
    }
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return refuse(problem, "The body must be a JSON object");
    }
    return 200;
}

static int refuse_unknown(json_t *object, const char *const *known, const char *allowed, struct text *problem) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            text_append_string(problem, "There is no field ");
            return refuse_field(problem, key, allowed);
        }
    }
    return 200;
}

static int read_account_id(json_t *object, const char *field, char out[static ACCOUNT_ID_MAX + 1],
                           struct text *problem) {
    json_t *value = json_object_get(object, field);
    if (value == NULL) {
        return refuse_field(problem, field, " is missing: it names an account, such as \"alice\"");
    }
    if (!json_is_string(value)) {
        return refuse_field(problem, field, " must be a string");
    }
    size_t length = json_string_length(value);
    struct slice id = {json_string_value(value), length};
    if (length == 0 || utf8_character_count(id) > ACCOUNT_ID_CHARACTERS) {
        return refuse_field(problem, field, " must be 1 to 64 characters long");
    }
    if (strlen(json_string_value(value)) != length) {
        return refuse_field(problem, field, " must not hold a NUL character");
    }
    memcpy(out, json_string_value(value), length + 1);
    return 200;
}

// The number's own text. jansson hands numbers out as double, which cannot hold every amount; but by now the body is
// known as an object whose other values are strings, so its one number is what stands outside of quotes.
static struct slice only_number(struct slice body) {
    bool in_string = false;
    for (size_t i = 0; i < body.length; i++) {
        char c = body.data[i];
        if (c == '"') {
            in_string = !in_string;
        } else if (in_string && c == '\\') {
            i++;
        } else if (!in_string && (c == '-' || (c >= '0' && c <= '9'))) {
            size_t end = i;
            while (end < body.length && strchr("+-.eE0123456789", body.data[end]) != NULL && body.data[end] != '\0') {
                end++;
            }
            return (struct slice){body.data + i, end - i};
        }
    }
    CHECK(false);
}

static int read_amount(json_t *object, struct slice body, int64_t *cents, struct text *problem) {
    json_t *value = json_object_get(object, "amount");
    if (value == NULL) {
        return refuse(problem, "\"amount\" is missing: it is a number such as 800 or 12.34");
    }
    if (!json_is_number(value)) {
        return refuse(problem, "\"amount\" must be a number such as 800 or 12.34, without quotes");
    }
    struct slice number = only_number(body);
    switch (money_parse(number, cents)) {
    case MONEY_PARSED: break;
    case MONEY_TOO_PRECISE: return refuse(problem, "\"amount\" must have at most two decimals");
    case MONEY_MALFORMED:
    case MONEY_OUT_OF_RANGE: return refuse(problem, number.data[0] == '-' ? AMOUNT_TOO_SMALL : AMOUNT_TOO_LARGE);
    }
    if (*cents <= 0) {
        return refuse(problem, AMOUNT_TOO_SMALL);
    }
    if (*cents > TRANSFER_AMOUNT_MAX_CENTS) {
        return refuse(problem, AMOUNT_TOO_LARGE);
    }
    return 200;
}

// For this transfer only; without one it runs as the settings say.
static int read_transfer_strategy(json_t *object, struct transfer_request *out, struct text *problem) {
    json_t *value = json_object_get(object, "strategy");
    if (value == NULL) {
        return 200;
    }
    if (!json_is_string(value)) {
        return refuse(problem, "\"strategy\" must be a string: GET /strategies lists them");
    }
    struct slice name = {json_string_value(value), json_string_length(value)};
    out->settings.strategy = strategy_find(name);
    out->names_strategy = true;
    if (out->settings.strategy == NULL) {
        text_append_string(problem, "\"strategy\" must be one of ");
        strategy_append_choice(problem, name);
        return 422;
    }
    return 200;
}

static int read_transfer_fields(json_t *object, struct slice body, struct transfer_request *out, struct text *problem) {
    static const char *const known[] = {"from_account", "to_account", "amount", "strategy", NULL};
    int status = refuse_unknown(
        object, known, " in a transfer: send from_account, to_account, amount and, if you like, strategy", problem);
    if (status == 200) {
        status = read_account_id(object, "from_account", out->from_account, problem);
    }
    if (status == 200) {
        status = read_account_id(object, "to_account", out->to_account, problem);
    }
    if (status == 200) {
        status = read_transfer_strategy(object, out, problem);
    }
    if (status == 200) { // the last: by now every other value is known to be a string
        status = read_amount(object, body, &out->amount, problem);
    }
    if (status == 200 && strcmp(out->from_account, out->to_account) == 0) {
        status = refuse(problem, "from_account and to_account are the same: choose two");
    }
    return status;
}

int json_read_transfer(struct slice body, struct transfer_request *out, struct text *problem) {
    json_t *object = NULL;
    int status = parse_object(body, &object, problem);
    if (status == 200) {
        status = read_transfer_fields(object, body, out, problem);
    }
    json_decref(object);
    return status;
}

static int read_boolean(json_t *object, const char *field, bool *out, bool *given, struct text *problem) {
    json_t *value = json_object_get(object, field);
    *given = value != NULL;
    if (value == NULL) {
        return 200;
    }
    *out = json_is_true(value);
    return json_is_boolean(value) ? 200 : refuse_field(problem, field, " must be true or false");
}

// 200.0 is a whole number too: JSON knows only numbers. A double beyond every range keeps its sign and no more.
static bool is_whole(double number, int64_t *out) {
    bool fits = number > -EXACT_IN_A_DOUBLE && number < EXACT_IN_A_DOUBLE;
    *out = fits ? (int64_t)number : number < 0 ? INT64_MIN : INT64_MAX;
    return !fits || (double)*out == number;
}

static int read_integer(json_t *object, const char *field, int64_t *out, bool *given, struct text *problem) {
    json_t *value = json_object_get(object, field);
    *given = value != NULL;
    if (value == NULL) {
        return 200;
    }
    bool whole = json_is_real(value) && is_whole(json_real_value(value), out);
    return whole ? 200 : refuse_field(problem, field, " must be a whole number");
}

static int read_strategy(json_t *object, struct settings_change *out, struct text *name, struct text *problem) {
    json_t *value = json_object_get(object, "strategy");
    out->has_strategy = value != NULL;
    if (value == NULL) {
        return 200;
    }
    if (!json_is_string(value)) {
        return refuse(problem, "\"strategy\" must be a string");
    }
    text_append(name, json_string_value(value), json_string_length(value));
    out->strategy = text_slice(name);
    return 200;
}

static int read_settings_fields(json_t *object, struct settings_change *out, struct text *name, struct text *problem) {
    static const char *const known[] = {"delay_enabled",      "delay_ms",         "barrier_enabled", "barrier_count",
                                        "barrier_timeout_ms", "use_transactions", "strategy",        NULL};
    int status = refuse_unknown(object, known, " among the settings: GET /admin/settings lists them", problem);
    if (status == 200) {
        status = read_boolean(object, "delay_enabled", &out->delay_enabled, &out->has_delay_enabled, problem);
    }
    if (status == 200) {
        status = read_integer(object, "delay_ms", &out->delay_ms, &out->has_delay_ms, problem);
    }
    if (status == 200) {
        status = read_boolean(object, "barrier_enabled", &out->barrier_enabled, &out->has_barrier_enabled, problem);
    }
    if (status == 200) {
        status = read_integer(object, "barrier_count", &out->barrier_count, &out->has_barrier_count, problem);
    }
    if (status == 200) {
        status = read_integer(object, "barrier_timeout_ms", &out->barrier_timeout_ms, &out->has_barrier_timeout_ms,
                              problem);
    }
    if (status == 200) {
        status = read_boolean(object, "use_transactions", &out->use_transactions, &out->has_use_transactions, problem);
    }
    return status == 200 ? read_strategy(object, out, name, problem) : status;
}

int json_read_settings(struct slice body, struct settings_change *out, struct text *strategy_name,
                       struct text *problem) {
    json_t *object = NULL;
    int status = parse_object(body, &object, problem);
    if (status == 200) {
        status = read_settings_fields(object, out, strategy_name, problem);
    }
    json_decref(object);
    return status;
}
