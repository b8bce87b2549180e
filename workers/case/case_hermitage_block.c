// Reads a block of SQL whose comments name the sessions:
//
//     begin; set transaction isolation level read committed; -- T1
//     update test set value = 12 where id = 1; -- T2, BLOCKS
//     select * from test; -- either. Shows 1 => 12, 2 => 22
//
// A step ends at the comment that names its session, so it may have several lines. The order of the block is the first
// order of the case. The level is taken out of the statements if all transactions have the same one, so that the
// explorer can run the case at every level.
//
// "abort; -- T1. There's nothing else we can do, this transaction has failed": a person typed this when the server had
// refused the transaction in this order. The program commits, and the server decides, so the step is a COMMIT.
//
// A query at the end of a session, behind its COMMIT, or a query of "either" session looks at the result. It is no
// step: it is not part of a transaction, and the explorer compares the final state of the tables itself.
#include "workers/case/case_hermitage_block.h"
#include "workers/case/case_hermitage_level.h"
#include "workers/case/case_tokens.h"

// A step of the block as it is written.
struct page_step {
    struct slice session; // "either", in any case of letters, for a look at the result
    struct slice sql;
    int line;
    bool says_failed; // its comment says that the server has refused the transaction
};

struct block_reader {
    struct case_reader *reader;
    struct sql_case *made;
    struct page_step *steps;
    size_t count;
    // The level, from all steps.
    enum case_level level;
    size_t levels;         // so many statements name it
    size_t transactions;   // so many statements begin a transaction
    bool has_other_levels; // a level is set in another way, or there are two levels
};

