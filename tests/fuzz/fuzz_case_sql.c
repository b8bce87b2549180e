// A file of psql's dialect is read, or one line says why not. A case that is read can be run: every jump ends inside of
// its session, every text can be filled in, every statement is one statement again, and the statements are the code of
// the file.
#include "case_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_statement(struct slice file, const struct case_instruction *instruction) {
    case_check_place(file, instruction);
    case_check_template(instruction);
    struct slice rest = slice_of(instruction->source);
    struct case_sql_statement statement;
    const char *open = NULL;
    int line = 1;
    CHECK(case_next_statement(&rest, &line, &statement, &open) && open == NULL);
    CHECK(instruction->is_block || statement.text.data == instruction->source);
    struct case_statement_shape shape = case_shape_of(instruction->source);
    CHECK(!(shape.is_read_only && (shape.is_simple_insert || shape.is_single_table)));
    CHECK(!(shape.is_simple_insert && shape.is_single_table));
}

static void check_session(struct slice file, const struct case_session *session) {
    struct case_variables variables = {0};
    for (size_t i = 0; i < session->variable_count; i++) {
        case_variables_set(&variables, session->variables[i].name, session->variables[i].value);
    }
    for (size_t i = 0; i < session->count; i++) {
        const struct case_instruction *instruction = &session->instructions[i];
        struct text filled = {0};
        struct text problem = {0};
        bool is_skip = instruction->operation == CASE_SKIP || instruction->operation == CASE_SKIP_UNLESS;
        CHECK(!is_skip || (instruction->target > i && instruction->target <= session->count));
        if (!case_render(&instruction->text, &variables, &filled, &problem)) {
            case_check_problem(&problem);
        } else if (instruction->operation == CASE_SET) {
            case_variables_set(&variables, instruction->name, text_terminated(&filled));
        }
        if (instruction->operation == CASE_STATEMENT) {
            check_statement(file, instruction);
        }
        text_free(&filled);
        text_free(&problem);
    }
    case_variables_free(&variables);
}

static void check_cases(struct slice file, const struct case_list *list) {
    CHECK(list->count == 1 && list->cases[0].session_count > 0);
    for (size_t i = 0; i < list->cases[0].session_count; i++) {
        check_session(file, &list->cases[0].sessions[i]);
    }
    case_check_code(file, &list->cases[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    case_check_input((struct slice){(const char *)data, size}, "fuzz.sql", case_read_sql, check_cases);
    return 0;
}
