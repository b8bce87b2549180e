// Reads scripts of pgbench, one for each session.
//
// A statement ends at a semicolon or at a backslash command, as in pgbench. An expression of \set is calculated here if
// all its variables are known here; so is every random function. The other expressions are calculated when the session
// runs. \if sets a hidden variable, because the instruction that skips takes a boolean and no expression.
//
// pgbench's own variables: client_id is the number of the session from 0, scale is 1, random_seed and default_seed are
// the seed.
#include "workers/case/case_program.h"
#include "workers/case/case_sql.h"
#include "workers/case/case_statements.h"
#include "workers/case/case_template.h"
#include "workers/case/case_value.h"

#include <inttypes.h>

enum {
    EXPRESSION_BYTES_MAX = 4096,
};

#define CONDITION "\\if" // the hidden variable; no script can name it

struct script {
    struct case_reader reader;
    struct case_memory *memory;
    struct case_scanner scanner;
    struct case_program program;
    struct case_variables known; // variables whose values are known here
    uint64_t random;
    // The open statement. Its text has no length while none is open.
    struct slice statement;
    int statement_line;
    struct case_splitter splitter;
};

static bool is_open(const struct script *script) {
    return script->statement.length > 0;
}

// The length of ":name" at the start of the text, or 0. "::" is a cast.
static size_t variable_length(struct slice text) {
    size_t length = 1;
    while (length < text.length && case_is_name_letter(text.data[length])) {
        length++;
    }
    bool is_digit = length > 1 && text.data[1] >= '0' && text.data[1] <= '9';
    return length > 1 && text.data[0] == ':' && !is_digit ? length : 0;
}

// Quotes and comments: pgbench fills in variables there too. A name that nothing sets stays as it is: '12:mm'.
static void add_quoted(struct script *script, struct case_template_maker *maker, struct slice text) {
    while (text.length > 0) {
        size_t length = variable_length(text);
        struct slice name = {text.data + 1, length > 0 ? length - 1 : 0};
        const char *copy = length > 0 ? case_copy(script->memory, name) : NULL;
        bool is_known = copy != NULL && case_names_have(&script->program.known, copy);
        if (is_known) {
            case_template_add_variable(maker, CASE_PIECE_VALUE, name);
        } else {
            length = 1;
            while (length < text.length && (text.data[length] != ':' || text.data[length - 1] == ':')) {
                length++;
            }
            case_template_add_text(maker, (struct slice){text.data, length});
        }
        text = (struct slice){text.data + length, text.length - length};
    }
}

static bool make_statement(struct script *script, struct case_template *made) {
    struct case_template_maker maker = {.memory = script->memory};
    struct case_scanner scanner = {.rest = script->statement, .line = script->statement_line};
    struct case_token token;
    bool good = true;
    while (good && (token = case_scan(&scanner)).kind != CASE_TOKEN_END) {
        if (token.kind == CASE_TOKEN_VARIABLE && token.form == CASE_PIECE_VALUE) {
            case_template_add_variable(&maker, CASE_PIECE_VALUE, token.name);
        } else if (token.kind == CASE_TOKEN_VARIABLE) {
            good = case_complain(&script->reader, token.line, "pgbench knows only :%.*s, without quotes and braces",
                                 (int)MIN(token.name.length, 60), token.name.data);
        } else if (token.kind == CASE_TOKEN_ESCAPED) {
            case_template_add_text(&maker, (struct slice){token.text.data + 1, 1});
        } else {
            add_quoted(script, &maker, token.text);
        }
    }
    *made = case_template_end(&maker);
    return good;
}

static bool end_statement(struct script *script) {
    struct case_template text = {0};
    struct slice statement = script->statement;
    script->statement.length = 0;
    script->splitter = (struct case_splitter){0};
    if (statement.length == 0) {
        return true;
    }
    script->statement = statement;
    bool good = make_statement(script, &text) &&
                case_program_add_statement(&script->program, statement, text, script->statement_line);
    script->statement.length = 0;
    return good;
}

// --- Expressions ---

static struct case_template make_expression(struct case_memory *memory, struct slice text) {
    struct case_template_maker maker = {.memory = memory};
    while (text.length > 0) {
        size_t length = variable_length(text);
        if (length > 0) {
            case_template_add_variable(&maker, CASE_PIECE_VALUE, (struct slice){text.data + 1, length - 1});
        } else {
            length = 1;
            case_template_add_text(&maker, (struct slice){text.data, 1});
        }
        text = (struct slice){text.data + length, text.length - length};
    }
    return case_template_end(&maker);
}