static bool is_letter(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

static bool is_either(struct slice name) {
    return slice_equals_ignoring_case(name, SLICE_LITERAL("either"));
}

// The session that a comment names: letters and digits, "T1", or the word "either". False: it names none.
static bool find_session(struct slice comment, struct slice *name) {
    size_t at = 0;
    while (at < comment.length && (comment.data[at] == '-' || case_is_blank(comment.data[at]))) {
        at++;
    }
    size_t start = at;
    while (at < comment.length && is_letter(comment.data[at])) {
        at++;
    }
    size_t digits = at;
    while (at < comment.length && comment.data[at] >= '0' && comment.data[at] <= '9') {
        at++;
    }
    *name = (struct slice){comment.data + start, at - start};
    bool ends = at == comment.length || !case_is_name_letter(comment.data[at]);
    return ends && ((digits > start && at > digits) || is_either(*name)) && name->length <= CASE_NAME_BYTES_MAX;
}

static bool is_line_comment(const struct case_token *token) {
    return token->kind == CASE_TOKEN_COMMENT && token->text.data[0] == '-';
}

bool hermitage_has_sessions(struct hermitage_block block) {
    struct case_scanner scanner = {.rest = block.sql, .line = block.line};
    struct case_token token;
    struct slice name;
    while ((token = case_scan(&scanner)).kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN) {
        if (is_line_comment(&token) && find_session(token.text, &name) && !is_either(name)) {
            return true;
        }
    }
    return false;
}

static bool complain_about_session(struct block_reader *block, int line) {
    return case_complain(block->reader, line,
                         "no comment names the session of this statement: -- T1 is expected at "
                         "the end of the line");
}

// --- Steps ---

// The state of the scan: the open step, and whether its last token so far was a semicolon.
struct open_step {
    struct slice sql; // no length: none is open
    int line;
    int last_line;
    bool is_complete;
};

static bool says_failed(struct slice comment) {
    static const struct slice words = SLICE_INITIALIZER("has failed");
    return memmem(comment.data, comment.length, words.data, words.length) != NULL;
}

static bool take_comment(struct block_reader *block, const struct case_token *token, struct open_step *open) {
    struct slice name;
    if (!is_line_comment(token)) {
        return true;
    }
    if (!find_session(token->text, &name)) {
        bool stands_behind = open->sql.length > 0 && open->is_complete && open->last_line == token->line;
        return !stands_behind || complain_about_session(block, token->line);
    }
    if (open->sql.length == 0) {
        return true; // a remark on a line of its own
    }
    struct page_step *step = case_append(block->reader->list->memory, &block->steps, &block->count, sizeof *step);
    *step = (struct page_step){
        .session = name, .sql = open->sql, .line = open->line, .says_failed = says_failed(token->text)};
    *open = (struct open_step){0};
    return true;
}

static bool take_code(struct block_reader *block, const struct case_token *token, struct open_step *open) {
    if (token->kind == CASE_TOKEN_OPEN) {
        return case_complain(block->reader, token->line, "%s begins here and does not end", token->open);
    }
    if (open->sql.length == 0) {
        *open = (struct open_step){.sql = token->text, .line = token->line};
    } else if (open->is_complete && token->line > open->last_line) {
        return complain_about_session(block, open->last_line);
    }
    open->sql.length = (size_t)(token->text.data + token->text.length - open->sql.data);
    open->is_complete = case_token_is_symbol(token, ';');
    open->last_line = token->line;
    return true;
}

static bool read_steps(struct block_reader *block, struct hermitage_block source) {
    struct case_scanner scanner = {.rest = source.sql, .line = source.line};
    struct open_step open = {0};
    struct case_token token;
    while ((token = case_scan(&scanner)).kind != CASE_TOKEN_END) {
        if (token.kind == CASE_TOKEN_COMMENT ? !take_comment(block, &token, &open)
                                             : token.kind != CASE_TOKEN_BLANK && !take_code(block, &token, &open)) {
            return false;
        }
    }
    return open.sql.length == 0 || complain_about_session(block, open.last_line);
}

// --- Levels ---

static void look_for_levels(struct block_reader *block, const struct page_step *step) {
    struct case_memory *memory = block->reader->list->memory;
    struct slice rest = step->sql;
    struct case_sql_statement statement;
    int line = step->line;
    while (case_next_statement(&rest, &line, &statement, NULL)) {
        struct text kept = {0};
        enum case_level level;
        const char *sql = case_copy(memory, statement.text);
        enum hermitage_level found = hermitage_take_level(sql, &level, &kept);
        text_free(&kept);
        block->transactions += case_shape_of(sql).begins_transaction;
        if (found == HERMITAGE_LEVEL) {
            block->has_other_levels = block->has_other_levels || (block->levels > 0 && level != block->level);
            block->level = level;
            block->levels++;
        } else if (found == HERMITAGE_OTHER_LEVEL) {
            block->has_other_levels = true;
        }
    }
}

static void decide_level(struct block_reader *block) {
    for (size_t i = 0; i < block->count; i++) {
        look_for_levels(block, &block->steps[i]);
    }
    struct sql_case *made = block->made;
    made->names_levels = block->has_other_levels || (block->levels > 0 && block->levels != block->transactions);
    made->has_level = block->levels > 0 && !made->names_levels;
    made->level = made->has_level ? block->level : CASE_READ_COMMITTED;
}

// --- Sessions ---

// ABORT or ROLLBACK, alone.
static bool gives_up(struct slice statement) {
    struct case_scanner scanner = {.rest = statement, .line = 1};
    struct case_token first = case_scan_code(&scanner);
    struct case_token second = case_scan_code(&scanner);
    return (case_token_is(&first, "abort") || case_token_is(&first, "rollback")) && second.kind == CASE_TOKEN_END;
}

// The text of a step as it is run. Returns the number of its statements: 0 for a line that only sets the level.
static size_t make_sql(struct block_reader *block, const struct page_step *step, struct text *sql) {
    struct case_memory *memory = block->reader->list->memory;
    struct slice rest = step->sql;
    struct case_sql_statement statement;
    int line = step->line;
    size_t count = 0;
    while (case_next_statement(&rest, &line, &statement, NULL)) {
        struct text kept = {0};
        enum case_level level;
        enum hermitage_level found = hermitage_take_level(case_copy(memory, statement.text), &level, &kept);
        if (found == HERMITAGE_LEVEL && !block->made->has_level) {
            text_clear(&kept);
            text_append_slice(&kept, statement.text);
        }
        if (step->says_failed && gives_up(statement.text)) {
            text_clear(&kept);
            text_append_string(&kept, "commit");
        }
        if (kept.length > 0) {
            text_append_string(sql, count++ > 0 ? "; " : "");
            text_append_slice(sql, text_slice(&kept));
        }
        text_free(&kept);
    }
    return count;
}

static struct case_session *session_of(struct block_reader *block, const struct page_step *step) {
    struct sql_case *made = block->made;
    for (size_t i = 0; i < made->session_count; i++) {
        if (slice_equals(slice_of(made->sessions[i].name), step->session)) {
            return &made->sessions[i];
        }
    }
    if (made->session_count == CASE_SESSIONS_MAX) {
        return NULL;
    }
    struct case_memory *memory = block->reader->list->memory;
    struct case_session *session = case_append(memory, &made->sessions, &made->session_count, sizeof *session);
    *session = (struct case_session){.name = case_copy(memory, step->session), .line = step->line};
    return session;
}

static bool add_step(struct block_reader *block, const struct page_step *step, const char *sql, bool is_block) {
    struct case_memory *memory = block->reader->list->memory;
    struct case_session *session = session_of(block, step);
    if (session == NULL) {
        return case_complain(block->reader, step->line, "there are more than %d sessions", CASE_SESSIONS_MAX);
    }
    if (session->count == CASE_INSTRUCTIONS_MAX) {
        return case_complain(block->reader, step->line, "the session %s has more than %d statements", session->name,
                             CASE_INSTRUCTIONS_MAX);
    }
    struct case_order *order = &block->made->orders[0];
    struct case_order_step *place = case_append(memory, &order->steps, &order->count, sizeof *place);
    *place = (struct case_order_step){.session = (size_t)(session - block->made->sessions),
                                      .instruction = session->count};
    struct case_piece *piece = case_allocate(memory, sizeof *piece);
    *piece = (struct case_piece){.kind = CASE_PIECE_TEXT, .text = sql};
    struct case_instruction *instruction = case_append(memory, &session->instructions, &session->count,
                                                       sizeof *instruction);
    *instruction = (struct case_instruction){.operation = CASE_STATEMENT,
                                             .line = step->line,
                                             .name = case_format(memory, "%s.%zu", session->name, session->count),
                                             .text = {piece, 1},
                                             .source = sql,
                                             .is_block = is_block};
    return true;
}

// Drops the queries at the end of a session that stand behind the end of its last transaction.
static void drop_looks(struct sql_case *made, size_t index) {
    struct case_session *session = &made->sessions[index];
    size_t count = session->count;
    while (count > 0 && case_shape_of(session->instructions[count - 1].source).is_read_only) {
        count--;
    }
    if (count == 0 || !case_shape_of(session->instructions[count - 1].source).ends_transaction) {
        return;
    }
    session->count = count;
    struct case_order *order = &made->orders[0];
    size_t kept = 0;
    for (size_t i = 0; i < order->count; i++) {
        if (order->steps[i].session != index || order->steps[i].instruction < count) {
            order->steps[kept++] = order->steps[i];
        }
    }
    order->count = kept;
}

static bool add_steps(struct block_reader *block) {
    bool good = true;
    for (size_t i = 0; i < block->count && good; i++) {
        struct text sql = {0};
        const struct page_step *step = &block->steps[i];
        size_t count = is_either(step->session) ? 0 : make_sql(block, step, &sql);
        if (count > 0) {
            good = add_step(block, step, case_copy(block->reader->list->memory, text_slice(&sql)), count > 1);
        }
        text_free(&sql);
    }
    for (size_t i = 0; i < block->made->session_count; i++) {
        drop_looks(block->made, i);
    }
    return good;
}

bool hermitage_read_block(struct case_reader *reader, struct hermitage_block source, struct sql_case *made) {
    struct block_reader block = {.reader = reader, .made = made};
    struct case_order *order = case_append(reader->list->memory, &made->orders, &made->order_count, sizeof *order);
    order->line = source.line;
    if (!read_steps(&block, source)) {
        return false;
    }
    decide_level(&block);
    return add_steps(&block) &&
           (made->session_count > 0 || case_complain(reader, source.line, "the block has no statement of a session"));
}
