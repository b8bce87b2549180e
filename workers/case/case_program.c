// Builds the instructions of one session: statements, variables, and the branches of \if.
//
//     \if A          skip unless A  ---+
//       ...                            |
//                    skip  ------------|---+
//     \elif B        skip unless B  <--+ --+---+
//       ...                                |   |
//                    skip  ----------------+   |
//     \else                                | <-+
//       ...                                |
//     \endif                             <-+
#include "workers/case/case_program.h"

#define NO_INSTRUCTION SIZE_MAX
#define QUIT (SIZE_MAX - 1) // target of \q until the number of instructions is known

static struct case_memory *memory_of(const struct case_program *program) {
    return program->reader->list->memory;
}

static int count_lines(const char *text) {
    int lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    return lines;
}

// psql sets these itself: they describe the last statement, or the last error. A name with a backslash is ours.
static bool is_always_set(const char *name) {
    static const char *const own[] = {"ROW_COUNT", "ERROR", "SQLSTATE", "LAST_ERROR_MESSAGE", "LAST_ERROR_SQLSTATE"};
    bool is_own = name[0] == '\\';
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        is_own |= strcmp(name, own[i]) == 0;
    }
    return is_own;
}

bool case_program_check(struct case_program *program, const struct case_template *text, int line) {
    for (size_t i = 0; i < text->count; i++) {
        const struct case_piece *piece = &text->pieces[i];
        line += piece->kind == CASE_PIECE_TEXT ? count_lines(piece->text) : 0;
        bool needs_value = piece->kind != CASE_PIECE_TEXT && piece->kind != CASE_PIECE_IS_SET;
        if (!needs_value || is_always_set(piece->text) || case_names_have(&program->known, piece->text)) {
            continue;
        }
        struct text names = {0};
        case_names_append(&names, &program->known);
        bool good = case_complain(program->reader, line,
                                  "nothing sets the variable \"%.63s\" before session %s reads it "
                                  "(set here: %s)",
                                  piece->text, program->session, text_terminated(&names));
        text_free(&names);
        return good;
    }
    return true;
}

static bool has_room(struct case_program *program, int line) {
    return program->count < CASE_INSTRUCTIONS_MAX ||
           case_complain(program->reader, line, "session %s has more than %d instructions", program->session,
                         CASE_INSTRUCTIONS_MAX);
}

static struct case_instruction *add(struct case_program *program, enum case_operation operation, int line) {
    struct case_instruction *instruction = case_append(memory_of(program), &program->instructions, &program->count,
                                                       sizeof *instruction);
    *instruction = (struct case_instruction){.operation = operation, .line = line};
    return instruction;
}

// "A1". A session whose name ends in a digit gets "T1.1", because T11 may be the step of a session T.
static const char *step_name(struct case_memory *memory, const char *session, size_t ordinal) {
    char last = session[strlen(session) - 1];
    return case_format(memory, "%s%s%zu", session, last >= '0' && last <= '9' ? "." : "", ordinal);
}

static bool has_escaped_semicolon(struct slice sql) {
    return memmem(sql.data, sql.length, "\\;", 2) != NULL;
}

// "SELECT 1\; SELECT 2;" is one message of two statements: a block.
bool case_program_add_statement(struct case_program *program, struct slice sql, struct case_template text, int line) {
    if (!case_program_check(program, &text, line) || !has_room(program, line)) {
        return false;
    }
    struct case_instruction *instruction = add(program, CASE_STATEMENT, line);
    instruction->name = step_name(memory_of(program), program->session, ++program->statement_count);
    instruction->text = text;
    instruction->source = case_copy(memory_of(program), sql);
    instruction->is_block = has_escaped_semicolon(sql);
    return true;
}

void case_program_add_gset(struct case_program *program, struct slice sql, const char *prefix) {
    program->instructions[program->count - 1].gset_prefix = prefix;
    case_names_add_columns(memory_of(program), &program->known, sql, prefix);
}

bool case_program_add_variable(struct case_program *program, enum case_operation operation, const char *name,
                               struct case_template text, int line) {
    if (!case_program_check(program, &text, line) || !has_room(program, line)) {
        return false;
    }
    struct case_instruction *instruction = add(program, operation, line);
    instruction->name = name;
    instruction->text = text;
    if (!is_always_set(name)) {
        case_names_add(memory_of(program), &program->known, name, false);
    }
    return true;
}

