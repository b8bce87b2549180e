// The program of a session: the instructions between its statements, the statement that it sends, and what an answer
// means for it.
#include "workers/explore/explore_internal.h"

static const struct case_session *program_of(const struct cell_session *session) {
    return &session->cell->explored->sessions[session->index];
}

static bool is_left_out(const struct cell_session *session) {
    const struct reference *reference = session->cell->reference;
    const bool *left_out = reference == NULL ? NULL : reference->left_out[session->index];
    return left_out != NULL && left_out[session->at];
}

static bool render(const struct cell_session *session, const struct case_instruction *instruction, struct text *out,
                   struct text *problem) {
    bool good = case_render(&instruction->text, &session->variables, out, problem);
    if (!good && session->missed_gset != NULL) {
        text_append_format(problem, " (the \\gset in line %d had %d rows, not one)", session->missed_gset->line,
                           session->missed_rows);
    }
    return good;
}

static bool set_variable(struct cell_session *session, const struct case_instruction *instruction,
                         struct text *problem) {
    struct text value = {0};
    struct text result = {0};
    bool good = render(session, instruction, &value, problem);
    if (good && instruction->operation == CASE_CALCULATE) {
        good = case_calculate(text_terminated(&value), &result, problem);
    } else if (good) {
        text_append_slice(&result, text_slice(&value));
    }
    if (good) {
        case_variables_set(&session->variables, instruction->name, text_terminated(&result));
    }
    text_free(&value);
    text_free(&result);
    return good;
}

static bool choose_branch(struct cell_session *session, const struct case_instruction *instruction,
                          struct text *problem) {
    struct text condition = {0};
    struct text number = {0};
    struct text ignored = {0};
    bool is_true = false;
    bool good = render(session, instruction, &condition, problem);
    if (good && !case_parse_boolean(text_terminated(&condition), &is_true)) {
        // pgbench's conditions are expressions
        good = case_calculate(text_terminated(&condition), &number, &ignored) &&
               (slice_equals(text_slice(&number), slice_of("0")) || number.length > 0);
        is_true = good && !slice_equals(text_slice(&number), slice_of("0"));
        if (!good) {
            text_append_format(problem, "\\if needs true or false, not \"%s\"", text_terminated(&condition));
        }
    }
    session->at = is_true ? session->at + 1 : instruction->target;
    text_free(&condition);
    text_free(&number);
    text_free(&ignored);
    return good;
}

// A session of a .spec stays connected. A program that has ended cannot end its transaction, so the file has a mistake.
static enum program_state end_program(struct cell_session *session) {
    const struct sql_case *explored = session->cell->explored;
    const struct case_session *program = program_of(session);
    bool is_open = db_async_transaction(session->connection) != DB_ASYNC_NO_TRANSACTION;
    if (is_open && explored->stops_at_error) {
        cell_fail(session->cell, program->instructions[program->count - 1].line, program->name,
                  "the session ends inside a transaction: end it with COMMIT or ROLLBACK");
        return PROGRAM_FAILED;
    }
    session->activity = SESSION_ENDED;
    return PROGRAM_ENDED;
}

enum program_state program_advance(struct cell_session *session) {
    const struct case_session *program = program_of(session);
    while (!session->owes_commit && session->at < program->count) {
        const struct case_instruction *instruction = &program->instructions[session->at];
        struct text problem = {0};
        bool good = true;
        if (case_is_left_out(&session->cell->explorer->left_out, session->index, session->at)) {
            session->at++;
        } else if (instruction->operation == CASE_STATEMENT) {
            if (!is_left_out(session)) {
                return PROGRAM_CONTINUES;
            }
            session->at = session->cell->explored->stops_at_error ? program->count : session->at + 1;
        } else if (instruction->operation == CASE_SKIP) {
            session->at = instruction->target;
        } else if (instruction->operation == CASE_SKIP_UNLESS) {
            good = choose_branch(session, instruction, &problem);
        } else {
            good = set_variable(session, instruction, &problem);
            session->at++;
        }
        if (!good) {
            cell_fail(session->cell, instruction->line, program->name, text_terminated(&problem));
            text_free(&problem);
            return PROGRAM_FAILED;
        }
    }
    return session->owes_commit ? PROGRAM_CONTINUES : end_program(session);
}

