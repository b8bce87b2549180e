// The part of a case that is left out of an exploration: whole sessions, and statements with the instructions that only
// they need.
//
// A statement stays if a later instruction that stays reads a variable that the statement may set. A branch whose
// statements are all left out is left out itself, and so is a \set of a variable that nobody reads any more.
#include "workers/case/case_names.h"
#include "workers/case/case_reader.h"

enum { BITS = 64 };

bool case_is_left_out(const struct case_left_out *left_out, size_t session, size_t instruction) {
    return session < CASE_SESSIONS_MAX && instruction / BITS < CASE_LEFT_OUT_WORDS &&
           (left_out->bits[session][instruction / BITS] >> instruction % BITS & 1) != 0;
}

void case_leave_out(struct case_left_out *left_out, size_t session, size_t instruction) {
    if (session < CASE_SESSIONS_MAX && instruction / BITS < CASE_LEFT_OUT_WORDS) {
        left_out->bits[session][instruction / BITS] |= (uint64_t)1 << instruction % BITS;
    }
}

static void put_back(struct case_left_out *left_out, size_t session, size_t instruction) {
    if (case_is_left_out(left_out, session, instruction)) {
        left_out->bits[session][instruction / BITS] &= ~((uint64_t)1 << instruction % BITS);
    }
}

bool case_leaves_out_session(const struct sql_case *explored, const struct case_left_out *left_out, size_t session) {
    bool has_statement = false;
    for (size_t i = 0; i < explored->sessions[session].count; i++) {
        bool is_statement = explored->sessions[session].instructions[i].operation == CASE_STATEMENT;
        has_statement |= is_statement;
        if (is_statement && !case_is_left_out(left_out, session, i)) {
            return false;
        }
    }
    return has_statement;
}

bool case_leaves_out_any(const struct case_left_out *left_out) {
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        for (size_t j = 0; j < CASE_LEFT_OUT_WORDS; j++) {
            if (left_out->bits[i][j] != 0) {
                return true;
            }
        }
    }
    return false;
}

// --- The needs of the rest ---

// The end of the \if whose branch a condition begins: behind its \endif.
static size_t end_of_branches(const struct case_session *session, size_t condition) {
    size_t target = session->instructions[condition].target;
    size_t last = MIN(target, session->count);
    bool has_skip = last > condition + 1 && session->instructions[last - 1].operation == CASE_SKIP;
    return has_skip ? session->instructions[last - 1].target : target;
}

static bool has_work_between(const struct case_session *session, const struct case_left_out *left_out, size_t number,
                             size_t from, size_t to) {
    for (size_t i = from; i < MIN(to, session->count); i++) {
        enum case_operation operation = session->instructions[i].operation;
        if (operation != CASE_SKIP && operation != CASE_SKIP_UNLESS && !case_is_left_out(left_out, number, i)) {
            return true;
        }
    }
    return false;
}

static void add_reads(struct case_memory *memory, struct case_names *reads, const struct case_template *text) {
    for (size_t i = 0; i < text->count; i++) {
        if (text->pieces[i].kind != CASE_PIECE_TEXT) {
            case_names_add(memory, reads, text->pieces[i].text, false);
        }
    }
}

// True if the statement may set a variable that is read. ROW_COUNT and the others of psql's own are set by each.
static bool sets_one_of(struct case_memory *memory, const struct case_instruction *statement,
                        const struct case_names *reads) {
    struct case_names sets = {0};
    if (statement->gset_prefix != NULL) {
        case_names_add_columns(memory, &sets, slice_of(statement->source), statement->gset_prefix);
    }
    case_names_add(memory, &sets, "ROW_COUNT", false);
    case_names_add(memory, &sets, "ERROR", false);
    case_names_add(memory, &sets, "SQLSTATE", false);
    for (size_t i = 0; i < reads->count; i++) {
        if (case_names_have(&sets, reads->items[i].name)) {
            return true;
        }
    }
    return false;
}

// From the last instruction to the first: what is read behind an instruction is known when it is looked at.
static void settle_session(struct case_memory *memory, const struct sql_case *explored, struct case_left_out *left_out,
                           size_t number) {
    const struct case_session *session = &explored->sessions[number];
    bool is_whole = case_leaves_out_session(explored, left_out, number);
    struct case_names reads = {0};
    for (size_t i = session->count; i-- > 0;) {
        const struct case_instruction *instruction = &session->instructions[i];
        bool is_needed = true;
        switch (instruction->operation) {
        case CASE_STATEMENT:
            is_needed = !case_is_left_out(left_out, number, i) || sets_one_of(memory, instruction, &reads);
            break;
        case CASE_SET:
        case CASE_CALCULATE: is_needed = case_names_have(&reads, instruction->name); break;
        case CASE_SKIP_UNLESS:
            is_needed = has_work_between(session, left_out, number, i + 1, end_of_branches(session, i));
            break;
        case CASE_SKIP: break; // behind a branch that is left out it leads to its \endif
        }
        if (is_needed && !is_whole) {
            put_back(left_out, number, i);
            add_reads(memory, &reads, &instruction->text);
        } else {
            case_leave_out(left_out, number, i);
        }
    }
}

