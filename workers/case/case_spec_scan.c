// The tokens of a .spec.
#include "workers/case/case_spec_scan.h"

static bool is_name_start(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
           (unsigned char)letter >= 0x80;
}

static bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

static bool is_name_letter(char letter) {
    return is_name_start(letter) || is_digit(letter) || letter == '$';
}

// A line end is not among them: specscanner.l keeps the line ends at the edges of a block.
static bool is_space(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\f';
}

static void skip(struct spec_scanner *scanner, size_t length) {
    for (size_t i = 0; i < length; i++) {
        scanner->rest_line += scanner->rest.data[i] == '\n';
    }
    scanner->rest = (struct slice){scanner->rest.data + length, scanner->rest.length - length};
}

static void skip_blanks_and_comments(struct spec_scanner *scanner) {
    bool is_comment = false;
    size_t length = 0;
    for (; length < scanner->rest.length; length++) {
        char letter = scanner->rest.data[length];
        bool is_line_end = letter == '\n' || letter == '\r';
        is_comment = !is_line_end && (is_comment || letter == '#');
        if (!is_comment && !is_line_end && !is_space(letter)) {
            break;
        }
    }
    skip(scanner, length);
}

static size_t length_of(struct slice text, bool (*belongs)(char letter)) {
    size_t length = 0;
    while (length < text.length && belongs(text.data[length])) {
        length++;
    }
    return length;
}

static void scan_word(struct spec_scanner *scanner) {
    static const struct {
        struct slice word;
        enum spec_token token;
    } keywords[] = {
        {SLICE_INITIALIZER("setup"), SPEC_SETUP},     {SLICE_INITIALIZER("teardown"), SPEC_TEARDOWN},
        {SLICE_INITIALIZER("session"), SPEC_SESSION}, {SLICE_INITIALIZER("step"), SPEC_STEP},
        {SLICE_INITIALIZER("notices"), SPEC_NOTICES}, {SLICE_INITIALIZER("permutation"), SPEC_PERMUTATION},
    };
    scanner->token = SPEC_NAME;
    scanner->text = (struct slice){scanner->rest.data, length_of(scanner->rest, is_name_letter)};
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (slice_equals(scanner->text, keywords[i].word)) {
            scanner->token = keywords[i].token;
        }
    }
    skip(scanner, scanner->text.length);
}

// Two double quotes in the name stand for one.
static bool scan_quoted_name(struct spec_scanner *scanner) {
    struct slice rest = {scanner->rest.data + 1, scanner->rest.length - 1};
    size_t length = 0;
    size_t i = 0;
    for (; i < rest.length && rest.data[i] != '\n'; i++) {
        if (rest.data[i] != '"') {
            continue;
        }
        if (i + 1 < rest.length && rest.data[i + 1] == '"') {
            i++;
            continue;
        }
        break;
    }
    if (i == rest.length || rest.data[i] == '\n') {
        return case_complain(scanner->reader, scanner->line, "the quoted name has no closing quote in its line");
    }
    char *name = case_allocate(scanner->reader->list->memory, i + 1);
    for (size_t from = 0; from < i; from++) {
        name[length++] = rest.data[from];
        from += rest.data[from] == '"';
    }
    scanner->token = SPEC_NAME;
    scanner->text = (struct slice){name, length};
    skip(scanner, i + 2);
    return true;
}

static bool scan_block(struct spec_scanner *scanner) {
    const char *end = memchr(scanner->rest.data, '}', scanner->rest.length);
    if (end == NULL) {
        return case_complain(scanner->reader, scanner->line, "the block of SQL has no closing brace");
    }
    struct slice text = {scanner->rest.data + 1, (size_t)(end - scanner->rest.data) - 1};
    size_t blanks = length_of(text, is_space);
    text = (struct slice){text.data + blanks, text.length - blanks};
    while (text.length > 0 && is_space(text.data[text.length - 1])) {
        text.length--;
    }
    scanner->token = SPEC_BLOCK;
    scanner->text = text;
    skip(scanner, (size_t)(end - scanner->rest.data) + 1);
    return true;
}

bool spec_advance(struct spec_scanner *scanner) {
    skip_blanks_and_comments(scanner);
    scanner->line = scanner->rest_line;
    if (scanner->rest.length == 0) {
        scanner->token = SPEC_END;
        scanner->text = scanner->rest;
        return true;
    }
    char letter = scanner->rest.data[0];
    if (letter == '"') {
        return scan_quoted_name(scanner);
    }
    if (letter == '{') {
        return scan_block(scanner);
    }
    if (is_name_start(letter)) {
        scan_word(scanner);
        return true;
    }
    if (!is_digit(letter) && strchr(",()*", letter) == NULL) {
        return case_complain(scanner->reader, scanner->line, "unexpected character \"%c\"", letter);
    }
    scanner->token = is_digit(letter) ? SPEC_NUMBER : SPEC_SYMBOL;
    scanner->text = (struct slice){scanner->rest.data, is_digit(letter) ? length_of(scanner->rest, is_digit) : 1};
    skip(scanner, scanner->text.length);
    return true;
}

bool spec_is_symbol(const struct spec_scanner *scanner, char symbol) {
    return scanner->token == SPEC_SYMBOL && scanner->text.data[0] == symbol;
}

static bool complain(struct spec_scanner *scanner, const char *noun, const char *hint) {
    if (scanner->token == SPEC_END) {
        return case_complain(scanner->reader, scanner->line, "expected %s, found the end of the file", noun);
    }
    if (scanner->token == SPEC_BLOCK) {
        return case_complain(scanner->reader, scanner->line, "expected %s, found a block of SQL", noun);
    }
    return case_complain(scanner->reader, scanner->line, "expected %s, found \"%.*s\"%s", noun,
                         (int)MIN(scanner->text.length, 60), scanner->text.data, hint);
}

bool spec_complain_expected(struct spec_scanner *scanner, const char *noun) {
    return complain(scanner, noun, "");
}

bool spec_take(struct spec_scanner *scanner, enum spec_token token, const char *noun, struct slice *text) {
    if (scanner->token != token) {
        bool is_keyword = scanner->token >= SPEC_SETUP && token == SPEC_NAME;
        return complain(scanner, noun, is_keyword ? ": a keyword is a name only in double quotes" : "");
    }
    *text = scanner->text;
    return spec_advance(scanner);
}