static const struct case_statement_shape *shape_of(const struct cell_session *session) {
    return &session->cell->shapes[session->index][session->at];
}

static enum pinned *pinned_of(const struct cell_session *session) {
    return &session->cell->explorer->pinned[session->index][session->at];
}

// True if the statement is a transaction of its own, and other transactions could act inside it.
static bool is_lone_write(const struct cell_session *session) {
    const struct cell *cell = session->cell;
    const struct case_instruction *instruction = &program_of(session)->instructions[session->at];
    const struct case_statement_shape *shape = shape_of(session);
    return !session->in_transaction && !session->owes_commit && !instruction->is_block &&
           !cell->explorer->settings.whole_statements && !cell->changes_schema && !shape->is_indivisible &&
           !shape->ends_transaction && !shape->is_read_only;
}

// A COMMIT checks what is deferred, and then commits. Another transaction can act in between, so the check is a step.
static bool owes_check(const struct cell_session *session) {
    const struct cell *cell = session->cell;
    const struct case_instruction *instruction = &program_of(session)->instructions[session->at];
    bool ends = shape_of(session)->commits && db_async_transaction(session->connection) == DB_ASYNC_IN_TRANSACTION;
    return cell->has_deferrable && !session->has_checked && !instruction->is_block &&
           (cell->reference == NULL || cell->measures) && (session->owes_commit || ends);
}

struct step_place program_place(const struct cell_session *session) {
    bool is_known = session->at < program_of(session)->count &&
                    program_of(session)->instructions[session->at].operation == CASE_STATEMENT;
    bool is_check = is_known && owes_check(session);
    return (struct step_place){session->index, session->owes_commit && !is_check, is_check, (uint16_t)session->at};
}

// Another transaction can act between what a statement reads and its COMMIT, so the COMMIT is a step of its own. A
// plain INSERT of values reads nothing. An UPDATE or DELETE of rows that a unique key names reads only what it locks.
bool program_splits(const struct explorer *explorer, uint8_t session, uint16_t instruction) {
    const struct cell *cell = explorer->cells[0];
    const struct case_statement_shape *shape = &cell->shapes[session][instruction];
    bool reads_only_what_it_locks = shape->is_simple_insert ||
                                    (shape->is_single_table && explorer->pinned[session][instruction] == PINNED);
    bool is_call_that_ends = cell->ends_inside && shape->changes_schema;
    return !explorer->settings.whole_statements && !shape->is_read_only && !shape->is_indivisible &&
           !is_call_that_ends && !cell->explored->sessions[session].instructions[instruction].is_block &&
           (cell->has_hidden_code || cell->has_deferrable || !reads_only_what_it_locks);
}

static bool must_split(const struct cell_session *session) {
    const struct cell *cell = session->cell;
    const struct case_statement_shape *shape = shape_of(session);
    bool is_lone = !session->in_transaction && !session->owes_commit && !shape->begins_transaction &&
                   !shape->ends_transaction;
    if (cell->measures) { // a footprint is taken inside a transaction
        return is_lone && !cell->changes_schema && !shape->is_indivisible;
    }
    return is_lone && cell->reference == NULL && program_splits(cell->explorer, session->index, (uint16_t)session->at);
}

// The serial orders run before the others, so they ask for the plans.
bool program_needs_plan(const struct cell_session *session) {
    const struct cell *cell = session->cell;
    bool is_serial = cell->reference != NULL && !cell->measures && !cell->job.compares;
    bool may_ask = is_serial || cell->position != NULL;
    return may_ask && is_lone_write(session) && shape_of(session)->is_single_table && *pinned_of(session) != NOT_PINNED;
}

void program_ask_plan(struct cell_session *session, db_async_done *done) {
    struct text sql = {0};
    struct text ignored = {0};
    text_append_string(&sql, sql_explore[EXPLORE_EXPLAIN]);
    const struct case_instruction *instruction = &program_of(session)->instructions[session->at];
    if (!render(session, instruction, &sql, &ignored)) {
        text_clear(&ignored); // program_send() complains of it
    }
    db_async_query(session->cell->control, text_terminated(&sql), done, session);
    text_free(&sql);
    text_free(&ignored);
}