static bool add_condition(struct case_program *program, struct case_branch *branch, struct case_template condition,
                          int line) {
    if (!case_program_check(program, &condition, line) || !has_room(program, line)) {
        return false;
    }
    struct case_instruction *instruction = add(program, CASE_SKIP_UNLESS, line);
    instruction->text = condition;
    branch->condition = program->count - 1;
    return true;
}

bool case_program_if(struct case_program *program, struct case_template condition, int line) {
    if (program->depth == CASE_BRANCHES_MAX) {
        return case_complain(program->reader, line, "\\if is nested more than %d deep", CASE_BRANCHES_MAX);
    }
    struct case_branch *branch = &program->branches[program->depth++];
    *branch = (struct case_branch){.line = line, .condition = NO_INSTRUCTION, .last_skip = NO_INSTRUCTION};
    return add_condition(program, branch, condition, line);
}

// The end of a branch: skips to \endif. The condition of the branch, if it is false, continues behind the skip.
static bool end_branch(struct case_program *program, const char *command, int line) {
    struct case_branch *branch = program->depth > 0 ? &program->branches[program->depth - 1] : NULL;
    if (branch == NULL) {
        return case_complain(program->reader, line, "\\%s has no \\if before it", command);
    }
    if (branch->has_else) {
        return case_complain(program->reader, line, "\\%s stands behind the \\else of the \\if in line %d", command,
                             branch->line);
    }
    if (!has_room(program, line)) {
        return false;
    }
    struct case_instruction *skip = add(program, CASE_SKIP, line);
    skip->target = branch->last_skip;
    branch->last_skip = program->count - 1;
    program->instructions[branch->condition].target = program->count;
    branch->condition = NO_INSTRUCTION;
    return true;
}

bool case_program_begin_elif(struct case_program *program, int line) {
    return end_branch(program, "elif", line);
}

bool case_program_elif(struct case_program *program, struct case_template condition, int line) {
    return add_condition(program, &program->branches[program->depth - 1], condition, line);
}

bool case_program_else(struct case_program *program, int line) {
    if (!end_branch(program, "else", line)) {
        return false;
    }
    program->branches[program->depth - 1].has_else = true;
    return true;
}

bool case_program_endif(struct case_program *program, int line) {
    if (program->depth == 0) {
        return case_complain(program->reader, line, "\\endif has no \\if before it");
    }
    const struct case_branch *branch = &program->branches[--program->depth];
    if (branch->condition != NO_INSTRUCTION) {
        program->instructions[branch->condition].target = program->count;
    }
    for (size_t skip = branch->last_skip; skip != NO_INSTRUCTION;) {
        size_t before = program->instructions[skip].target;
        program->instructions[skip].target = program->count;
        skip = before;
    }
    return true;
}

bool case_program_quit(struct case_program *program, int line) {
    if (!has_room(program, line)) {
        return false;
    }
    struct case_instruction *skip = add(program, CASE_SKIP, line);
    skip->target = QUIT;
    return true;
}

bool case_program_end(struct case_program *program, int line) {
    if (program->depth > 0) {
        return case_complain(program->reader, program->branches[program->depth - 1].line,
                             "this \\if of session %s has no \\endif", program->session);
    }
    if (program->statement_count == 0) {
        return case_complain(program->reader, line, "session %s has no statement", program->session);
    }
    for (size_t i = 0; i < program->count; i++) {
        struct case_instruction *instruction = &program->instructions[i];
        instruction->target = instruction->target == QUIT ? program->count : instruction->target;
    }
    return true;
}

struct case_instruction *case_program_copy(struct case_memory *memory, const struct case_session *session,
                                           const char *name) {
    struct case_instruction *copy = case_allocate(memory, session->count * sizeof *copy);
    size_t ordinal = 0;
    for (size_t i = 0; i < session->count; i++) {
        copy[i] = session->instructions[i];
        if (copy[i].operation == CASE_STATEMENT) {
            copy[i].name = step_name(memory, name, ++ordinal);
        }
    }
    return copy;
}

bool case_program_names_level(const struct case_session *session) {
    for (size_t i = 0; i < session->count; i++) {
        const struct case_instruction *instruction = &session->instructions[i];
        if (instruction->operation == CASE_STATEMENT && case_shape_of(instruction->source).names_level) {
            return true;
        }
    }
    return false;
}
