// The binary forms are those of PostgreSQL's *_send functions.
#include "server/proxy/prove_literal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

enum oid {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_UUID = 2950,
    OID_JSONB = 3802,
};

static const struct type {
    uint32_t oid, array;
    const char *name;
} types[] = {
    {OID_BOOL, 1000, "boolean"},
    {OID_BYTEA, 1001, "bytea"},
    {OID_INT8, 1016, "bigint"},
    {OID_INT2, 1005, "smallint"},
    {OID_INT4, 1007, "integer"},
    {OID_TEXT, 1009, "text"},
    {OID_OID, 1028, "oid"},
    {OID_JSON, 199, "json"},
    {OID_FLOAT4, 1021, "real"},
    {OID_FLOAT8, 1022, "double precision"},
    {OID_BPCHAR, 1014, "bpchar"},
    {OID_VARCHAR, 1015, "varchar"},
    {OID_DATE, 1182, "date"},
    {OID_TIMESTAMP, 1115, "timestamp"},
    {OID_TIMESTAMPTZ, 1185, "timestamptz"},
    {OID_NUMERIC, 1231, "numeric"},
    {OID_UUID, 2951, "uuid"},
    {OID_JSONB, 3807, "jsonb"},
};

static const struct type *find_type(uint32_t oid) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].oid == oid || types[i].array == oid) {
            return &types[i];
        }
    }
    return NULL;
}

// --- Binary values as PostgreSQL's text ---

static uint64_t number_at(struct slice data, size_t offset, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | (unsigned char)data.data[offset + i];
    }
    return value;
}

static bool append_integer(struct text *out, struct slice data, bool is_signed) {
    uint64_t bits = number_at(data, 0, data.length);
    int64_t value = data.length == 2 ? (int16_t)bits : data.length == 4 ? (int32_t)bits : (int64_t)bits;
    text_append_format(out, "%" PRId64, is_signed ? value : (int64_t)bits);
    return true;
}

static bool append_real(struct text *out, struct slice data) {
    uint64_t bits = number_at(data, 0, data.length);
    if (data.length == sizeof(float)) {
        uint32_t half = (uint32_t)bits;
        float value;
        memcpy(&value, &half, sizeof value);
        text_append_format(out, "%.9g", (double)value);
    } else {
        double value;
        memcpy(&value, &bits, sizeof value);
        text_append_format(out, "%.17g", value);
    }
    return true;
}

// Days since 2000-01-01 as year, month and day: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms.
static bool append_day(struct text *out, int64_t days) {
    int64_t shifted = days + 10957 + 719468;
    if (shifted < 0 || shifted > INT64_C(3652059)) { // before the year 0, or behind 9999
        return false;
    }
    int64_t era = shifted / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    text_append_format(out, "%04d-%02d-%02d", (int)(year + era * 400 + (month <= 2)), (int)month, (int)day);
    return true;
}

static bool append_moment(struct text *out, struct slice data, bool has_zone) {
    enum { PER_SECOND = 1000000 };
    const int64_t per_day = INT64_C(86400) * PER_SECOND;
    int64_t value = (int64_t)number_at(data, 0, 8);
    int64_t rest = value % per_day;
    rest += rest < 0 ? per_day : 0;
    if (value == INT64_MAX || value == INT64_MIN) {
        text_append_string(out, value > 0 ? "infinity" : "-infinity");
        return true;
    }
    if (!append_day(out, (value - rest) / per_day)) {
        return false;
    }
    int seconds = (int)(rest / PER_SECOND);
    text_append_format(out, " %02d:%02d:%02d.%06d%s", seconds / 3600, seconds / 60 % 60, seconds % 60,
                       (int)(rest % PER_SECOND), has_zone ? "+00" : "");
    return true;
}