// Number of columns that an "Index Cond: ((a = 1) AND (b = 2))" compares by "=", outside of quotes.
static int equalities(const char *condition) {
    int count = 0;
    bool in_quotes = false;
    for (const char *at = condition; *at != '\0'; at++) {
        in_quotes ^= *at == '\'';
        count += !in_quotes && strncmp(at, " = ", 3) == 0 && strncmp(at, " = ANY", 6) != 0;
    }
    return count;
}

static bool is_whole_key(const struct cell *cell, const char *line, const char *condition) {
    const char *name = strstr(line, " using ");
    for (size_t i = 0; i < cell->key_count && name != NULL; i++) {
        size_t length = strlen(cell->keys[i].index);
        if (strncmp(name + strlen(" using "), cell->keys[i].index, length) == 0 &&
            strncmp(name + strlen(" using ") + length, " on ", 4) == 0) {
            return equalities(condition) == cell->keys[i].columns;
        }
    }
    return false;
}

// The plan of an UPDATE by a key has one node below the first one: an index scan whose condition compares each column
// of a unique index with a value.
//     Update on accounts
//       ->  Index Scan using accounts_pkey on accounts
//             Index Cond: (id = 'alice'::text)
void program_take_plan(struct cell_session *session) {
    const struct db_async_answer *answer = db_async_last_answer(session->cell->control);
    int rows = answer == NULL ? 0 : db_async_rows(answer);
    int nodes = 0;
    bool is_pinned = false;
    for (int row = 0; row < rows; row++) {
        const char *line = db_async_value(answer, row, 0);
        nodes += strstr(line, "->") != NULL || strstr(line, "Plan") != NULL;
        is_pinned |= strstr(line, "One-Time Filter: false") != NULL; // it reads nothing
        if (strstr(line, "->  Index Scan using ") != NULL && row + 1 < rows) {
            const char *condition = strstr(db_async_value(answer, row + 1, 0), "Index Cond: ");
            is_pinned = condition != NULL && is_whole_key(session->cell, line, condition);
        }
    }
    enum pinned pinned = is_pinned && nodes == 1 ? PINNED : NOT_PINNED;
    session->cell->explorer->plans_learned += *pinned_of(session) == pinned ? 0 : 1;
    *pinned_of(session) = pinned;
}

static void send_text(struct cell_session *session, const char *sql, db_async_done *done) {
    const struct case_instruction *instruction = &program_of(session)->instructions[session->at];
    const char *begin = begin_before(session);
    const char *both[] = {begin, sql};
    bool has_parameters = instruction->parameters != NULL; // a simple query cannot have them
    if (instruction->is_block || (session->cell->changes_schema && !has_parameters)) {
        struct text begun = {0};
        if (begin != NULL) {
            text_append_format(&begun, "%s;\n", begin);
        }
        text_append_string(&begun, sql);
        db_async_query(session->connection, text_terminated(&begun), done, session);
        text_free(&begun);
    } else if (has_parameters) {
        db_async_execute_behind(session->connection, begin, sql, instruction->parameters, instruction->parameter_count,
                                done, session);
    } else {
        db_async_execute(session->connection, begin != NULL ? both : both + 1, begin != NULL ? 2 : 1, done, session);
    }
}

bool program_render(const struct cell_session *session, struct text *out, struct text *problem) {
    if (session->owes_commit) {
        text_append_string(out, sql_explore[EXPLORE_COMMIT]);
        return true;
    }
    return render(session, &program_of(session)->instructions[session->at], out, problem);
}

