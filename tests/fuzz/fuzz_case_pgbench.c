// A script of pgbench is read, or one line says why not; every jump of the session goes forward, and the statements are
// the code of the script. The same bytes are an expression, which has a value or a problem.
#include "case_check.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_session(struct slice file, const struct case_session *session) {
    for (size_t i = 0; i < session->count; i++) {
        const struct case_instruction *instruction = &session->instructions[i];
        bool is_skip = instruction->operation == CASE_SKIP || instruction->operation == CASE_SKIP_UNLESS;
        CHECK(!is_skip || (instruction->target > i && instruction->target <= session->count));
        if (instruction->operation == CASE_STATEMENT) {
            case_check_place(file, instruction);
            case_check_template(instruction);
        }
    }
}

static void check_script(const char *path, struct slice file) {
    struct case_list list;
    struct text problem = {0};
    if (!case_read_pgbench(NULL, &path, 1, 1, &list, &problem)) {
        case_check_problem(&problem);
    } else {
        bool has_mark = slice_starts_with(file, SLICE_LITERAL("\xEF\xBB\xBF"));
        file = has_mark ? (struct slice){file.data + 3, file.length - 3} : file;
        check_session(file, &list.cases[0].sessions[0]);
        case_check_code(file, &list.cases[0]);
    }
    text_free(&problem);
    case_list_free(&list);
}

static void check_expression(const uint8_t *data, size_t size) {
    struct text expression = {0};
    struct text value = {0};
    struct text problem = {0};
    text_append(&expression, (const char *)data, size);
    bool good = case_calculate(text_terminated(&expression), &value, &problem);
    CHECK(good == (problem.length == 0));
    CHECK(!good || value.length > 0);
    text_free(&expression);
    text_free(&value);
    text_free(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int file = -1;
    static char path[64];
    if (file < 0) {
        file = memfd_create("script", MFD_CLOEXEC);
        CHECK(file >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    CHECK(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    check_script(path, (struct slice){(const char *)data, size});
    check_expression(data, size);
    return 0;
}
