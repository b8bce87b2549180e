// Reads psql's dialect with markers in comments (case_marker.c).
//
// The file is one list of tokens. A statement is open from its first token of code to a semicolon, \gset or \g. A
// marker or another command inside an open statement is an error, because a semicolon is missing. Setup, teardown and
// invariants know their variables when they are read, so their texts are filled in here; the statements of a session
// keep their variables. A \set outside of the sessions holds for all sessions.
#include "workers/case/case_sql.h"
#include "workers/case/case_command.h"
#include "workers/case/case_marker.h"
#include "workers/case/case_program.h"
#include "workers/case/case_sessions.h"
#include "workers/case/case_statements.h"
#include "workers/case/case_template.h"

struct sql_reader {
    struct case_reader *reader;
    struct case_memory *memory;
    struct sql_case *made;
    struct case_scanner scanner;
    enum case_marker_kind section; // CASE_MARKER_NONE before the first marker
    int section_line;
    bool is_setup_only;
    struct case_variables globals;
    struct case_program program; // the session that is being read
    struct case_sessions sessions;
    // The open statement. Its text has no length while none is open.
    struct slice statement;
    int statement_line;
    struct case_splitter splitter;
};

static bool is_open(const struct sql_reader *sql) {
    return sql->statement.length > 0;
}

static bool complain_about_open(struct sql_reader *sql, int line, const char *before) {
    return case_complain(sql->reader, line, "the statement that begins in line %d has no %s before %s",
                         sql->statement_line, sql->splitter.parentheses > 0 ? "closing parenthesis" : "semicolon",
                         before);
}

// COPY moves data between the server and the client, or a file: psql's stream has no place in a case.
static bool check_copy(struct sql_reader *sql) {
    struct case_scanner scanner = {.rest = sql->statement, .line = 1};
    struct case_token token = case_scan_code(&scanner);
    if (!case_token_is(&token, "copy")) {
        return true;
    }
    while ((token = case_scan_code(&scanner)).kind != CASE_TOKEN_END) {
        if (case_token_is(&token, "stdin")) {
            return case_complain(sql->reader, sql->statement_line,
                                 "COPY ... FROM stdin cannot be used in a case: write "
                                 "INSERT statements (pg_dump --inserts)");
        }
        if (case_token_is(&token, "stdout")) {
            return case_complain(sql->reader, sql->statement_line,
                                 "COPY ... TO stdout cannot be used in a case: use "
                                 "SELECT");
        }
    }
    return true;
}

// Fills in the variables of a text that runs outside of the sessions.
static bool fill_in(struct sql_reader *sql, const struct case_template *text, int line, const char **out) {
    struct text filled = {0};
    struct text problem = {0};
    bool good = case_render(text, &sql->globals, &filled, &problem);
    if (good) {
        *out = case_copy(sql->memory, text_slice(&filled));
    } else {
        good = case_complain(sql->reader, line,
                             "%s: only a \\set outside of the sessions and before this line can set it",
                             text_terminated(&problem));
    }
    text_free(&filled);
    text_free(&problem);
    return good;
}

static bool add_block(struct sql_reader *sql, struct case_blocks *blocks) {
    struct case_template text = case_template_of_sql(sql->memory, sql->statement);
    const char *filled = NULL;
    if (!fill_in(sql, &text, sql->statement_line, &filled)) {
        return false;
    }
    struct case_block *block = case_append(sql->memory, &blocks->items, &blocks->count, sizeof *block);
    *block = (struct case_block){.sql = filled, .line = sql->statement_line, .file = sql->made->file};
    return true;
}

static bool set_invariant(struct sql_reader *sql) {
    struct case_invariant *invariant = &sql->made->invariants[sql->made->invariant_count - 1];
    if (invariant->sql != NULL) {
        return case_complain(sql->reader, sql->statement_line,
                             "the invariant %s has its query already: an invariant is one "
                             "query, and a marker is expected here",
                             invariant->name);
    }
    struct case_template text = case_template_of_sql(sql->memory, sql->statement);
    return fill_in(sql, &text, sql->statement_line, &invariant->sql);
}

static bool add_to_section(struct sql_reader *sql) {
    switch (sql->section) {
    case CASE_MARKER_SETUP: return add_block(sql, &sql->made->setup);
    case CASE_MARKER_TEARDOWN: return add_block(sql, &sql->made->teardown);
    case CASE_MARKER_INVARIANT: return set_invariant(sql);
    case CASE_MARKER_SESSION:
        return case_program_add_statement(&sql->program, sql->statement,
                                          case_template_of_sql(sql->memory, sql->statement), sql->statement_line);
    case CASE_MARKER_NONE:
    case CASE_MARKER_SERIALIZABLE: break;
    }
    return case_complain(sql->reader, sql->statement_line,
                         "a marker is missing before this statement: a line \"-- setup\" "
                         "or \"-- session NAME\" is expected");
}