bool program_send(struct cell_session *session, db_async_done *done) {
    const struct case_instruction *instruction = &program_of(session)->instructions[session->at];
    session->checks = owes_check(session);
    if (session->checks) {
        session->is_split &= session->owes_commit;
        const char *check = sql_explore[EXPLORE_CHECK];
        session->cell->run->steps[session->launched].sql = check;
        db_async_execute(session->connection, &check, 1, done, session);
        return true;
    }
    if (session->owes_commit) {
        const char *commit = sql_explore[EXPLORE_COMMIT];
        session->cell->run->steps[session->launched].sql = commit;
        db_async_execute(session->connection, &commit, 1, done, session);
        return true;
    }
    struct text sql = {0};
    struct text problem = {0};
    if (!render(session, instruction, &sql, &problem)) {
        cell_fail(session->cell, instruction->line, program_of(session)->name, text_terminated(&problem));
        text_clear(&sql); // an empty query: its answer comes back to a run that is cut
    }
    footprint_note_text(session->cell->explorer, session->index, session->at, text_terminated(&sql),
                        session->cell->measures);
    if (session->cell->measures && session->cell->explorer->mixes_levels) {
        struct text written = sql;
        sql = (struct text){0};
        levels_append_without(text_terminated(&written), &sql);
        text_free(&written);
    }
    struct explore_run *run = session->cell->run;
    run->steps[session->launched].sql = arena_copy(&run->memory, text_slice(&sql));
    session->is_split = must_split(session);
    bool is_sent = problem.length > 0 || !begin_may_wait(session);
    if (is_sent) {
        send_text(session, run->steps[session->launched].sql, done);
    } else {
        begin_wait(session);
    }
    text_free(&sql);
    text_free(&problem);
    return is_sent;
}

static void set_columns(struct cell_session *session, const struct case_instruction *instruction,
                        const struct db_async_answer *answer) {
    struct text name = {0};
    for (int column = 0; column < db_async_columns(answer); column++) {
        text_clear(&name);
        text_append_string(&name, instruction->gset_prefix);
        text_append_string(&name, db_async_column_name(answer, column));
        const char *value = db_async_value(answer, 0, column);
        value = value == NULL && instruction->null_is_empty ? "" : value;
        if (value == NULL) {
            case_variables_unset(&session->variables, text_terminated(&name));
        } else {
            case_variables_set(&session->variables, text_terminated(&name), value);
        }
    }
    text_free(&name);
}

static void drop_answers(struct explore_session_run *recorded, size_t from) {
    for (size_t i = from; i < recorded->count; i++) {
        recorded->answers[i].is_dropped = true;
    }
}

