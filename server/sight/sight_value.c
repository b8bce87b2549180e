// https://www.postgresql.org/docs/current/protocol-message-formats.html and the send functions of the types.
#include "server/sight/sight_value.h"

#include <inttypes.h>

enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_OID = 26,
    TYPE_UNKNOWN = 705,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_NUMERIC = 1700,
    TYPE_UUID = 2950,
};

enum { DIGITS_MAX = 1000 }; // a longer number is no key

static bool is_integer(uint32_t type) {
    return type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8 || type == TYPE_OID;
}

static bool is_text(uint32_t type) {
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR || type == TYPE_NAME ||
           type == TYPE_UNKNOWN;
}

static uint64_t big_endian(struct slice data) {
    uint64_t value = 0;
    for (size_t i = 0; i < data.length; i++) {
        value = value << 8 | (unsigned char)data.data[i];
    }
    return value;
}

static size_t count_digits(struct slice text) {
    size_t count = 0;
    while (count < text.length && text.data[count] >= '0' && text.data[count] <= '9') {
        count++;
    }
    return count;
}

static struct slice skip(struct slice text, size_t count) {
    return (struct slice){text.data + count, text.length - count};
}

// Decimal text as the shortest text of the same number: no sign of zero, no leading zeros, no zeros behind the point.
static bool append_decimal(struct text *out, struct slice text, bool whole_only) {
    bool is_negative = text.length > 0 && text.data[0] == '-';
    if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        text = skip(text, 1);
    }
    struct slice whole = {text.data, count_digits(text)};
    text = skip(text, whole.length);
    struct slice fraction = {text.data, 0};
    if (text.length > 0 && text.data[0] == '.') {
        text = skip(text, 1);
        fraction = (struct slice){text.data, count_digits(text)};
        text = skip(text, fraction.length);
    }
    if (text.length > 0 || whole.length + fraction.length == 0 || whole.length + fraction.length > DIGITS_MAX) {
        return false;
    }
    while (whole.length > 0 && whole.data[0] == '0') {
        whole = skip(whole, 1);
    }
    while (fraction.length > 0 && fraction.data[fraction.length - 1] == '0') {
        fraction.length--;
    }
    if (whole_only && fraction.length > 0) {
        return false; // PostgreSQL rounds it or refuses it
    }
    if (is_negative && whole.length + fraction.length > 0) {
        text_append(out, "-", 1);
    }
    text_append_slice(out, whole.length > 0 ? whole : SLICE_LITERAL("0"));
    if (fraction.length > 0) {
        text_append(out, ".", 1);
        text_append_slice(out, fraction);
    }
    return true;
}

// Binary numeric: int16 count of digits to base 10000, int16 weight of the first, int16 sign, int16 scale, the digits.
static bool append_binary_numeric(struct text *out, struct slice data) {
    if (data.length < 8 || data.length % 2 != 0) {
        return false;
    }
    size_t count = (size_t)big_endian((struct slice){data.data, 2});
    int weight = (int16_t)big_endian((struct slice){data.data + 2, 2});
    uint64_t sign = big_endian((struct slice){data.data + 4, 2});
    if (data.length != 8 + 2 * count || (sign != 0 && sign != 0x4000) || weight < -64 || weight > 64 || count > 64) {
        return false; // NaN, infinity, or no key
    }
    struct text decimal = {0};
    text_append_string(&decimal, sign == 0 ? "" : "-");
    int last = MAX((int)count - 1 - weight, 0); // groups behind the point
    for (int group = MAX(weight, 0); group >= -last; group--) {
        int index = weight - group;
        uint64_t digits = 0;
        if (index >= 0 && (size_t)index < count) {
            digits = big_endian((struct slice){data.data + 8 + 2 * (size_t)index, 2});
        }
        if (group == -1) {
            text_append(&decimal, ".", 1);
        }
        text_append_format(&decimal, "%04" PRIu64, digits);
        if (digits > 9999) {
            text_free(&decimal);
            return false;
        }
    }
    bool good = append_decimal(out, text_slice(&decimal), false);
    text_free(&decimal);
    return good;
}

static void append_hex(struct text *out, struct slice data) {
    for (size_t i = 0; i < data.length; i++) {
        text_append_format(out, "%02x", (unsigned char)data.data[i]);
    }
}