// Calculates an expression whose variables are all known. False: `problem` says what is not.
static bool calculate(struct script *script, const struct case_template *expression, struct text *value,
                      struct text *problem) {
    struct text filled = {0};
    bool good = case_render(expression, &script->known, &filled, problem) &&
                case_calculate_random(text_terminated(&filled), &script->random, value, problem);
    text_free(&filled);
    return good;
}

// The length of "random...(...)" at the start of the text, or 0.
static size_t random_call_length(struct slice text) {
    struct case_scanner scanner = {.rest = text, .line = 1};
    struct case_token token = case_scan(&scanner);
    if (token.kind != CASE_TOKEN_WORD || !slice_starts_with_ignoring_case(token.text, SLICE_LITERAL("random"))) {
        return 0;
    }
    size_t depth = 0;
    do {
        token = case_scan_code(&scanner);
        depth += case_token_is_symbol(&token, '(');
        depth -= case_token_is_symbol(&token, ')') && depth > 0;
    } while (depth > 0 && token.kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN);
    return case_token_is_symbol(&token, ')') ? (size_t)(scanner.rest.data - text.data) : 0;
}

// Draws the random functions of an expression that depends on a value of \gset.
static bool draw(struct script *script, struct slice text, int line, struct text *drawn) {
    char before = ' ';
    while (text.length > 0) {
        size_t length = case_is_name_letter(before) ? 0 : random_call_length(text);
        if (length > 0) {
            struct case_template call = make_expression(script->memory, (struct slice){text.data, length});
            struct text problem = {0};
            if (!calculate(script, &call, drawn, &problem)) {
                bool good = case_complain(&script->reader, line,
                                          "random values are drawn when the script is read, but %s",
                                          text_terminated(&problem));
                text_free(&problem);
                return good;
            }
            text_free(&problem);
        } else {
            length = 1;
            text_append(drawn, text.data, 1);
        }
        before = text.data[length - 1];
        text = (struct slice){text.data + length, text.length - length};
    }
    return true;
}

static bool is_known(const struct script *script, const struct case_template *expression) {
    for (size_t i = 0; i < expression->count; i++) {
        const struct case_piece *piece = &expression->pieces[i];
        if (piece->kind != CASE_PIECE_TEXT && case_variables_get(&script->known, piece->text) == NULL) {
            return false;
        }
    }
    return true;
}

// Adds the instruction that gives the variable the value of the expression.
static bool set_variable(struct script *script, const char *name, struct slice expression, int line) {
    struct case_program *program = &script->program;
    if (expression.length > EXPRESSION_BYTES_MAX) {
        return case_complain(&script->reader, line, "an expression is longer than %d bytes", EXPRESSION_BYTES_MAX);
    }
    struct case_template text = make_expression(script->memory, expression);
    struct text value = {0};
    struct text problem = {0};
    bool good = true;
    if (!is_known(script, &text)) {
        case_variables_unset(&script->known, name);
        good = case_program_check(program, &text, line) && draw(script, expression, line, &value);
        if (good) {
            text = make_expression(script->memory, text_slice(&value));
            good = case_program_add_variable(program, CASE_CALCULATE, name, text, line);
        }
    } else if (calculate(script, &text, &value, &problem)) {
        text = case_template_of_text(script->memory, text_slice(&value));
        good = case_program_add_variable(program, CASE_SET, name, text, line);
        case_variables_set(&script->known, name, text_terminated(&value));
        if (program->depth > 0) {
            case_variables_unset(&script->known, name); // another branch may leave the old value
        }
    } else if (program->depth > 0) {
        case_variables_unset(&script->known, name);
        good = case_program_add_variable(program, CASE_CALCULATE, name, text, line); // this branch may not run
    } else {
        good = case_complain(&script->reader, line, "%s", text_terminated(&problem));
    }
    text_free(&value);
    text_free(&problem);
    return good;
}

// --- Commands ---

// The rest of the command's line. A backslash at the end of a line continues it on the next one.
static struct slice take_line(struct script *script) {
    struct text line = {0};
    struct case_scanner *scanner = &script->scanner;
    while (scanner->rest.length > 0 && scanner->rest.data[0] != '\n') {
        struct slice rest = scanner->rest;
        size_t length = slice_starts_with(rest, SLICE_LITERAL("\\\n"))     ? 2
                        : slice_starts_with(rest, SLICE_LITERAL("\\\r\n")) ? 3
                                                                           : 1;
        text_append(&line, length == 1 ? rest.data : " ", 1);
        case_scanner_skip(scanner, length);
    }
    struct slice copy = {case_copy(script->memory, text_slice(&line)), line.length};
    text_free(&line);
    return copy;
}