void case_settle_left_out(const struct sql_case *explored, struct case_left_out *left_out) {
    for (size_t i = 0; i < MIN(explored->session_count, (size_t)CASE_SESSIONS_MAX); i++) {
        struct case_memory *memory = case_memory_new();
        bool has_any = false;
        for (size_t j = 0; j < explored->sessions[i].count; j++) {
            has_any |= explored->sessions[i].instructions[j].operation == CASE_STATEMENT &&
                       case_is_left_out(left_out, i, j);
        }
        if (has_any) {
            settle_session(memory, explored, left_out, i);
        }
        case_memory_free(memory);
    }
}

// --- Names ---

static bool leave_out_named(const struct sql_case *explored, struct slice name, struct case_left_out *left_out) {
    for (size_t i = 0; i < explored->session_count; i++) {
        const struct case_session *session = &explored->sessions[i];
        bool is_session = slice_equals(name, slice_of(session->name));
        bool found = false;
        for (size_t j = 0; j < session->count; j++) {
            const struct case_instruction *instruction = &session->instructions[j];
            if (instruction->operation == CASE_STATEMENT &&
                (is_session || slice_equals(name, slice_of(instruction->name)))) {
                case_leave_out(left_out, i, j);
                found = true;
            }
        }
        if (found) {
            return true;
        }
    }
    return false;
}

// The first statement that was to be left out and must stay.
static const struct case_instruction *first_put_back(const struct sql_case *explored,
                                                     const struct case_left_out *wanted,
                                                     const struct case_left_out *settled) {
    for (size_t i = 0; i < explored->session_count; i++) {
        for (size_t j = 0; j < explored->sessions[i].count; j++) {
            if (explored->sessions[i].instructions[j].operation == CASE_STATEMENT && case_is_left_out(wanted, i, j) &&
                !case_is_left_out(settled, i, j)) {
                return &explored->sessions[i].instructions[j];
            }
        }
    }
    return NULL;
}

bool case_read_left_out(const struct sql_case *explored, const char *names, struct case_left_out *left_out,
                        struct text *problem) {
    *left_out = (struct case_left_out){0};
    for (const char *at = names; *at != '\0';) {
        size_t length = strcspn(at, " \t,");
        if (length > 0 && !leave_out_named(explored, (struct slice){at, length}, left_out)) {
            text_append_format(problem, "%s: \"%.*s\" is to be left out, but it is no step and no session",
                               explored->file, (int)length, at);
            return false;
        }
        at += length + (at[length] == '\0' ? 0 : 1);
    }
    struct case_left_out wanted = *left_out;
    case_settle_left_out(explored, left_out);
    const struct case_instruction *needed = first_put_back(explored, &wanted, left_out);
    if (needed != NULL) {
        text_append_format(problem, "%s:%d: %s cannot be left out, because a later step reads a variable that it sets",
                           explored->file, needed->line, needed->name);
        return false;
    }
    return true;
}

void case_append_left_out(const struct sql_case *explored, const struct case_left_out *left_out, const char *separator,
                          struct text *out) {
    size_t begun = out->length;
    for (size_t i = 0; i < explored->session_count; i++) {
        const struct case_session *session = &explored->sessions[i];
        bool is_whole = case_leaves_out_session(explored, left_out, i);
        for (size_t j = 0; j < session->count; j++) {
            if (session->instructions[j].operation == CASE_STATEMENT && case_is_left_out(left_out, i, j)) {
                text_append_string(out, out->length == begun ? "" : separator);
                text_append_string(out, is_whole ? session->name : session->instructions[j].name);
                j = is_whole ? session->count : j;
            }
        }
    }
}

bool case_has_named_left_out(const struct sql_case *explored, const struct case_left_out *left_out) {
    struct text names = {0};
    struct text problem = {0};
    struct case_left_out read;
    case_append_left_out(explored, left_out, ",", &names);
    bool good = case_read_left_out(explored, text_terminated(&names), &read, &problem) &&
                memcmp(&read, left_out, sizeof read) == 0;
    text_free(&names);
    text_free(&problem);
    return good;
}

// --- Candidates ---

// The number of branches that an instruction stands in.
static size_t depth_of(const struct case_session *session, size_t instruction) {
    size_t depth = 0;
    for (size_t i = 0; i < instruction; i++) {
        enum case_operation operation = session->instructions[i].operation;
        depth += (operation == CASE_SKIP || operation == CASE_SKIP_UNLESS) &&
                 session->instructions[i].target > instruction;
    }
    return depth;
}

// A lock that does not help is what the reader of a story wants to see.
bool case_may_leave_out(const struct case_session *session, size_t instruction) {
    const struct case_instruction *asked = &session->instructions[instruction];
    if (asked->operation != CASE_STATEMENT) {
        return false;
    }
    struct case_statement_shape shape = case_shape_of(asked->source);
    return !shape.begins_transaction && !shape.ends_transaction && !shape.names_level && !shape.takes_lock;
}

size_t case_transaction_end(const struct case_session *session, size_t begin) {
    const struct case_instruction *instructions = session->instructions;
    if (instructions[begin].operation != CASE_STATEMENT ||
        !case_shape_of(instructions[begin].source).begins_transaction ||
        case_shape_of(instructions[begin].source).ends_transaction) {
        return 0;
    }
    for (size_t i = begin + 1; i < session->count; i++) {
        struct case_statement_shape shape = {0};
        if (instructions[i].operation == CASE_STATEMENT) {
            shape = case_shape_of(instructions[i].source);
        }
        if (shape.ends_transaction || shape.begins_transaction) {
            bool is_pair = shape.ends_transaction && !shape.begins_transaction &&
                           depth_of(session, begin) == depth_of(session, i);
            return is_pair ? i : 0;
        }
    }
    return 0;
}
