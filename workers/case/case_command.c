// Reads a backslash command of psql: psqlscanslash.l for the arguments, and a table of what each command means here.
#include "workers/case/case_command.h"
#include "workers/case/case_template.h"

#include <stdlib.h>
#include <strings.h>

// Commands that only show something, or change how psql prints.
static const char *const ignored[] = {
    "?",          "C",   "H",     "T",      "a",          "conninfo", "copyright", "echo", "encoding",
    "errverbose", "f",   "h",     "help",   "html",       "l",        "l+",        "list", "o",
    "out",        "p",   "print", "pset",   "qecho",      "restrict", "s",         "sf",   "sf+",
    "sv",         "sv+", "t",     "timing", "unrestrict", "warn",     "x",         "z",    "zS",
};

static const struct {
    const char *name;
    enum case_command_kind kind;
} understood[] = {
    {"set", CASE_COMMAND_SET},   {"gset", CASE_COMMAND_GSET},   {"g", CASE_COMMAND_SEND},
    {"gx", CASE_COMMAND_SEND},   {"if", CASE_COMMAND_IF},       {"elif", CASE_COMMAND_ELIF},
    {"else", CASE_COMMAND_ELSE}, {"endif", CASE_COMMAND_ENDIF}, {"q", CASE_COMMAND_QUIT},
    {"quit", CASE_COMMAND_QUIT}, {"c", CASE_COMMAND_CONNECT},   {"connect", CASE_COMMAND_CONNECT},
};

static const struct {
    const char *name;
    const char *advice;
} refused[] = {
    {"!", "no program of the system runs in a case; remove it"},
    {"aset", "use \\gset behind each statement"},
    {"bind", "write the value into the statement, or use :'name'"},
    {"bind_named", "write the value into the statement, or use :'name'"},
    {"cd", "no other file is read; remove it"},
    {"copy", "write INSERT statements instead"},
    {"crosstabview", "end the statement with a semicolon"},
    {"e", "an editor cannot run here; remove it"},
    {"edit", "an editor cannot run here; remove it"},
    {"gdesc", "end the statement with a semicolon"},
    {"getenv", "use \\set NAME VALUE"},
    {"gexec", "write the statements themselves"},
    {"i", "put the text of that file here"},
    {"include", "put the text of that file here"},
    {"include_relative", "put the text of that file here"},
    {"ir", "put the text of that file here"},
    {"parse", "use PREPARE and EXECUTE"},
    {"password", "use ALTER ROLE"},
    {"prompt", "use \\set NAME VALUE, or write NAME=VALUE behind the session's marker"},
    {"r", "remove the text before it"},
    {"reset", "remove the text before it"},
    {"setenv", "no program of the system runs in a case; remove it"},
    {"unset", "a variable that is set stays set; use \\set NAME for an empty value"},
    {"w", "no file is written; remove it"},
    {"watch", "end the statement with a semicolon, or write it several times"},
    {"write", "no file is written; remove it"},
};

static bool is_ignored(const char *name) {
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        if (strcmp(name, ignored[i]) == 0) {
            return true;
        }
    }
    return name[0] == 'd'; // \d, \dt, \df+, ...
}

static bool complain_about(struct case_reader *reader, int line, const char *name) {
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (strcmp(name, refused[i].name) == 0) {
            return case_complain(reader, line, "\\%s cannot be used in a case: %s", name, refused[i].advice);
        }
    }
    return case_complain(reader, line,
                         "\\%.30s is not a command that a case understands: use SQL, \\set, \\gset, \\if, "
                         "\\elif, \\else and \\endif",
                         name);
}

static bool find_kind(struct case_reader *reader, struct case_command *command) {
    for (size_t i = 0; i < sizeof understood / sizeof understood[0]; i++) {
        if (strcmp(command->name, understood[i].name) == 0) {
            command->kind = understood[i].kind;
            return true;
        }
    }
    command->kind = CASE_COMMAND_IGNORED;
    return is_ignored(command->name) || complain_about(reader, command->line, command->name);
}

static char next_letter(const struct case_scanner *scanner) {
    return scanner->rest.length > 0 ? scanner->rest.data[0] : '\n';
}

static bool ends_line(char letter) {
    return letter == '\n' || letter == '\r';
}

static void skip_blanks(struct case_scanner *scanner) {
    while (case_is_blank(next_letter(scanner)) && !ends_line(next_letter(scanner))) {
        case_scanner_skip(scanner, 1);
    }
}