static struct slice take_word(struct slice *line) {
    size_t start = 0;
    while (start < line->length && case_is_blank(line->data[start])) {
        start++;
    }
    size_t end = start;
    while (end < line->length && !case_is_blank(line->data[end])) {
        end++;
    }
    struct slice word = {line->data + start, end - start};
    *line = (struct slice){line->data + end, line->length - end};
    return word;
}

static bool is_name(struct slice word) {
    struct text text = {0};
    text_append_string(&text, ":");
    text_append_slice(&text, word);
    bool good = variable_length(text_slice(&text)) == text.length && word.length > 0 &&
                word.length <= CASE_NAME_BYTES_MAX;
    text_free(&text);
    return good;
}

static bool take_set(struct script *script, struct slice line, int number) {
    struct slice name = take_word(&line);
    if (!is_name(name)) {
        return case_complain(&script->reader, number, "\\set needs the name of a variable and an expression");
    }
    return set_variable(script, case_copy(script->memory, name), line, number);
}

static bool add_condition(struct script *script, struct slice expression, int line) {
    struct text truth = {0};
    text_append_string(&truth, "case when (");
    text_append_slice(&truth, expression);
    text_append_string(&truth, ") then true else false end");
    struct slice copy = {case_copy(script->memory, text_slice(&truth)), truth.length};
    text_free(&truth);
    return set_variable(script, CONDITION, copy, line);
}

static struct case_template condition_of(const struct script *script) {
    struct case_template_maker maker = {.memory = script->memory};
    case_template_add_variable(&maker, CASE_PIECE_VALUE, SLICE_LITERAL(CONDITION));
    return case_template_end(&maker);
}

static bool take_gset(struct script *script, struct slice line, int number) {
    struct case_program *program = &script->program;
    struct case_instruction *last = program->count > 0 ? &program->instructions[program->count - 1] : NULL;
    struct slice prefix = take_word(&line);
    if (last == NULL || last->operation != CASE_STATEMENT || last->gset_prefix != NULL) {
        return case_complain(&script->reader, number, "\\gset must stand behind a statement");
    }
    if (prefix.length > 0 && !is_name(prefix)) {
        return case_complain(&script->reader, number, "\\gset needs a prefix of letters, digits and underscores");
    }
    const char *name = case_copy(script->memory, prefix);
    struct case_names set = {0};
    case_program_add_gset(program, slice_of(last->source), name);
    last->null_is_empty = true;
    case_names_add_columns(script->memory, &set, slice_of(last->source), name);
    for (size_t i = script->known.count; i-- > 0;) {
        if (case_names_have(&set, script->known.slots[i].name)) {
            case_variables_unset(&script->known, script->known.slots[i].name);
        }
    }
    return true;
}

// Commands that cannot change a result here: steps are sent one by one.
static bool is_ignored(struct slice name) {
    return slice_equals(name, SLICE_LITERAL("sleep")) || slice_equals(name, SLICE_LITERAL("startpipeline")) ||
           slice_equals(name, SLICE_LITERAL("syncpipeline")) || slice_equals(name, SLICE_LITERAL("endpipeline"));
}

static bool complain_about(struct script *script, struct slice name, int line) {
    if (slice_equals(name, SLICE_LITERAL("shell")) || slice_equals(name, SLICE_LITERAL("setshell"))) {
        return case_complain(&script->reader, line, "no program of the system runs in a case: use \\set");
    }
    if (slice_equals(name, SLICE_LITERAL("aset"))) {
        return case_complain(&script->reader, line, "\\aset is not understood: end each statement with \\gset");
    }
    return case_complain(&script->reader, line,
                         "\\%.*s is not a command that a script of a case may have: \\set, \\gset, "
                         "\\if, \\elif, \\else, \\endif and \\sleep are",
                         (int)MIN(name.length, 30), name.data);
}

static bool take_command(struct script *script) {
    struct case_program *program = &script->program;
    int number = script->scanner.line;
    struct slice line = take_line(script);
    struct slice name = take_word(&line);
    if (slice_equals(name, SLICE_LITERAL("set"))) {
        return take_set(script, line, number);
    }
    if (slice_equals(name, SLICE_LITERAL("gset"))) {
        return take_gset(script, line, number);
    }
    if (slice_equals(name, SLICE_LITERAL("if"))) {
        return add_condition(script, line, number) && case_program_if(program, condition_of(script), number);
    }
    if (slice_equals(name, SLICE_LITERAL("elif"))) {
        return case_program_begin_elif(program, number) && add_condition(script, line, number) &&
               case_program_elif(program, condition_of(script), number);
    }
    if (slice_equals(name, SLICE_LITERAL("else"))) {
        return case_program_else(program, number);
    }
    if (slice_equals(name, SLICE_LITERAL("endif"))) {
        return case_program_endif(program, number);
    }
    return is_ignored(name) || complain_about(script, name, number);
}