static bool end_statement(struct sql_reader *sql) {
    bool good = !is_open(sql) || (check_copy(sql) && add_to_section(sql));
    sql->statement.length = 0;
    sql->splitter = (struct case_splitter){0};
    return good;
}

static bool end_section(struct sql_reader *sql) {
    struct sql_case *made = sql->made;
    if (sql->section == CASE_MARKER_INVARIANT && made->invariants[made->invariant_count - 1].sql == NULL) {
        return case_complain(sql->reader, sql->section_line, "the invariant %s has no query",
                             made->invariants[made->invariant_count - 1].name);
    }
    if (sql->section == CASE_MARKER_SESSION) {
        return case_sessions_end(&sql->sessions, &sql->program);
    }
    return true;
}

static bool begin_invariant(struct sql_reader *sql, const struct case_marker *marker, int line) {
    struct sql_case *made = sql->made;
    for (size_t i = 0; i < made->invariant_count; i++) {
        if (strcmp(made->invariants[i].name, marker->name) == 0) {
            return case_complain(sql->reader, line, "there is an invariant %s in line %d already", marker->name,
                                 made->invariants[i].line);
        }
    }
    if (made->invariant_count == CASE_NAMES_MAX) {
        return case_complain(sql->reader, line, "there are more than %d invariants", CASE_NAMES_MAX);
    }
    struct case_invariant *invariant = case_append(sql->memory, &made->invariants, &made->invariant_count,
                                                   sizeof *invariant);
    *invariant = (struct case_invariant){.name = marker->name, .line = line};
    return true;
}

static bool begin_session(struct sql_reader *sql, const struct case_marker *marker, int line) {
    sql->program = (struct case_program){.reader = sql->reader, .session = marker->name};
    for (size_t i = 0; i < sql->globals.count; i++) {
        case_names_add(sql->memory, &sql->program.known, sql->globals.slots[i].name, false);
    }
    for (size_t i = 0; i < marker->variable_count; i++) {
        case_names_add(sql->memory, &sql->program.known, marker->variables[i].name, false);
    }
    return case_sessions_begin(&sql->sessions, marker, line);
}

static bool begin_section(struct sql_reader *sql, const struct case_marker *marker, int line) {
    if (sql->is_setup_only) {
        return marker->kind == CASE_MARKER_SETUP ||
               case_complain(sql->reader, line, "a file of setup has no such marker: the sessions are in other files");
    }
    if (is_open(sql)) {
        return complain_about_open(sql, line, "this marker");
    }
    if (marker->kind == CASE_MARKER_SERIALIZABLE) {
        sql->made->is_serializable = marker->is_serializable;
        return true;
    }
    if (!end_section(sql)) {
        return false;
    }
    sql->section = marker->kind;
    sql->section_line = line;
    return marker->kind == CASE_MARKER_SESSION     ? begin_session(sql, marker, line)
           : marker->kind == CASE_MARKER_INVARIANT ? begin_invariant(sql, marker, line)
                                                   : true;
}

static bool stands_alone(const struct sql_reader *sql, const struct case_token *token) {
    const char *at = token->text.data;
    while (at > sql->reader->content.data && (at[-1] == ' ' || at[-1] == '\t')) {
        at--;
    }
    return at == sql->reader->content.data || at[-1] == '\n' || at[-1] == '\r';
}

static bool take_comment(struct sql_reader *sql, const struct case_token *token) {
    struct case_marker marker;
    if (token->text.data[0] != '-' || !stands_alone(sql, token)) {
        return true;
    }
    return case_marker_read(sql->reader, token->text, token->line, &marker) &&
           (marker.kind == CASE_MARKER_NONE || begin_section(sql, &marker, token->line));
}

static bool set_variable(struct sql_reader *sql, const struct case_command *command) {
    if (sql->section == CASE_MARKER_SESSION) {
        return case_program_add_variable(&sql->program, CASE_SET, command->word, command->value, command->line);
    }
    const char *value = NULL;
    if (!fill_in(sql, &command->value, command->line, &value)) {
        return false;
    }
    case_variables_set(&sql->globals, command->word, value);
    return sql->globals.count <= CASE_NAMES_MAX ||
           case_complain(sql->reader, command->line, "there are more than %d variables", CASE_NAMES_MAX);
}

static bool end_by_command(struct sql_reader *sql, const struct case_command *command) {
    struct slice statement = sql->statement;
    bool is_gset = command->kind == CASE_COMMAND_GSET;
    if (!is_open(sql)) {
        return case_complain(sql->reader, command->line,
                             "\\%s ends a statement, but none is open: it stands in the place of "
                             "the semicolon",
                             command->name);
    }
    if (is_gset && sql->section != CASE_MARKER_SESSION && sql->section != CASE_MARKER_NONE) {
        return case_complain(sql->reader, command->line,
                             "\\gset belongs to a session: use \\set outside of the sessions");
    }
    if (!end_statement(sql)) {
        return false;
    }
    if (is_gset) {
        case_program_add_gset(&sql->program, statement, command->word);
    }
    return true;
}