// A backslash in a quoted argument: \n, \t, \b, \r, \f, \101 (octal), \x41, and any other character itself.
static size_t unescape(struct slice rest, char *out) {
    static const char letters[] = "ntbrf";
    static const char meanings[] = "\n\t\b\r\f";
    char letter = rest.length > 1 ? rest.data[1] : '\\';
    const char *known = strchr(letters, letter);
    char digits[4] = {0};
    size_t length = MIN(rest.length, 2);
    bool is_hexadecimal = letter == 'x';
    *out = known != NULL && letter != '\0' ? meanings[known - letters] : letter;
    size_t first = is_hexadecimal ? 2 : 1;
    size_t most = is_hexadecimal ? 2 : 3;
    size_t count = 0;
    while (count < most && first + count < rest.length &&
           strchr(is_hexadecimal ? "0123456789abcdefABCDEF" : "01234567", rest.data[first + count]) != NULL) {
        digits[count] = rest.data[first + count];
        count++;
    }
    if (count > 0) {
        *out = (char)(unsigned char)strtoul(digits, NULL, is_hexadecimal ? 16 : 8);
        length = first + count;
    }
    return length;
}

// At the quote of 'text'. The quotes go; two of them stand for one.
static bool read_quoted(struct case_scanner *scanner, struct case_template_maker *maker) {
    case_scanner_skip(scanner, 1);
    while (!ends_line(next_letter(scanner))) {
        struct slice rest = scanner->rest;
        char letter = rest.data[0];
        size_t length = 1;
        if (letter == '\'') {
            if (rest.length < 2 || rest.data[1] != '\'') {
                case_scanner_skip(scanner, 1);
                return true;
            }
            length = 2;
        } else if (letter == '\\') {
            length = unescape(rest, &letter);
        }
        case_template_add_text(maker, (struct slice){&letter, 1});
        case_scanner_skip(scanner, length);
    }
    return false;
}

// At the quote of "text". The quotes stay, and a variable in it is no variable.
static bool read_double_quoted(struct case_scanner *scanner, struct case_template_maker *maker) {
    struct slice rest = scanner->rest;
    size_t length = 1;
    while (length < rest.length && rest.data[length] != '"' && !ends_line(rest.data[length])) {
        length++;
    }
    if (length == rest.length || rest.data[length] != '"') {
        return false;
    }
    case_template_add_text(maker, (struct slice){rest.data, length + 1});
    case_scanner_skip(scanner, length + 1);
    return true;
}

static void read_variable_or_letter(struct case_scanner *scanner, struct case_template_maker *maker) {
    struct case_scanner ahead = *scanner;
    struct case_token token = {0};
    if (next_letter(scanner) == ':') {
        token = case_scan(&ahead);
    }
    if (token.kind == CASE_TOKEN_VARIABLE) {
        case_template_add_variable(maker, token.form, token.name);
        *scanner = ahead;
    } else {
        case_template_add_text(maker, (struct slice){scanner->rest.data, 1});
        case_scanner_skip(scanner, 1);
    }
}

static bool ends_argument(char letter) {
    return case_is_blank(letter) || letter == '\\';
}

// At the first character of an argument.
static bool read_argument(struct case_reader *reader, struct case_scanner *scanner, const struct case_command *command,
                          struct case_template_maker *maker) {
    if (command->kind != CASE_COMMAND_IGNORED && slice_starts_with(scanner->rest, SLICE_LITERAL("--"))) {
        return case_complain(reader, command->line,
                             "psql reads a comment behind \\%s as its argument: put the comment on "
                             "a line of its own",
                             command->name);
    }
    while (!ends_argument(next_letter(scanner))) {
        char letter = next_letter(scanner);
        if (letter == '`' && command->kind != CASE_COMMAND_IGNORED) {
            return case_complain(reader, command->line,
                                 "no program of the system runs in a case: write the value itself");
        }
        if (letter != '\'' && letter != '"') {
            read_variable_or_letter(scanner, maker);
        } else if (!(letter == '"' ? read_double_quoted(scanner, maker) : read_quoted(scanner, maker))) {
            return case_complain(reader, command->line, "a quote of \\%s does not end on its line", command->name);
        }
    }
    return true;
}

// The text of an argument without variables, or NULL.
static const char *plain_text(const struct case_template *argument) {
    bool is_plain = argument->count == 1 && argument->pieces[0].kind == CASE_PIECE_TEXT;
    return is_plain ? argument->pieces[0].text : argument->count == 0 ? "" : NULL;
}

static bool is_name(const char *text) {
    size_t length = 0;
    while (case_is_name_letter(text[length])) {
        length++;
    }
    return length > 0 && length <= CASE_NAME_BYTES_MAX && text[length] == '\0' && (text[0] < '0' || text[0] > '9');
}