// Digits to the base 10000, the first one times 10000 to the power of `weight`.
static bool append_numeric(struct text *out, struct slice data) {
    enum { HEADER = 8, NEGATIVE = 0x4000 };
    if (data.length < HEADER || data.length != HEADER + 2 * number_at(data, 0, 2) || number_at(data, 4, 2) > NEGATIVE) {
        return false; // cut, or NaN or an infinity
    }
    int digits = (int)number_at(data, 0, 2);
    int weight = (int16_t)number_at(data, 2, 2);
    int scale = (int)number_at(data, 6, 2);
    text_append_string(out, number_at(data, 4, 2) == NEGATIVE ? "-" : "");
    text_append_string(out, weight < 0 ? "0" : "");
    for (int i = MIN(0, weight + 1); i <= weight || 4 * (i - weight - 1) < scale; i++) {
        int digit = i >= 0 && i < digits ? (int)number_at(data, HEADER + 2 * (size_t)i, 2) : 0;
        text_append_string(out, i == weight + 1 ? "." : "");
        text_append_format(out, i == 0 && weight >= 0 ? "%d" : "%04d", digit);
    }
    return true;
}

static void append_hex(struct text *out, struct slice data) {
    for (size_t i = 0; i < data.length; i++) {
        text_append_format(out, "%02x", (unsigned char)data.data[i]);
    }
}

static bool append_binary(struct text *out, struct slice data, uint32_t type) {
    switch (type) {
    case OID_BOOL: text_append_string(out, data.length == 1 && data.data[0] != 0 ? "t" : "f"); return data.length == 1;
    case OID_BYTEA:
        text_append_string(out, "\\x");
        append_hex(out, data);
        return true;
    case OID_INT8: return data.length == 8 && append_integer(out, data, true);
    case OID_INT2: return data.length == 2 && append_integer(out, data, true);
    case OID_INT4: return data.length == 4 && append_integer(out, data, true);
    case OID_OID: return data.length == 4 && append_integer(out, data, false);
    case OID_FLOAT4: return data.length == 4 && append_real(out, data);
    case OID_FLOAT8: return data.length == 8 && append_real(out, data);
    case OID_DATE: return data.length == 4 && append_day(out, (int32_t)number_at(data, 0, 4));
    case OID_TIMESTAMP:
    case OID_TIMESTAMPTZ: return data.length == 8 && append_moment(out, data, type == OID_TIMESTAMPTZ);
    case OID_UUID: append_hex(out, data); return data.length == 16;
    case OID_NUMERIC: return append_numeric(out, data);
    case OID_JSONB: // a version number stands before the text
        text_append(out, data.data + 1, data.length > 0 ? data.length - 1 : 0);
        return data.length > 0;
    case OID_TEXT:
    case OID_VARCHAR:
    case OID_BPCHAR:
    case OID_JSON: text_append_slice(out, data); return true;
    default: return false;
    }
}

// --- Literals ---

static void append_quoted(struct text *out, struct slice value) {
    bool has_escapes = value.length > 0 && memchr(value.data, '\\', value.length) != NULL;
    text_append_string(out, has_escapes ? "E'" : "'");
    for (size_t i = 0; i < value.length; i++) {
        bool is_doubled = value.data[i] == '\'' || value.data[i] == '\\';
        text_append(out, &value.data[i], 1);
        text_append(out, &value.data[i], is_doubled);
    }
    text_append_string(out, "'");
}

// An array of one dimension: the number of dimensions, a flag, the type, then for each dimension its length and its
// lower bound, then each element with its length.
static bool append_array(struct text *out, struct slice data, const struct type *type) {
    enum { HEADER = 12, DIMENSION = 8 };
    uint64_t dimensions = data.length < HEADER ? 2 : number_at(data, 0, 4);
    if (dimensions > 1 || number_at(data, 8, 4) != type->oid || data.length < HEADER + DIMENSION * dimensions) {
        return false;
    }
    size_t count = dimensions == 0 ? 0 : number_at(data, HEADER, 4);
    size_t offset = HEADER + DIMENSION;
    text_append_string(out, "ARRAY[");
    for (size_t i = 0; i < count; i++) {
        if (data.length < offset + 4) {
            return false;
        }
        uint32_t length = (uint32_t)number_at(data, offset, 4);
        bool is_null = length == UINT32_MAX;
        offset += 4;
        if (!is_null && data.length - offset < length) {
            return false;
        }
        struct sight_value element = {{is_null ? NULL : data.data + offset, is_null ? 0 : length}, 1};
        text_append_string(out, i > 0 ? ", " : "");
        if (!literal_append(out, element, type->oid)) {
            return false;
        }
        offset += is_null ? 0 : length;
    }
    text_append_string(out, "]");
    return true;
}