static bool take_branch(struct sql_reader *sql, const struct case_command *command) {
    struct case_program *program = &sql->program;
    if (sql->section != CASE_MARKER_SESSION) {
        return case_complain(sql->reader, command->line,
                             "\\%s belongs to a session: setup, teardown and invariants have no "
                             "branches",
                             command->name);
    }
    switch (command->kind) {
    case CASE_COMMAND_IF: return case_program_if(program, command->value, command->line);
    case CASE_COMMAND_ELIF:
        return case_program_begin_elif(program, command->line) &&
               case_program_elif(program, command->value, command->line);
    case CASE_COMMAND_ELSE: return case_program_else(program, command->line);
    default: return case_program_endif(program, command->line);
    }
}

static bool take_command(struct sql_reader *sql) {
    struct case_command command;
    if (!case_command_read(sql->reader, &sql->scanner, &command)) {
        return false;
    }
    bool ends_statement = command.kind == CASE_COMMAND_GSET || command.kind == CASE_COMMAND_SEND;
    if (is_open(sql) && !ends_statement) {
        struct text name = {0};
        text_append_format(&name, "\\%s", command.name);
        bool good = complain_about_open(sql, command.line, text_terminated(&name));
        text_free(&name);
        return good;
    }
    bool is_session = sql->section == CASE_MARKER_SESSION;
    switch (command.kind) {
    case CASE_COMMAND_SET: return set_variable(sql, &command);
    case CASE_COMMAND_GSET:
    case CASE_COMMAND_SEND: return end_by_command(sql, &command);
    case CASE_COMMAND_IF:
    case CASE_COMMAND_ELIF:
    case CASE_COMMAND_ELSE:
    case CASE_COMMAND_ENDIF: return take_branch(sql, &command);
    case CASE_COMMAND_QUIT: return !is_session || case_program_quit(&sql->program, command.line);
    case CASE_COMMAND_CONNECT:
        return !is_session || case_complain(sql->reader, command.line,
                                            "\\%s cannot be used in a session: a session is one "
                                            "connection",
                                            command.name);
    case CASE_COMMAND_IGNORED: return true;
    }
    UNREACHABLE("kind of command");
}

static bool take_code(struct sql_reader *sql, const struct case_token *token) {
    if (case_splitter_ends(&sql->splitter, token)) {
        return end_statement(sql);
    }
    if (!is_open(sql)) {
        sql->statement.data = token->text.data;
        sql->statement_line = token->line;
    }
    sql->statement.length = (size_t)(token->text.data + token->text.length - sql->statement.data);
    return true;
}

// As psql, sends a last statement that has no semicolon. With an open parenthesis it would hold the rest of the file.
static bool end_file(struct sql_reader *sql, int line) {
    if (is_open(sql) && sql->splitter.parentheses > 0) {
        return complain_about_open(sql, line, "the end of the file");
    }
    return end_statement(sql) && end_section(sql);
}

static bool take_tokens(struct sql_reader *sql) {
    for (;;) {
        struct case_token token = case_scan(&sql->scanner);
        bool good = true;
        switch (token.kind) {
        case CASE_TOKEN_END: return end_file(sql, token.line);
        case CASE_TOKEN_OPEN:
            return case_complain(sql->reader, token.line, "%s begins here and does not end", token.open);
        case CASE_TOKEN_BLANK: break;
        case CASE_TOKEN_COMMENT: good = take_comment(sql, &token); break;
        case CASE_TOKEN_BACKSLASH: good = take_command(sql); break;
        default: good = take_code(sql, &token); break;
        }
        if (!good) {
            return false;
        }
    }
}

static bool read_all(struct sql_reader *sql) {
    sql->memory = sql->reader->list->memory;
    sql->scanner = (struct case_scanner){.rest = sql->reader->content, .line = 1};
    sql->sessions = (struct case_sessions){.reader = sql->reader, .made = sql->made};
    bool good = take_tokens(sql) && (sql->is_setup_only || case_sessions_finish(&sql->sessions, &sql->globals));
    case_variables_free(&sql->globals);
    return good;
}

bool case_read_setup(struct case_reader *reader, struct sql_case *made) {
    struct sql_reader sql = {
        .reader = reader, .made = made, .section = CASE_MARKER_SETUP, .section_line = 1, .is_setup_only = true};
    return read_all(&sql);
}

bool case_read_sql(struct case_reader *reader) {
    struct case_memory *memory = reader->list->memory;
    struct sql_case *made = case_append(memory, &reader->list->cases, &reader->list->count, sizeof *made);
    *made = (struct sql_case){
        .file = case_copy(memory, slice_of(reader->path)),
        .name = case_base_name(memory, reader->path),
        .line = 1,
        .stops_at_error = true,
        .is_serializable = true,
    };
    struct sql_reader sql = {.reader = reader, .made = made};
    return read_all(&sql);
}
