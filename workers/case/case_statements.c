// Splits SQL into statements as psql does: at semicolons outside of quotes, comments, parentheses, and outside of the
// body of CREATE FUNCTION ... BEGIN ATOMIC ... END.
#include "workers/case/case_statements.h"
#include "workers/case/case_reader.h"

// psql remembers the first letters of these words only: "cf", "cp", "corf" and "corp" begin a function or a procedure.
static char letter_of_create(const struct case_token *token) {
    static const char *const words[] = {"create", "function", "procedure", "or", "replace"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (case_token_is(token, words[i])) {
            return words[i][0];
        }
    }
    return '\0';
}

static bool creates_function(const struct case_splitter *splitter) {
    const char *letters = splitter->first_letters;
    return letters[0] == 'c' && (letters[1] == 'f' || letters[1] == 'p' ||
                                 (letters[1] == 'o' && letters[2] == 'r' && (letters[3] == 'f' || letters[3] == 'p')));
}

static void count_word(struct case_splitter *splitter, const struct case_token *token) {
    if (splitter->words < sizeof splitter->first_letters) {
        splitter->first_letters[splitter->words] = letter_of_create(token);
    }
    splitter->words++;
    if (splitter->parentheses > 0 || !creates_function(splitter)) {
        return;
    }
    if (case_token_is(token, "begin") || (case_token_is(token, "case") && splitter->begins > 0)) {
        splitter->begins++;
    } else if (case_token_is(token, "end") && splitter->begins > 0) {
        splitter->begins--;
    }
}

bool case_splitter_ends(struct case_splitter *splitter, const struct case_token *token) {
    if (token->kind == CASE_TOKEN_WORD) {
        count_word(splitter, token);
    } else if (token->kind == CASE_TOKEN_ESCAPED && token->text.data[1] == ';') {
        splitter->words = 0;
        memset(splitter->first_letters, 0, sizeof splitter->first_letters);
    } else if (case_token_is_symbol(token, '(')) {
        splitter->parentheses++;
    } else if (case_token_is_symbol(token, ')')) {
        splitter->parentheses -= splitter->parentheses > 0;
    }
    return case_token_is_symbol(token, ';') && splitter->parentheses == 0 && splitter->begins == 0;
}

// Statements without any code, a lone semicolon, are left out.
bool case_next_statement(struct slice *rest, int *line, struct case_sql_statement *out, const char **problem) {
    struct case_scanner scanner = {.rest = *rest, .line = *line};
    struct case_splitter splitter = {0};
    struct case_token token;
    *out = (struct case_sql_statement){0};
    do {
        token = case_scan_code(&scanner);
        if (case_splitter_ends(&splitter, &token)) {
            if (out->text.length > 0) {
                break;
            }
        } else if (token.kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN) {
            if (out->text.length == 0) {
                *out = (struct case_sql_statement){.text = token.text, .line = token.line};
            }
            out->text.length = (size_t)(token.text.data + token.text.length - out->text.data);
        }
    } while (token.kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN);
    *rest = scanner.rest;
    *line = scanner.line;
    bool is_open = token.kind == CASE_TOKEN_OPEN;
    if (problem != NULL) {
        *problem = is_open ? token.open : NULL;
    }
    return out->text.length > 0 && !is_open;
}
