// A page is read, or one line says why not. The order of a case is every step of its sessions once, each session in its
// own order, a case whose level was taken out names no level, and a statement stands in its line of the page.
#include "case_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_order(const struct sql_case *made) {
    size_t next[CASE_SESSIONS_MAX] = {0};
    CHECK(made->order_count == 1);
    for (size_t i = 0; i < made->orders[0].count; i++) {
        const struct case_order_step *step = &made->orders[0].steps[i];
        CHECK(step->session < made->session_count && step->instruction == next[step->session]);
        next[step->session]++;
    }
    for (size_t i = 0; i < made->session_count; i++) {
        CHECK(next[i] == made->sessions[i].count && next[i] > 0);
    }
}

static void check_statement(struct slice page, const struct sql_case *made, const struct case_instruction *step) {
    struct slice rest = slice_of(step->source);
    struct case_sql_statement statement;
    int line = 1;
    size_t count = 0;
    CHECK(step->operation == CASE_STATEMENT && step->text.count == 1);
    while (case_next_statement(&rest, &line, &statement, NULL)) {
        count++;
    }
    CHECK(count > 0 && step->is_block == (count > 1));
    CHECK(!made->has_level || !made->names_levels);
    if (count == 1 && !made->has_level) {
        case_check_place(page, step); // else semicolons were put between the statements, or the level was taken out
    }
}

static void check_case(struct slice page, const struct sql_case *made) {
    CHECK(made->name != NULL && made->name[0] != '\0');
    CHECK(made->session_count > 0 && made->session_count <= CASE_SESSIONS_MAX);
    for (size_t i = 0; i < made->session_count; i++) {
        for (size_t k = 0; k < made->sessions[i].count; k++) {
            check_statement(page, made, &made->sessions[i].instructions[k]);
        }
    }
    check_order(made);
}

static void check_cases(struct slice page, const struct case_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        check_case(page, &list->cases[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    case_check_input((struct slice){(const char *)data, size}, "fuzz.md", case_read_hermitage, check_cases);
    return 0;
}