static bool append_value(struct text *out, struct sight_value value, const struct type *type, uint32_t oid) {
    struct text words = {0};
    if (value.data.data == NULL) {
        text_append_string(out, "NULL");
        return true;
    }
    if (value.format == 1 && type != NULL && type->array == oid) {
        return append_array(out, value.data, type);
    }
    bool is_good = value.format == 0 || append_binary(&words, value.data, oid);
    if (is_good) {
        append_quoted(out, value.format == 0 ? value.data : text_slice(&words));
    }
    text_free(&words);
    return is_good;
}

bool literal_append(struct text *out, struct sight_value value, uint32_t type) {
    const struct type *known = find_type(type);
    size_t length = out->length;
    if (!append_value(out, value, known, type)) {
        out->length = length;
        return false;
    }
    if (known != NULL) {
        text_append_format(out, "::%s%s", known->name, known->array == type ? "[]" : "");
    }
    return true;
}

// --- Statements ---

static bool is_name(char byte) {
    return isalnum((unsigned char)byte) || byte == '_' || (unsigned char)byte >= 0x80;
}

// The length of a quoted string, a quoted name, a comment or a string between $tags$ at the beginning; 0: none is
// there.
static size_t length_of_quote(struct slice rest, bool has_escapes) {
    const char *end = NULL;
    if (rest.data[0] == '\'' || rest.data[0] == '"') {
        size_t i = 1;
        while (i < rest.length && rest.data[i] != rest.data[0]) {
            i += has_escapes && rest.data[i] == '\\' ? 2 : 1;
        }
        return MIN(i + 1, rest.length);
    }
    if (slice_starts_with(rest, SLICE_LITERAL("--"))) {
        end = memchr(rest.data, '\n', rest.length);
        return end != NULL ? (size_t)(end - rest.data) : rest.length;
    }
    if (slice_starts_with(rest, SLICE_LITERAL("/*"))) {
        end = memmem(rest.data, rest.length, "*/", 2);
        return end != NULL ? (size_t)(end - rest.data) + 2 : rest.length;
    }
    size_t tag = 1;
    while (rest.data[0] == '$' && tag < rest.length && is_name(rest.data[tag])) {
        tag++;
    }
    if (rest.data[0] != '$' || tag == rest.length || rest.data[tag] != '$' || isdigit((unsigned char)rest.data[1])) {
        return 0;
    }
    tag++;
    end = memmem(rest.data + tag, rest.length - tag, rest.data, tag);
    return end != NULL ? (size_t)(end - rest.data) + tag : rest.length;
}

size_t literal_append_sql(struct text *out, struct slice sql, const struct sight_value *values, size_t count,
                          const uint32_t *type_oids, size_t type_count) {
    char before = ' ';
    char before_that = ' ';
    for (size_t i = 0; i < sql.length;) {
        struct slice rest = {sql.data + i, sql.length - i};
        bool has_escapes = (before == 'e' || before == 'E') && !is_name(before_that);
        size_t taken = rest.data[0] == '$' && is_name(before) ? 0 : length_of_quote(rest, has_escapes);
        char *end = NULL;
        bool is_parameter = taken == 0 && rest.data[0] == '$' && rest.length > 1 && !is_name(before) &&
                            isdigit((unsigned char)rest.data[1]);
        if (is_parameter) {
            char digits[12] = {0};
            memcpy(digits, rest.data + 1, MIN(rest.length - 1, sizeof digits - 1));
            size_t number = strtoul(digits, &end, 10);
            if (number == 0 || number > count ||
                !literal_append(out, values[number - 1], number <= type_count ? type_oids[number - 1] : 0)) {
                return MAX(number, (size_t)1);
            }
            taken = 1 + (size_t)(end - digits);
        } else {
            taken = MAX(taken, (size_t)1);
            text_append(out, rest.data, taken);
        }
        before_that = taken > 1 ? rest.data[taken - 2] : before;
        before = rest.data[taken - 1];
        i += taken;
    }
    return 0;
}
