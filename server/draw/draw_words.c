// Cuts, wraps and escapes texts for a terminal: see draw.h.
#include "server/draw/draw.h"

#include <ctype.h>

// The value of a valid UTF-8 character of `length` bytes.
static uint32_t code_point(const char *bytes, size_t length) {
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t value = (unsigned char)bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        value = value << 6 | ((unsigned char)bytes[i] & 0x3F);
    }
    return value;
}

struct range {
    uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t point) {
    for (size_t i = 0; i < count; i++) {
        if (point >= ranges[i].first && point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

// C1 controls, and characters that change the direction of the text around them (UAX #9).
static bool is_dangerous(uint32_t point) {
    static const struct range ranges[] = {{0x80, 0x9F},     {0x61C, 0x61C},   {0x200B, 0x200F},
                                          {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};
    return is_in(ranges, sizeof ranges / sizeof ranges[0], point);
}

// East Asian wide characters and emoji (UAX #11).
static size_t width_of(uint32_t point) {
    static const struct range wide[] = {{0x1100, 0x115F},   {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},
                                        {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F},
                                        {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
    static const struct range none[] = {{0x300, 0x36F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
    if (is_in(none, sizeof none / sizeof none[0], point)) {
        return 0;
    }
    return is_in(wide, sizeof wide / sizeof wide[0], point) ? 2 : 1;
}

static void append_escaped(struct text *out, unsigned char byte) {
    switch (byte) {
    case '\n': text_append_string(out, "\\n"); break;
    case '\r': text_append_string(out, "\\r"); break;
    case '\t': text_append_string(out, "\\t"); break;
    default: text_append_format(out, "\\x%02x", byte); break;
    }
}

// Appends the first character of the text and returns its length.
static size_t append_character(struct text *out, struct slice text) {
    size_t length = utf8_character_length(text);
    unsigned char byte = (unsigned char)text.data[0];
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
        append_escaped(out, byte);
        return 1;
    }
    uint32_t point = code_point(text.data, length);
    if (is_dangerous(point)) {
        text_append_format(out, "\\u%04x", point);
    } else {
        text_append(out, text.data, length);
    }
    return length;
}

void words_append(struct text *out, struct slice value) {
    for (size_t at = 0; at < value.length;) {
        at += append_character(out, (struct slice){value.data + at, value.length - at});
    }
}

static bool starts_comment(struct slice sql, size_t at) {
    return at + 1 < sql.length && sql.data[at] == '-' && sql.data[at + 1] == '-';
}

void words_append_sql(struct text *out, struct slice sql) {
    size_t begun = out->length;
    char quote = '\0';
    bool owes_space = false;
    for (size_t at = 0; at < sql.length;) {
        char byte = sql.data[at];
        if (quote == '\0' && starts_comment(sql, at)) {
            while (at < sql.length && sql.data[at] != '\n') {
                at++;
            }
            continue;
        }
        if (quote == '\0' && isspace((unsigned char)byte)) {
            owes_space = true;
            at++;
            continue;
        }
        if (owes_space && out->length > begun) {
            text_append(out, " ", 1);
        }
        owes_space = false;
        if (byte == quote) {
            quote = '\0';
        } else if (quote == '\0' && (byte == '\'' || byte == '"')) {
            quote = byte;
        }
        at += append_character(out, (struct slice){sql.data + at, sql.length - at});
    }
}

size_t words_fit(struct slice text, size_t width) {
    size_t at = 0;
    size_t used = 0;
    while (at < text.length) {
        struct slice rest = {text.data + at, text.length - at};
        size_t length = utf8_character_length(rest);
        size_t columns = length == 0 ? 1 : width_of(code_point(rest.data, length));
        if (used + columns > width) {
            break;
        }
        used += columns;
        at += MAX((size_t)1, length);
    }
    return at;
}

size_t words_width(struct slice text) {
    size_t width = 0;
    for (size_t at = 0; at < text.length;) {
        struct slice rest = {text.data + at, text.length - at};
        size_t length = utf8_character_length(rest);
        width += length == 0 ? 1 : width_of(code_point(rest.data, length));
        at += MAX((size_t)1, length);
    }
    return width;
}

void words_cut(struct text *text, size_t from, size_t width) {
    struct slice whole = {text->data + from, text->length - from};
    if (text->length == from || words_fit(whole, width) == whole.length) {
        return;
    }
    text->length = from + words_fit(whole, width > 3 ? width - 3 : 0);
    text_append(text, "...", MIN(width, (size_t)3));
}

void words_append_shell(struct text *out, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        text_append_string(out, word);
        return;
    }
    bool has_control = false;
    for (const char *at = word; *at != '\0'; at++) {
        has_control |= (unsigned char)*at < 0x20 || *at == 0x7F;
    }
    text_append_string(out, has_control ? "$'" : "'"); // $'...' is bash's; it writes a control character as text
    for (const char *at = word; *at != '\0'; at++) {
        if (*at == '\'') {
            text_append_string(out, has_control ? "\\'" : "'\\''");
        } else if (has_control && *at == '\\') {
            text_append_string(out, "\\\\");
        } else if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            append_escaped(out, (unsigned char)*at);
        } else {
            text_append(out, at, 1);
        }
    }
    text_append_string(out, "'");
}

void words_append_xml(struct text *out, struct slice value) {
    for (size_t at = 0; at < value.length;) {
        size_t length = utf8_character_length((struct slice){value.data + at, value.length - at});
        unsigned char byte = (unsigned char)value.data[at];
        bool is_none = length == 3 && memcmp(value.data + at, "\xEF\xBF", 2) == 0 &&
                       ((unsigned char)value.data[at + 2] == 0xBE || (unsigned char)value.data[at + 2] == 0xBF);
        if (length == 0 || is_none || (byte < 0x20 && byte != '\t' && byte != '\n')) {
            text_append_string(out, "\xEF\xBF\xBD"); // U+FFFD; U+FFFE and U+FFFF are no characters of XML
        } else if (byte == '<') {
            text_append_string(out, "&lt;");
        } else if (byte == '>') {
            text_append_string(out, "&gt;");
        } else if (byte == '&') {
            text_append_string(out, "&amp;");
        } else if (byte == '"') {
            text_append_string(out, "&quot;");
        } else {
            text_append(out, value.data + at, length);
        }
        at += MAX((size_t)1, length);
    }
}
