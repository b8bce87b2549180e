// Changes a case as a person would who tries a fix: a transaction around each session, and locks at its reads.
#include "workers/case/case_guard.h"
#include "workers/case/case_reader.h"

static bool has_transaction(const struct case_session *session) {
    for (size_t i = 0; i < session->setup.count; i++) {
        if (case_shape_of(session->setup.items[i].sql).begins_transaction) {
            return true;
        }
    }
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

static bool lock_reads(struct case_memory *memory, struct case_session *session, struct text *diff) {
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
        case_append_statement_diff(diff, '-', &session->instructions[i]);
        case_append_statement_diff(diff, '+', &made[i]);
        case_append_diff(diff, ' ', "...", "");
        found = true;
    }
    session->instructions = made;
    return found;
}

static bool change_session(struct case_memory *memory, enum case_variant variant, struct case_session *session,
                           struct text *diff) {
    if (variant == CASE_GUARDS_UPDATE) {
        return case_place_guard(memory, session, diff);
    }
    bool wraps = !has_transaction(session);
    if (wraps) {
        case_append_diff(diff, '+', "BEGIN", ";");
    }
    bool locks = variant == CASE_LOCKS_READS && lock_reads(memory, session, diff);
    if (wraps) {
        wrap(memory, session);
        case_append_diff(diff, ' ', locks ? "" : "...", "");
        case_append_diff(diff, '+', "COMMIT", ";");
    }
    return variant == CASE_LOCKS_READS ? locks : wraps;
}

// Sessions that are like another one have its change as well.
static void append_diffs(const struct sql_case *made, struct text *diffs, struct text *out) {
    for (size_t i = 0; i < made->session_count; i++) {
        for (size_t j = i; j < made->session_count && diffs[i].length > 0; j++) {
            if (j > i && slice_equals(text_slice(&diffs[j]), text_slice(&diffs[i]))) {
                text_append_format(out, ", %s", made->sessions[j].name);
                text_clear(&diffs[j]);
            } else if (j == i) {
                text_append_format(out, "@@ session %s", made->sessions[i].name);
            }
        }
        if (diffs[i].length > 0) {
            text_append_string(out, " @@\n");
            text_append_slice(out, text_slice(&diffs[i]));
        }
    }
}

bool case_make_variant(struct case_list *list, const struct sql_case *from, enum case_variant variant,
                       struct sql_case *made, struct text *diff) {
    *made = *from;
    made->sessions = case_allocate(list->memory, (from->session_count + 1) * sizeof *made->sessions);
    struct text diffs[CASE_SESSIONS_MAX] = {0};
    bool changed = false;
    for (size_t i = 0; i < from->session_count; i++) {
        made->sessions[i] = from->sessions[i];
        changed |= change_session(list->memory, variant, &made->sessions[i], &diffs[i]);
    }
    append_diffs(made, diffs, diff);
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        text_free(&diffs[i]);
    }
    return changed;
}