// --- Scripts ---

static bool take_tokens(struct script *script) {
    for (;;) {
        struct case_token token = case_scan(&script->scanner);
        switch (token.kind) {
        case CASE_TOKEN_END: return end_statement(script) && case_program_end(&script->program, 1);
        case CASE_TOKEN_OPEN:
            return case_complain(&script->reader, token.line, "%s begins here and does not end", token.open);
        case CASE_TOKEN_BLANK:
        case CASE_TOKEN_COMMENT: continue;
        case CASE_TOKEN_BACKSLASH:
            if (!end_statement(script) || !take_command(script)) {
                return false;
            }
            continue;
        default: break;
        }
        if (case_splitter_ends(&script->splitter, &token)) {
            if (!end_statement(script)) {
                return false;
            }
            continue;
        }
        if (!is_open(script)) {
            script->statement.data = token.text.data;
            script->statement_line = token.line;
        }
        script->statement.length = (size_t)(token.text.data + token.text.length - script->statement.data);
    }
}

static void set_first(struct script *script, struct case_session *session, const char *name, const char *value) {
    struct case_variable *variable = case_append(script->memory, &session->variables, &session->variable_count,
                                                 sizeof *variable);
    *variable = (struct case_variable){name, value};
    case_variables_set(&script->known, name, value);
    case_names_add(script->memory, &script->program.known, name, false);
}

static bool read_script(struct case_reader *reader, struct sql_case *made, size_t index, uint64_t seed) {
    struct case_memory *memory = reader->list->memory;
    struct case_session *session = case_append(memory, &made->sessions, &made->session_count, sizeof *session);
    *session = (struct case_session){.name = case_format(memory, "%c", (char)('A' + (int)index)), .line = 1};
    struct script script = {.reader = *reader, .memory = memory, .random = seed + index * UINT64_C(0xD1B54A32D192ED03)};
    struct text content = {0};
    const char *seed_text = case_format(memory, "%" PRId64, (int64_t)seed);
    script.program = (struct case_program){.reader = &script.reader, .session = session->name};
    set_first(&script, session, "client_id", case_format(memory, "%zu", index));
    set_first(&script, session, "scale", "1");
    set_first(&script, session, "random_seed", seed_text);
    set_first(&script, session, "default_seed", seed_text);
    bool good = case_load(&script.reader, &content);
    if (good) {
        script.scanner = (struct case_scanner){.rest = script.reader.content, .line = 1};
        good = take_tokens(&script);
    }
    session->instructions = script.program.instructions;
    session->count = script.program.count;
    made->names_levels = made->names_levels || case_program_names_level(session);
    case_variables_free(&script.known);
    text_free(&content);
    return good;
}

static const char *joined_names(struct case_memory *memory, const char *const *paths, size_t count) {
    struct text name = {0};
    for (size_t i = 0; i < count; i++) {
        text_append_string(&name, i == 0 ? "" : "+");
        text_append_string(&name, case_base_name(memory, paths[i]));
    }
    const char *copy = case_copy(memory, text_slice(&name));
    text_free(&name);
    return copy;
}

bool case_read_pgbench(const char *setup_path, const char *const *script_paths, size_t script_count, uint64_t seed,
                       struct case_list *list, struct text *problem) {
    *list = (struct case_list){.memory = case_memory_new()};
    struct case_reader reader = {.list = list, .problem = problem};
    if (script_count == 0 || script_count > CASE_SESSIONS_MAX) {
        reader.path = "--session";
        return case_complain(&reader, 0, "1 to %d scripts are expected, not %zu", CASE_SESSIONS_MAX, script_count);
    }
    struct sql_case *made = case_append(list->memory, &list->cases, &list->count, sizeof *made);
    *made = (struct sql_case){
        .file = case_copy(list->memory, slice_of(script_paths[0])),
        .name = joined_names(list->memory, script_paths, script_count),
        .line = 1,
        .stops_at_error = true,
        .is_serializable = true,
    };
    if (setup_path != NULL && !case_add_setup(setup_path, list, problem)) {
        return false;
    }
    for (size_t i = 0; i < script_count; i++) {
        reader.path = script_paths[i];
        if (!read_script(&reader, made, i, seed)) {
            return false;
        }
    }
    return true;
}
