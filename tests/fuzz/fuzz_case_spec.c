// A .spec is read, or one line says why not. A case that is read has steps, whose SQL is the file's, and its orders and
// conditions name them.
#include "case_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const struct sql_case *made, size_t session, size_t instruction) {
    CHECK(session < made->session_count && instruction < made->sessions[session].count);
}

static void check_order(const struct sql_case *made, const struct case_order *order) {
    CHECK(order->count > 0 && order->line > 0);
    for (size_t i = 0; i < order->count; i++) {
        const struct case_order_step *step = &order->steps[i];
        check_place(made, step->session, step->instruction);
        for (size_t k = 0; k < step->condition_count; k++) {
            check_place(made, step->conditions[k].session, step->conditions[k].instruction);
            CHECK(step->conditions[k].session != step->session);
        }
    }
}

// Blanks may stand between the SQL of a block and its braces.
static void check_sql(struct slice file, const char *sql) {
    CHECK(strchr(sql, '}') == NULL && memmem(file.data, file.length, sql, strlen(sql)) != NULL);
}

static void check_blocks(struct slice file, const struct case_blocks *blocks) {
    for (size_t i = 0; i < blocks->count; i++) {
        check_sql(file, blocks->items[i].sql);
    }
}

static void check_case(struct slice file, const struct sql_case *made) {
    CHECK(made->session_count > 0 && made->session_count <= CASE_SESSIONS_MAX && made->teardown.count <= 1);
    check_blocks(file, &made->setup);
    check_blocks(file, &made->teardown);
    for (size_t i = 0; i < made->session_count; i++) {
        const struct case_session *session = &made->sessions[i];
        CHECK(session->count > 0 && session->count <= CASE_INSTRUCTIONS_MAX && session->setup.count <= 1);
        check_blocks(file, &session->setup);
        check_blocks(file, &session->teardown);
        for (size_t k = 0; k < session->count; k++) {
            const struct case_instruction *step = &session->instructions[k];
            CHECK(step->operation == CASE_STATEMENT && step->is_block && step->text.count == 1);
            CHECK(strcmp(step->source, step->text.pieces[0].text) == 0);
            check_sql(file, step->source);
        }
    }
    for (size_t i = 0; i < made->order_count; i++) {
        check_order(made, &made->orders[i]);
    }
}

static void check_cases(struct slice file, const struct case_list *list) {
    CHECK(list->count == 1);
    check_case(file, &list->cases[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    case_check_input((struct slice){(const char *)data, size}, "fuzz.spec", case_read_spec, check_cases);
    return 0;
}
