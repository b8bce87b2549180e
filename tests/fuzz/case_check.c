// The checks compare texts and tokens; they know nothing of how a reader found its statements.
#include "case_check.h"

#include "workers/case/case_tokens.h"

void case_check_problem(const struct text *problem) {
    CHECK(problem->length > 0 && memchr(problem->data, '\n', problem->length) == NULL);
}

void case_check_input(struct slice file, const char *path, case_check_read *read, case_check_cases *check) {
    if (file.length == 0 || memchr(file.data, '\0', file.length) != NULL) {
        return; // case_read() refuses such a file
    }
    struct case_list list = {.memory = case_memory_new()};
    struct text problem = {0};
    struct case_reader reader = {.path = path, .content = file, .list = &list, .problem = &problem};
    if (read(&reader)) {
        CHECK(list.count > 0 && problem.length == 0);
        check(reader.content, &list);
    } else {
        case_check_problem(&problem);
    }
    text_free(&problem);
    case_list_free(&list);
}

void case_check_place(struct slice file, const struct case_instruction *statement) {
    size_t length = strlen(statement->source);
    int line = 1;
    for (struct slice rest = file; rest.length > 0; rest = (struct slice){rest.data + 1, rest.length - 1}) {
        if (line == statement->line && rest.length >= length && memcmp(rest.data, statement->source, length) == 0) {
            return;
        }
        line += rest.data[0] == '\n';
    }
    CHECK(!"the statement stands in its line of the file");
}

void case_check_template(const struct case_instruction *statement) {
    static const char *const notations[][2] = {[CASE_PIECE_TEXT] = {"", ""},
                                               [CASE_PIECE_VALUE] = {":", ""},
                                               [CASE_PIECE_LITERAL] = {":'", "'"},
                                               [CASE_PIECE_IDENTIFIER] = {":\"", "\""},
                                               [CASE_PIECE_IS_SET] = {":{?", "}"}};
    struct text written = {0};
    if (strchr(statement->source, '\\') != NULL) {
        return; // \; stands for a semicolon, and \: for a colon
    }
    for (size_t i = 0; i < statement->text.count; i++) {
        const struct case_piece *piece = &statement->text.pieces[i];
        text_append_string(&written, notations[piece->kind][0]);
        text_append_string(&written, piece->text);
        text_append_string(&written, notations[piece->kind][1]);
    }
    CHECK(strcmp(text_terminated(&written), statement->source) == 0);
    text_free(&written);
}

// A sum of the tokens' hashes (FNV-1a), without semicolons: it does not depend on the order of the sections.
static uint64_t sum_of_code(struct slice sql) {
    struct case_scanner scanner = {.rest = sql, .line = 1};
    struct case_token token;
    uint64_t sum = 0;
    while ((token = case_scan_code(&scanner)).kind != CASE_TOKEN_END) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < token.text.length; i++) {
            hash = (hash ^ (unsigned char)token.text.data[i]) * UINT64_C(0x100000001b3);
        }
        sum += case_token_is_symbol(&token, ';') ? 0 : hash;
    }
    return sum;
}

static uint64_t sum_of_blocks(const struct case_blocks *blocks) {
    uint64_t sum = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        sum += sum_of_code(slice_of(blocks->items[i].sql));
    }
    return sum;
}

// A session that is like another one shares its statements.
static bool is_like_earlier(const struct sql_case *made, size_t index) {
    for (size_t i = 0; i < index; i++) {
        const struct case_session *earlier = &made->sessions[i];
        if (earlier->count > 0 && earlier->instructions[0].source == made->sessions[index].instructions[0].source &&
            earlier->instructions[0].line == made->sessions[index].instructions[0].line) {
            return true;
        }
    }
    return false;
}

void case_check_code(struct slice file, const struct sql_case *made) {
    bool has_commands = memchr(file.data, '\\', file.length) != NULL;
    if (has_commands || memmem(file.data, file.length, ":{?", 3) != NULL) { // :{?x} outside of a session becomes FALSE
        return;
    }
    uint64_t sum = sum_of_blocks(&made->setup) + sum_of_blocks(&made->teardown);
    for (size_t i = 0; i < made->invariant_count; i++) {
        sum += sum_of_code(slice_of(made->invariants[i].sql));
    }
    for (size_t i = 0; i < made->session_count; i++) {
        for (size_t k = 0; k < made->sessions[i].count && !is_like_earlier(made, i); k++) {
            sum += sum_of_code(slice_of(made->sessions[i].instructions[k].source));
        }
    }
    CHECK(sum == sum_of_code(file));
}
