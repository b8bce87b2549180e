// Converts between decimal text and cents, exactly. The JSON reader calls it on the loop, the transfers on the workers.
#include "workers/money/money.h"

#include <inttypes.h>
#include <stdio.h>

// No number that fits in a request is in range with a larger exponent. The limit keeps the additions from overflowing.
#define EXPONENT_MAX 100000

struct decimal {
    bool negative;
    struct slice digits; // the digits of the whole part and of the fraction, with the point between them
    int point;           // the number of digits before the point, after the exponent has moved the point
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t count_digits(struct slice text, size_t from) {
    size_t end = from;
    while (end < text.length && is_digit(text.data[end])) {
        end++;
    }
    return end - from;
}

// Scans a number of JSON (RFC 8259 section 6). It also accepts leading zeros: the JSON reader refuses them before, and
// PostgreSQL never prints them.
static bool decimal_scan(struct slice text, struct decimal *out) {
    size_t at = 0;
    out->negative = text.length > 0 && text.data[0] == '-';
    if (out->negative) {
        at++;
    }
    size_t start = at;
    size_t whole = count_digits(text, at);
    at += whole;
    if (whole == 0) {
        return false;
    }
    if (at < text.length && text.data[at] == '.') {
        size_t fraction = count_digits(text, at + 1);
        if (fraction == 0) {
            return false;
        }
        at += 1 + fraction;
    }
    out->digits = (struct slice){text.data + start, at - start};
    out->point = whole > EXPONENT_MAX ? EXPONENT_MAX : (int)whole;
    if (at == text.length) {
        return true;
    }
    if (text.data[at] != 'e' && text.data[at] != 'E') {
        return false;
    }
    at++;
    bool shrink = at < text.length && text.data[at] == '-';
    if (at < text.length && (text.data[at] == '-' || text.data[at] == '+')) {
        at++;
    }
    size_t exponent_digits = count_digits(text, at);
    if (exponent_digits == 0 || at + exponent_digits != text.length) {
        return false;
    }
    int exponent = 0;
    for (size_t i = at; i < text.length; i++) {
        exponent = exponent * 10 + (text.data[i] - '0');
        if (exponent > EXPONENT_MAX) {
            exponent = EXPONENT_MAX;
        }
    }
    out->point += shrink ? -exponent : exponent;
    return true;
}

// Appends a digit. False: the value would be larger than MONEY_MAX_CENTS.
static bool add_digit(int64_t *value, int digit) {
    if (*value > (MONEY_MAX_CENTS - digit) / 10) {
        return false;
    }
    *value = *value * 10 + digit;
    return true;
}

enum money_parse_result money_parse(struct slice text, int64_t *cents) {
    struct decimal decimal;
    if (!decimal_scan(text, &decimal)) {
        return MONEY_MALFORMED;
    }
    // Digit number k (from 0) is worth 10^(point-1-k) units, so the first point+2 digits make the cents.
    int64_t value = 0;
    int place = decimal.point + 1; // the next digit is worth 10^place cents
    bool too_precise = false;
    bool in_range = true;
    for (size_t i = 0; i < decimal.digits.length; i++) {
        char digit = decimal.digits.data[i];
        if (digit == '.') {
            continue;
        }
        if (place >= 0) {
            in_range = in_range && add_digit(&value, digit - '0');
        } else if (digit != '0') {
            too_precise = true;
        }
        place--;
    }
    for (; place >= 0 && value != 0 && in_range; place--) {
        in_range = add_digit(&value, 0);
    }
    if (!in_range) {
        return MONEY_OUT_OF_RANGE;
    }
    if (too_precise) {
        return MONEY_TOO_PRECISE;
    }
    *cents = decimal.negative ? -value : value;
    return MONEY_PARSED;
}

// The parts of a sum such as "-600.00". It may have no decimals. Leading zeros are refused: JSON forbids them, and
// PostgreSQL prints none.
struct sum_parts {
    bool negative;
    struct slice whole, decimals;
};

static bool sum_scan(struct slice text, struct sum_parts *out) {
    out->negative = text.length > 0 && text.data[0] == '-';
    size_t start = out->negative ? 1 : 0;
    size_t whole = count_digits(text, start);
    size_t end = start + whole;
    size_t decimals = 0;
    if (end < text.length && text.data[end] == '.') {
        decimals = count_digits(text, end + 1);
        end += decimals == 0 ? 0 : 1 + decimals;
    }
    out->whole = (struct slice){text.data + start, whole};
    out->decimals = (struct slice){text.data + end - decimals, decimals};
    bool leads_with_zero = whole > 1 && text.data[start] == '0';
    return whole > 0 && !leads_with_zero && end == text.length;
}

bool money_sum_is_valid(struct slice sum) {
    struct sum_parts parts;
    bool good = sum_scan(sum, &parts);
    for (size_t i = 2; good && i < parts.decimals.length; i++) {
        good = parts.decimals.data[i] == '0';
    }
    return good;
}

static uint64_t magnitude(int64_t cents) {
    return cents < 0 ? -(uint64_t)cents : (uint64_t)cents;
}

void money_format(int64_t cents, char out[static MONEY_TEXT_LENGTH]) {
    uint64_t size = magnitude(cents);
    (void)snprintf(out, MONEY_TEXT_LENGTH, "%s%" PRIu64 ".%02" PRIu64, cents < 0 ? "-" : "", size / 100, size % 100);
}

void money_append_json(struct text *text, int64_t cents) {
    uint64_t size = magnitude(cents);
    if (cents < 0) {
        text_append(text, "-", 1);
    }
    text_append_unsigned(text, size / 100);
    char fraction[3] = {'.', (char)('0' + size % 100 / 10), (char)('0' + size % 10)};
    text_append(text, fraction, fraction[2] == '0' ? 2 : 3);
}

void money_sum_append_json(struct text *text, struct slice sum) {
    struct sum_parts parts;
    CHECK(sum_scan(sum, &parts));
    if (parts.negative) {
        text_append(text, "-", 1);
    }
    text_append_slice(text, parts.whole);
    char fraction[3] = {'.', parts.decimals.length > 0 ? parts.decimals.data[0] : '0',
                        parts.decimals.length > 1 ? parts.decimals.data[1] : '0'};
    text_append(text, fraction, fraction[2] == '0' ? 2 : 3);
}

struct money_text money_text_of(int64_t cents) {
    struct money_text money;
    money_format(cents, money.text);
    return money;
}
