// A log is read, or one line says why not. Its first character says the format: { begins a jsonlog. The order of the
// case is every step of its sessions once, each session in its own order, and the statements are those of the file.
#include "case_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A statement without quotes is in a csvlog as it is: only quotes are written in another way there.
static void check_text(struct slice file, const char *sql) {
    CHECK(file.data[0] == '{' || strchr(sql, '"') != NULL || memmem(file.data, file.length, sql, strlen(sql)) != NULL);
}

static void check_case(struct slice file, const struct sql_case *made) {
    size_t next[CASE_SESSIONS_MAX] = {0};
    CHECK(made->is_recording && made->order_count == 1);
    CHECK(made->session_count >= 2 && made->session_count <= CASE_SESSIONS_MAX);
    for (size_t i = 0; i < made->orders[0].count; i++) {
        const struct case_order_step *step = &made->orders[0].steps[i];
        CHECK(step->session < made->session_count && step->instruction == next[step->session]);
        next[step->session]++;
    }
    for (size_t i = 0; i < made->session_count; i++) {
        const struct case_session *session = &made->sessions[i];
        CHECK(next[i] == session->count && next[i] > 0 && next[i] <= CASE_INSTRUCTIONS_MAX);
        for (size_t k = 0; k < session->count; k++) {
            const struct case_instruction *step = &session->instructions[k];
            CHECK(step->operation == CASE_STATEMENT && step->text.count == 1);
            check_text(file, step->source);
            CHECK((step->parameters != NULL) == (step->parameter_count > 0));
        }
    }
}

static void check_cases(struct slice file, const struct case_list *list) {
    CHECK(list->count == 1);
    check_case(file, &list->cases[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = size > 0 && data[0] == '{' ? "fuzz.json" : "fuzz.csv";
    case_check_input((struct slice){(const char *)data, size}, path, case_read_log, check_cases);
    return 0;
}