static bool append_uuid(struct text *out, struct slice text) {
    struct text digits = {0};
    for (size_t i = 0; i < text.length && digits.length <= 32; i++) {
        char each = text.data[i];
        char lower = each >= 'A' && each <= 'F' ? (char)(each - 'A' + 'a') : each;
        if ((lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f')) {
            text_append(&digits, &lower, 1);
        } else if (lower != '-') {
            digits.length = 0;
            break; // the form with braces is left unknown
        }
    }
    bool good = digits.length == 32;
    if (good) {
        text_append_slice(out, text_slice(&digits));
    }
    text_free(&digits);
    return good;
}

static bool append_text(struct text *out, struct slice text, bool is_padded) {
    while (is_padded && text.length > 0 && text.data[text.length - 1] == ' ') {
        text.length--;
    }
    if (!slice_is_utf8(text) || memchr(text.data, '\0', text.length) != NULL) {
        return false; // in another encoding equal bytes may be another text
    }
    text_append_slice(out, text);
    return true;
}

static bool append_bool(struct text *out, struct slice text) {
    bool is_true = slice_equals(text, SLICE_LITERAL("t")) || slice_equals(text, SLICE_LITERAL("true"));
    if (!is_true && !slice_equals(text, SLICE_LITERAL("f")) && !slice_equals(text, SLICE_LITERAL("false"))) {
        return false;
    }
    text_append_string(out, is_true ? "t" : "f");
    return true;
}

static bool append_binary(struct text *out, struct slice data, uint32_t type, uint32_t column_type) {
    if (is_integer(type)) {
        size_t expected = type == TYPE_INT8 ? 8 : type == TYPE_INT2 ? 2 : 4;
        if (data.length != expected) {
            return false;
        }
        uint64_t bits = big_endian(data);
        int64_t value = type == TYPE_INT8   ? (int64_t)bits
                        : type == TYPE_INT4 ? (int32_t)bits
                        : type == TYPE_INT2 ? (int16_t)bits
                                            : (int64_t)bits;
        text_append_signed(out, value);
        return true;
    }
    switch (type) {
    case TYPE_NUMERIC: return append_binary_numeric(out, data);
    case TYPE_UUID:
        if (data.length == 16) {
            append_hex(out, data);
        }
        return data.length == 16;
    case TYPE_BOOL:
        if (data.length == 1) {
            text_append_string(out, data.data[0] != 0 ? "t" : "f");
        }
        return data.length == 1;
    case TYPE_BYTEA:
        text_append_string(out, "\\x");
        append_hex(out, data);
        return true;
    default: return is_text(type) && append_text(out, data, column_type == TYPE_BPCHAR);
    }
}

static bool append_canonical_text(struct text *out, struct slice data, uint32_t column_type) {
    if (is_integer(column_type) || column_type == TYPE_NUMERIC) {
        return append_decimal(out, slice_trim(data), is_integer(column_type));
    }
    switch (column_type) {
    case TYPE_UUID: return append_uuid(out, data);
    case TYPE_BOOL: return append_bool(out, data);
    case TYPE_BYTEA: {
        bool is_hex = slice_starts_with(data, SLICE_LITERAL("\\x"));
        if (is_hex) {
            text_append_slice(out, data);
        }
        return is_hex;
    }
    default:
        return is_text(column_type) && column_type != TYPE_UNKNOWN &&
               append_text(out, data, column_type == TYPE_BPCHAR);
    }
}

// A value is comparable as canonical text if both types are of one family.
static bool same_family(uint32_t type, uint32_t column_type) {
    bool is_number = is_integer(type) || type == TYPE_NUMERIC;
    bool is_number_column = is_integer(column_type) || column_type == TYPE_NUMERIC;
    return type == column_type || type == TYPE_UNKNOWN || (is_number && is_number_column) ||
           (is_text(type) && is_text(column_type));
}

bool sight_value_append(struct text *out, struct sight_value value, uint32_t type, uint32_t column_type) {
    if (type == 0) {
        type = column_type;
    }
    if (value.data.data == NULL || !same_family(type, column_type)) {
        return false;
    }
    return value.format == 1 ? append_binary(out, value.data, type, column_type)
                             : append_canonical_text(out, value.data, column_type);
}

// "UPDATE 2", "INSERT 0 1": the last number of the tag.
uint64_t sight_value_rows(struct slice tag) {
    uint64_t count = 0;
    size_t start = tag.length;
    while (start > 0 && tag.data[start - 1] >= '0' && tag.data[start - 1] <= '9') {
        start--;
    }
    for (size_t i = start; i < tag.length && i < start + 18; i++) {
        count = count * 10 + (uint64_t)(tag.data[i] - '0');
    }
    return count;
}
