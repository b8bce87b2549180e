// Makes templates: texts with variables in psql's notation.
#include "workers/case/case_template.h"
#include "workers/case/case_tokens.h"

static void add_piece(struct case_template_maker *maker, enum case_piece_kind kind, struct slice text) {
    struct case_template *made = &maker->made;
    struct case_piece *piece = case_append(maker->memory, &made->pieces, &made->count, sizeof *piece);
    *piece = (struct case_piece){.kind = kind, .text = case_copy(maker->memory, text)};
}

static void end_plain_text(struct case_template_maker *maker) {
    if (maker->plain.length > 0) {
        add_piece(maker, CASE_PIECE_TEXT, text_slice(&maker->plain));
        text_clear(&maker->plain);
    }
}

void case_template_add_text(struct case_template_maker *maker, struct slice text) {
    text_append_slice(&maker->plain, text);
}

void case_template_add_variable(struct case_template_maker *maker, enum case_piece_kind kind, struct slice name) {
    end_plain_text(maker);
    add_piece(maker, kind, name);
}

struct case_template case_template_end(struct case_template_maker *maker) {
    end_plain_text(maker);
    text_free(&maker->plain);
    struct case_template made = maker->made;
    maker->made = (struct case_template){0};
    return made;
}

struct case_template case_template_of_sql(struct case_memory *memory, struct slice sql) {
    struct case_template_maker maker = {.memory = memory};
    struct case_scanner scanner = {.rest = sql, .line = 1};
    struct case_token token;
    while ((token = case_scan(&scanner)).kind != CASE_TOKEN_END) {
        if (token.kind == CASE_TOKEN_VARIABLE) {
            case_template_add_variable(&maker, token.form, token.name);
        } else if (token.kind == CASE_TOKEN_ESCAPED) {
            case_template_add_text(&maker, (struct slice){token.text.data + 1, 1});
        } else {
            case_template_add_text(&maker, token.text);
        }
    }
    return case_template_end(&maker);
}

struct case_template case_template_of_text(struct case_memory *memory, struct slice text) {
    struct case_template_maker maker = {.memory = memory};
    case_template_add_text(&maker, text);
    return case_template_end(&maker);
}
