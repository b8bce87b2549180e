// Changes a case as a person would who tries a fix: a transaction around each session, and locks at its reads.
#include "workers/case/case_reader.h"

static bool has_transaction(const struct case_session *session) {
    for (size_t i = 0; i < session->count; i++) {
        const struct case_instruction *each = &session->instructions[i];
        if (each->operation == CASE_STATEMENT && case_shape_of(each->source).begins_transaction) {
            return true;
        }
    }
    return false;
}

static struct case_instruction make_statement(struct case_memory *memory, const struct case_session *session,
                                              const char *sql, int line, const char *suffix) {
    struct case_piece *piece = case_allocate(memory, sizeof *piece);
    *piece = (struct case_piece){.kind = CASE_PIECE_TEXT, .text = sql};
    return (struct case_instruction){
        .operation = CASE_STATEMENT,
        .line = line,
        .name = case_format(memory, "%s%s", session->name, suffix),
        .text = {.pieces = piece, .count = 1},
        .source = sql,
    };
}

// The jumps of the program move with its instructions.
static void wrap(struct case_memory *memory, struct case_session *session) {
    struct case_instruction *made = case_allocate(memory, (session->count + 2) * sizeof *made);
    made[0] = make_statement(memory, session, "BEGIN", session->line, "_begin");
    for (size_t i = 0; i < session->count; i++) {
        made[i + 1] = session->instructions[i];
        made[i + 1].target++;
    }
    made[session->count + 1] = make_statement(memory, session, "COMMIT", session->line, "_commit");
    session->instructions = made;
    session->count += 2;
}

static bool may_lock(const char *sql) {
    return strncasecmp(sql, "SELECT", strlen("SELECT")) == 0 && strcasestr(sql, " FROM ") != NULL &&
           case_shape_of(sql).is_read_only;
}

static bool lock_reads(struct case_memory *memory, struct case_session *session) {
    bool found = false;
    struct case_instruction *made = case_allocate(memory, (session->count + 1) * sizeof *made);
    for (size_t i = 0; i < session->count; i++) {
        made[i] = session->instructions[i];
        if (made[i].operation != CASE_STATEMENT || made[i].is_block || !may_lock(made[i].source)) {
            continue;
        }
        struct case_piece *pieces = case_allocate(memory, (made[i].text.count + 1) * sizeof *pieces);
        memcpy(pieces, made[i].text.pieces, made[i].text.count * sizeof *pieces);
        pieces[made[i].text.count] = (struct case_piece){.kind = CASE_PIECE_TEXT, .text = " FOR UPDATE"};
        made[i].text = (struct case_template){.pieces = pieces, .count = made[i].text.count + 1};
        made[i].source = case_format(memory, "%s FOR UPDATE", made[i].source);
        found = true;
    }
    session->instructions = made;
    return found;
}

bool case_make_variant(struct case_list *list, const struct sql_case *from, enum case_variant variant,
                       struct sql_case *made) {
    *made = *from;
    made->sessions = case_allocate(list->memory, (from->session_count + 1) * sizeof *made->sessions);
    bool changed = false;
    for (size_t i = 0; i < from->session_count; i++) {
        made->sessions[i] = from->sessions[i];
        if (!has_transaction(&from->sessions[i])) {
            wrap(list->memory, &made->sessions[i]);
            changed |= variant == CASE_IN_TRANSACTION;
        }
        changed |= variant == CASE_LOCKS_READS && lock_reads(list->memory, &made->sessions[i]);
    }
    return changed;
}
