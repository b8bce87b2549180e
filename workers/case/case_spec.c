// Reads a .spec of PostgreSQL's isolationtester: the grammar of src/test/isolation/specparse.y in PostgreSQL 15.
//
//     setup { SQL } ...   teardown { SQL }
//     session NAME  setup { SQL }  step NAME { SQL } ...  teardown { SQL }
//     permutation STEP  STEP(*, STEP, STEP notices NUMBER) ...
//
// Beyond isolationtester, two sessions cannot have one name, because the explorer's reports name sessions.
#include "workers/case/case_spec_orders.h"

// PostgreSQL runs a block as one simple query. Its statements are split here only to look for a level.
static void look_for_level(struct sql_case *made, struct slice sql) {
    struct case_sql_statement statement;
    struct case_memory *memory = case_memory_new();
    int line = 1;
    while (!made->names_levels && case_next_statement(&sql, &line, &statement, NULL)) {
        made->names_levels = case_shape_of(case_copy(memory, statement.text)).names_level;
    }
    case_memory_free(memory);
}

// Reads "setup { SQL }" or "teardown { SQL }", if the scanner stands at this keyword.
static bool read_block(struct spec_scanner *scanner, enum spec_token keyword, struct sql_case *made,
                       struct case_blocks *blocks) {
    if (scanner->token != keyword) {
        return true;
    }
    struct slice sql;
    if (!spec_advance(scanner)) {
        return false;
    }
    int line = scanner->line;
    if (!spec_take(scanner, SPEC_BLOCK, "a block of SQL in braces", &sql)) {
        return false;
    }
    struct case_memory *memory = scanner->reader->list->memory;
    struct case_block *block = case_append(memory, &blocks->items, &blocks->count, sizeof *block);
    *block = (struct case_block){.sql = case_copy(memory, sql), .line = line};
    look_for_level(made, sql);
    return true;
}

static bool read_step(struct spec_scanner *scanner, struct sql_case *made, struct case_session *session) {
    struct slice name;
    struct slice sql;
    int line = scanner->line;
    if (session->count == CASE_INSTRUCTIONS_MAX) {
        return case_complain(scanner->reader, line, "the session %s has more than %d steps", session->name,
                             CASE_INSTRUCTIONS_MAX);
    }
    if (!spec_advance(scanner) || !spec_take(scanner, SPEC_NAME, "the name of the step", &name) ||
        !spec_take(scanner, SPEC_BLOCK, "the step's SQL in braces", &sql)) {
        return false;
    }
    struct case_memory *memory = scanner->reader->list->memory;
    struct case_piece *piece = case_allocate(memory, sizeof *piece);
    *piece = (struct case_piece){.kind = CASE_PIECE_TEXT, .text = case_copy(memory, sql)};
    struct case_instruction *step = case_append(memory, &session->instructions, &session->count, sizeof *step);
    *step = (struct case_instruction){.operation = CASE_STATEMENT,
                                      .line = line,
                                      .name = case_copy(memory, name),
                                      .text = {piece, 1},
                                      .source = piece->text,
                                      .is_block = true};
    look_for_level(made, sql);
    return true;
}

static bool begin_session(struct spec_scanner *scanner, struct sql_case *made, struct slice name, int line) {
    if (made->session_count == CASE_SESSIONS_MAX) {
        return case_complain(scanner->reader, line, "there are more than %d sessions", CASE_SESSIONS_MAX);
    }
    for (size_t i = 0; i < made->session_count; i++) {
        if (slice_equals(slice_of(made->sessions[i].name), name)) {
            return case_complain(scanner->reader, line,
                                 "duplicate session name: \"%s\" is the name of a session in line %d already",
                                 made->sessions[i].name, made->sessions[i].line);
        }
    }
    struct case_memory *memory = scanner->reader->list->memory;
    struct case_session *session = case_append(memory, &made->sessions, &made->session_count, sizeof *session);
    *session = (struct case_session){.name = case_copy(memory, name), .line = line};
    return true;
}

// The scanner stands at "session".
static bool read_session(struct spec_scanner *scanner, struct sql_case *made) {
    struct slice name;
    int line = scanner->line;
    if (!spec_advance(scanner) || !spec_take(scanner, SPEC_NAME, "the name of the session", &name) ||
        !begin_session(scanner, made, name, line)) {
        return false;
    }
    struct case_session *session = &made->sessions[made->session_count - 1];
    if (!read_block(scanner, SPEC_SETUP, made, &session->setup)) {
        return false;
    }
    if (scanner->token != SPEC_STEP) {
        return spec_complain_expected(scanner, "\"step\": a session has at least one");
    }
    while (scanner->token == SPEC_STEP) {
        if (!read_step(scanner, made, session)) {
            return false;
        }
    }
    return read_block(scanner, SPEC_TEARDOWN, made, &session->teardown);
}

static bool read_sessions(struct spec_scanner *scanner, struct sql_case *made) {
    if (scanner->token != SPEC_SESSION) {
        return spec_complain_expected(scanner, made->teardown.count > 0 ? "\"session\""
                                                                        : "\"setup\", \"teardown\" or \"session\"");
    }
    while (scanner->token == SPEC_SESSION) {
        if (!read_session(scanner, made)) {
            return false;
        }
    }
    return true;
}

static bool read_permutations(struct spec_scanner *scanner, struct sql_case *made) {
    struct spec_steps steps = {0};
    if (scanner->token != SPEC_PERMUTATION && scanner->token != SPEC_END) {
        return spec_complain_expected(scanner, "\"session\", \"permutation\" or the end of the file");
    }
    if (!spec_collect_steps(scanner->reader, made, &steps)) {
        return false;
    }
    while (scanner->token == SPEC_PERMUTATION) {
        if (!spec_read_permutation(scanner, &steps, made)) {
            return false;
        }
    }
    return scanner->token == SPEC_END ||
           spec_complain_expected(scanner, "a step, \"permutation\" or the end of the file");
}

bool case_read_spec(struct case_reader *reader) {
    struct case_memory *memory = reader->list->memory;
    struct sql_case *made = case_append(memory, &reader->list->cases, &reader->list->count, sizeof *made);
    *made = (struct sql_case){.file = case_copy(memory, slice_of(reader->path)),
                              .name = case_base_name(memory, reader->path),
                              .line = 1,
                              .is_serializable = true};
    struct spec_scanner scanner = {.reader = reader, .rest = reader->content, .rest_line = 1};
    if (!spec_advance(&scanner)) {
        return false;
    }
    while (scanner.token == SPEC_SETUP) {
        if (!read_block(&scanner, SPEC_SETUP, made, &made->setup)) {
            return false;
        }
    }
    return read_block(&scanner, SPEC_TEARDOWN, made, &made->teardown) && read_sessions(&scanner, made) &&
           read_permutations(&scanner, made);
}