// psql would end a transaction by its own rules, so that the steps would not be the statements that are written. After
// an error the explorer ends the session.
static bool check_special(struct case_reader *reader, const struct case_command *command) {
    const char *value = plain_text(&command->value);
    bool is_on = true;
    bool is_stop = strcmp(command->word, "ON_ERROR_STOP") == 0;
    bool must_be_on = is_stop || strcmp(command->word, "AUTOCOMMIT") == 0;
    if (!must_be_on && strcmp(command->word, "ON_ERROR_ROLLBACK") != 0) {
        return true;
    }
    if (value == NULL || !case_parse_boolean(value, &is_on) || is_on != must_be_on) {
        return case_complain(
            reader, command->line, "\\set %s may only be %s in a case: %s", command->word, must_be_on ? "on" : "off",
            is_stop ? "a session ends at its first error" : "write BEGIN, COMMIT and SAVEPOINT where they belong");
    }
    return true;
}

static bool take_first(struct case_reader *reader, struct case_command *command, const struct case_template *argument) {
    const char *plain = plain_text(argument);
    bool is_set = command->kind == CASE_COMMAND_SET;
    if (plain == NULL || !(is_name(plain) || (!is_set && plain[0] == '\0'))) {
        return case_complain(reader, command->line, "\\%s needs %s of letters, digits and underscores", command->name,
                             is_set ? "the name of a variable" : "a prefix");
    }
    command->word = plain;
    return true;
}

// The arguments of \set behind the first are one value; every other command has at most one.
static bool take_argument(struct case_reader *reader, struct case_command *command, size_t index,
                          const struct case_template *argument) {
    switch (command->kind) {
    case CASE_COMMAND_IGNORED:
    case CASE_COMMAND_CONNECT:
    case CASE_COMMAND_QUIT: return true;
    case CASE_COMMAND_SET:
    case CASE_COMMAND_GSET:
        if (index == 0) {
            return take_first(reader, command, argument);
        }
        return command->kind == CASE_COMMAND_SET ||
               case_complain(reader, command->line, "\\gset has at most one argument, a prefix");
    case CASE_COMMAND_IF:
    case CASE_COMMAND_ELIF:
        command->value = *argument;
        return index == 0 || case_complain(reader, command->line,
                                           "psql's \\%s takes one boolean and calculates nothing: SELECT the "
                                           "condition AS name, end the statement with \\gset, and write \\%s :name",
                                           command->name, command->name);
    case CASE_COMMAND_SEND:
    case CASE_COMMAND_ELSE:
    case CASE_COMMAND_ENDIF: return case_complain(reader, command->line, "\\%s takes no argument here", command->name);
    }
    UNREACHABLE("kind of command");
}

static bool read_arguments(struct case_reader *reader, struct case_scanner *scanner, struct case_command *command) {
    struct case_template_maker maker = {.memory = reader->list->memory};
    bool good = true;
    for (size_t index = 0; good; index++) {
        skip_blanks(scanner);
        if (ends_argument(next_letter(scanner))) {
            break;
        }
        good = read_argument(reader, scanner, command, &maker);
        if (command->kind == CASE_COMMAND_SET && index > 0) {
            continue; // the maker joins the values
        }
        struct case_template argument = case_template_end(&maker);
        good = good && take_argument(reader, command, index, &argument);
    }
    struct case_template rest = case_template_end(&maker);
    if (command->kind == CASE_COMMAND_SET) {
        command->value = rest;
    }
    if (slice_starts_with(scanner->rest, SLICE_LITERAL("\\\\"))) {
        case_scanner_skip(scanner, 2);
    }
    return good;
}

static bool check_condition(struct case_reader *reader, const struct case_command *command) {
    const char *plain = plain_text(&command->value);
    bool value = false;
    if (plain != NULL && !case_parse_boolean(plain, &value)) {
        return case_complain(reader, command->line,
                             "\\%s needs a boolean: a variable (:name), true or false, not \"%.60s\"", command->name,
                             plain);
    }
    return true;
}

bool case_command_read(struct case_reader *reader, struct case_scanner *scanner, struct case_command *command) {
    size_t length = 0;
    while (length < scanner->rest.length && !ends_argument(scanner->rest.data[length]) &&
           scanner->rest.data[length] != '\'' && scanner->rest.data[length] != '"') {
        length++;
    }
    struct slice name = {scanner->rest.data, length};
    if (length > 0 && name.data[0] == '!') {
        name.length = 1;
    }
    *command = (struct case_command){.name = case_copy(reader->list->memory, name), .line = scanner->line, .word = ""};
    case_scanner_skip(scanner, name.length);
    if (!find_kind(reader, command) || !read_arguments(reader, scanner, command)) {
        return false;
    }
    switch (command->kind) {
    case CASE_COMMAND_SET:
        if (command->word[0] == '\0') {
            command->kind = CASE_COMMAND_IGNORED; // a lone \set lists the variables
        }
        return check_special(reader, command);
    case CASE_COMMAND_IF:
    case CASE_COMMAND_ELIF: return check_condition(reader, command);
    default: return true;
    }
}
