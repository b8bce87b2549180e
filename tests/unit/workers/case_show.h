// Reads a case from a text and writes it as lines, so that a test compares texts. A line shows one instruction:
//
//     3 A1 SELECT a FROM t WHERE b = {value x} gset(p_)
//     4 set x = 1        5 calculate x = 1 + {value y}        6 unless {value x} -> 9        7 skip -> 9
//
// Include it after cmocka.h, in one file of a test program.
#ifndef TESTS_UNIT_WORKERS_CASE_SHOW_H
#define TESTS_UNIT_WORKERS_CASE_SHOW_H

#include "workers/case/case.h"
#include "workers/case/case_reader.h"

static void show_template(const struct case_template *text, struct text *out) {
    static const char *const kinds[] = {"", "value ", "literal ", "identifier ", "is set "};
    for (size_t i = 0; i < text->count; i++) {
        bool is_text = text->pieces[i].kind == CASE_PIECE_TEXT;
        text_append_format(out, is_text ? "%s%s" : "{%s%s}", kinds[text->pieces[i].kind], text->pieces[i].text);
    }
}

static void show_instruction(const struct case_instruction *instruction, struct text *out) {
    text_append_format(out, "%d ", instruction->line);
    switch (instruction->operation) {
    case CASE_STATEMENT:
        text_append_format(out, "%s%s ", instruction->name, instruction->is_block ? " block" : "");
        break;
    case CASE_SET: text_append_format(out, "set %s = ", instruction->name); break;
    case CASE_CALCULATE: text_append_format(out, "calculate %s = ", instruction->name); break;
    case CASE_SKIP_UNLESS: text_append_string(out, "unless "); break;
    case CASE_SKIP: text_append_string(out, "skip"); break;
    }
    show_template(&instruction->text, out);
    if (instruction->gset_prefix != NULL) {
        text_append_format(out, " gset(%s)", instruction->gset_prefix);
    }
    if (instruction->operation == CASE_SKIP || instruction->operation == CASE_SKIP_UNLESS) {
        text_append_format(out, " -> %zu", instruction->target);
    }
    text_append_string(out, "\n");
}

static void show_session(const struct case_session *session, struct text *out) {
    text_append_format(out, "session %s", session->name);
    for (size_t i = 0; i < session->variable_count; i++) {
        text_append_format(out, " %s=%s", session->variables[i].name, session->variables[i].value);
    }
    text_append_string(out, "\n");
    for (size_t i = 0; i < session->count; i++) {
        show_instruction(&session->instructions[i], out);
    }
}

static void show_blocks(const char *name, const struct case_blocks *blocks, struct text *out) {
    for (size_t i = 0; i < blocks->count; i++) {
        text_append_format(out, "%s %d %s\n", name, blocks->items[i].line, blocks->items[i].sql);
    }
}

static void show_case(const struct sql_case *shown, struct text *out) {
    show_blocks("setup", &shown->setup, out);
    show_blocks("teardown", &shown->teardown, out);
    for (size_t i = 0; i < shown->session_count; i++) {
        show_session(&shown->sessions[i], out);
    }
    for (size_t i = 0; i < shown->invariant_count; i++) {
        text_append_format(out, "invariant %s %d %s\n", shown->invariants[i].name, shown->invariants[i].line,
                           shown->invariants[i].sql);
    }
}

// The cases as lines, or the problem.
static void show_list(bool is_read, const struct case_list *list, const struct text *problem, struct text *out) {
    if (!is_read) {
        text_append_slice(out, text_slice(problem));
    }
    for (size_t i = 0; is_read && i < list->count; i++) {
        show_case(&list->cases[i], out);
    }
}

#endif