static bool is_retryable(const char *sqlstate) {
    return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

// The program repeats a session that must be repeated, so what its transactions before have read is forgotten as well,
// unless one of them has left something: then the attempt is no longer without effect.
static void forget_attempt(struct cell_session *session, const char *sqlstate) {
    const struct cell *cell = session->cell;
    if (cell->explorer->settings.unit == EXPLORE_UNIT_SESSION && is_retryable(sqlstate) &&
        !session->has_committed_write) {
        drop_answers(&cell->run->sessions[session->index], 0);
    }
}

// "UPDATE 0", "INSERT 0 0", "MERGE 0"
static bool changed_no_row(const char *tag) {
    size_t length = strlen(tag);
    return length > 2 && strcmp(tag + length - 2, " 0") == 0 && strncmp(tag, "SELECT", strlen("SELECT")) != 0;
}

// Keeps in mind whether the session has left something in the database.
static void note_writes(struct cell_session *session, size_t from) {
    const struct explore_session_run *recorded = &session->cell->run->sessions[session->index];
    const char *last = "";
    for (size_t i = from; i < recorded->count; i++) {
        last = recorded->answers[i].tag;
        session->has_written |= !shape_of(session)->writes_nothing && !changed_no_row(last);
    }
    if (db_async_transaction(session->connection) == DB_ASYNC_NO_TRANSACTION) {
        session->has_committed_write |= session->has_written && strcmp(last, "ROLLBACK") != 0;
        session->has_written = false;
    }
}

// An error undoes the open transaction, or else the statement alone.
static enum program_state take_error(struct cell_session *session, const struct db_async_answer *error) {
    const char *sqlstate = db_async_sqlstate(error);
    case_variables_fail(&session->variables, sqlstate, db_async_message(error));
    struct explore_run *run = session->cell->run;
    struct explore_session_run *recorded = &run->sessions[session->index];
    if (!recorded->is_aborted) {
        (void)strncpy(recorded->sqlstate, sqlstate, sizeof recorded->sqlstate - 1);
    }
    recorded->is_aborted = true;
    run->is_deadlocked |= strcmp(sqlstate, "40P01") == 0;
    run->has_retryable_abort |= is_retryable(sqlstate);
    (void)strncpy(run->steps[session->launched].sqlstate, sqlstate, sizeof run->steps->sqlstate - 1);
    drop_answers(recorded,
                 session->in_transaction && !session->owes_commit ? session->transaction_began : recorded->count - 1);
    session->at++;
    session->has_written = session->has_checked = false;
    if (session->cell->explored->stops_at_error) {
        forget_attempt(session, sqlstate);
        return PROGRAM_ENDED;
    }
    return session->is_split ? PROGRAM_NEEDS_ROLLBACK : PROGRAM_CONTINUES;
}

// The COMMIT of a statement, and the checks before it, have no answers of their own: an error is the statement's.
static enum program_state take_commit(struct cell_session *session) {
    struct explore_session_run *recorded = &session->cell->run->sessions[session->index];
    const struct db_async_answer *error = db_async_error(session->connection);
    enum program_state state = PROGRAM_CONTINUES;
    if (error != NULL) {
        struct explore_answer *answer = &recorded->answers[recorded->count - 1];
        (void)strncpy(answer->sqlstate, db_async_sqlstate(error), sizeof answer->sqlstate - 1);
        answer->message = arena_copy(&session->cell->run->memory, slice_of(db_async_message(error)));
        state = take_error(session, error);
    } else if (session->checks) {
        session->has_checked = true;
        return PROGRAM_CONTINUES;
    } else {
        note_writes(session, recorded->count);
        session->at++;
    }
    session->owes_commit = session->has_checked = false;
    return state;
}

enum program_state program_take_answer(struct cell_session *session) {
    struct cell *cell = session->cell;
    struct explore_session_run *recorded = &cell->run->sessions[session->index];
    struct explore_step *step = &cell->run->steps[session->launched];
    step->completed = (uint32_t)cell->run->step_count;
    if (db_async_transaction(session->connection) == DB_ASYNC_BROKEN) {
        return PROGRAM_ENDED;
    }
    const struct db_async_answer *error = db_async_error(session->connection);
    if (session->owes_commit) {
        return take_commit(session);
    }
    if (session->checks && error == NULL) {
        session->has_checked = true; // the COMMIT is the next step
        return PROGRAM_CONTINUES;
    }
    const struct case_instruction *instruction = &program_of(session)->instructions[session->at];
    if (session->begins_late) {
        record_answers(session, cell->run->steps[session->late_begin].instruction, 0, 1);
    }
    size_t first = recorded->count;
    bool has_begin = session->begins_late ||
                     (session->is_split && !session->checks && db_async_answer_count(session->connection) > 1);
    record_answers(session, session->at, has_begin ? 1 : 0, SIZE_MAX);
    session->begins_late = false;
    enum db_async_transaction now = db_async_transaction(session->connection);
    if (!session->in_transaction && now != DB_ASYNC_NO_TRANSACTION) {
        session->transaction_began = first;
    }
    if (error != NULL) {
        return take_error(session, error);
    }
    note_writes(session, first);
    session->has_checked = false;
    if (session->in_failed_transaction) {
        drop_answers(recorded, first); // the ROLLBACK that ends a transaction which the server has aborted
    }
    const struct db_async_answer *last = db_async_last_answer(session->connection);
    bool has_gset = instruction->gset_prefix != NULL;
    bool has_one_row = last != NULL && db_async_rows(last) == 1;
    if (!has_gset || has_one_row) { // psql sets nothing behind a \gset that fails
        case_variables_succeed(&session->variables, last == NULL ? "" : db_async_row_count(last));
    }
    if (has_gset && has_one_row) {
        set_columns(session, instruction, last);
    } else if (has_gset && last != NULL) {
        session->missed_gset = instruction;
        session->missed_rows = db_async_rows(last);
    }
    session->owes_commit = session->is_split;
    session->at += session->is_split ? 0 : 1;
    return PROGRAM_CONTINUES;
}
