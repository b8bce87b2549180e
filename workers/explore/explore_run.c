// Runs one order in a cell. Each function below starts something and returns; a callback continues.
//
// cell_run() > reset_begin() (explore_reset.c) > on_prepared() > next_step() > launch() ...
//   on_answer(): a session's statement is answered       } > came_to_rest() > next_step()
//   the timer > look() > on_look(): who waits for whom   }
// ... until no session has a next step: read_end() > on_end() > the caller's `done`.
#include "workers/explore/explore_internal.h"

enum {
    NEXT_LOOK_US = 200, // a look takes 70 us
    LAST_LOOK_US = 5000,
    STEP_LIMIT_MS = 30000, // a statement that neither ends nor waits for a lock
};

// The chosen victim of a deadlock looked for it before the circle was closed: no session will look again soon.
#define MISSED_DEADLOCK_NS ((uint64_t)4000 * 1000000)

static void next_step(struct cell *cell);
static void cut(struct cell *cell);

static void end_run(struct cell *cell) {
    cell_done *done = cell->done;
    cell->done = NULL;
    timer_disarm(cell);
    done(cell);
}

static void on_prepared(struct cell *cell) {
    if (cell->is_cut) {
        end_run(cell);
    } else {
        repeat_read_rows(cell, next_step);
    }
}

void cell_run(struct cell *cell, struct explore_run *run, const struct prefix *prefix,
              const struct reference *reference, enum case_level level, cell_done *done) {
    CHECK(cell->done == NULL);
    cell->run = run;
    cell->prefix = prefix;
    cell->reference = reference;
    cell->level = level;
    cell->done = done;
    cell->last = NO_SESSION;
    cell->is_cut = false;
    cell->circle = 0;
    cell->missed_deadlock = cell->rows_are_due = false;
    cell->passed = 0;
    cell->asleep = 0;
    cell->measures = cell->job.measures;
    run->victims = prefix->victims;
    for (size_t i = 0; i < cell->session_count; i++) {
        struct cell_session *session = &cell->sessions[i];
        const struct case_session *program = &cell->explored->sessions[i];
        session->at = 0;
        session->owes_commit = session->in_transaction = session->has_checked = session->checks = false;
        session->has_written = session->has_committed_write = session->begins_late = false;
        session->activity = SESSION_READY;
        session->missed_gset = NULL;
        case_variables_free(&session->variables);
        case_variables_begin(&session->variables);
        for (size_t j = 0; j < program->variable_count; j++) {
            case_variables_set(&session->variables, program->variables[j].name, program->variables[j].value);
        }
    }
    reset_begin(cell, on_prepared);
}

// --- The end ---

static void on_end(void *user) {
    struct cell *cell = user;
    const char *words = cell_error_words(cell->control);
    if (words != NULL) {
        cell_fail(cell, cell->explored->line, "the tables or the invariants cannot be read", words);
    } else if (!reset_was_enough(cell)) {
        cell_done *done = cell->done;
        cell->done = NULL;
        run_clear(cell->run);
        cell_run(cell, cell->run, cell->prefix, cell->reference, cell->level, done);
        return;
    } else if (!record_end(cell)) {
        cell->is_cut = true;
        reset_take_early(cell);
    } else if (cell->position != NULL) {
        stand_take(cell);
        cut(cell);
        return;
    } else {
        reset_take_early(cell);
    }
    end_run(cell);
}

// The tables are other ones after each order: their list is read first.
static void on_table_list(void *user) {
    struct cell *cell = user;
    struct text sql = {0};
    if (cell_error_words(cell->control) == NULL) {
        record_table_list(cell, &sql);
    }
    for (size_t i = 0; i < cell->explored->invariant_count; i++) {
        text_append_format(&sql, "%s;", cell->explored->invariants[i].sql);
    }
    if (sql.length == 0) {
        end_run(cell);
    } else {
        db_async_query(cell->control, text_terminated(&sql), on_end, cell);
    }
    text_free(&sql);
}

static void read_end(struct cell *cell) {
    cell->end_is_due = db_async_is_busy(cell->control); // with a look that nobody needs any more
    if (cell->end_is_due) {
        return;
    }
    if (cell->changes_schema) {
        db_async_query(cell->control, sql_explore[EXPLORE_TABLES], on_table_list, cell);
        return;
    }
    const char *sql[3 * CELL_TABLES_MAX + CELL_INVARIANTS_MAX + CELL_SEQUENCES_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < cell->table_count; i++) {
        sql[count++] = cell->tables[i].read;
    }
    for (size_t i = 0; i < cell->explored->invariant_count; i++) {
        sql[count++] = cell->explored->invariants[i].sql;
    }
    if (reset_asks_room(cell)) {
        sql[count++] = cell->ask_room;
    }
    count += reset_append_early(cell, sql, count);
    if (count == 0) {
        end_run(cell);
        return;
    }
    db_async_execute(cell->control, sql, count, on_end, cell);
}

static void after_roll_back(void *user) {
    struct cell *cell = user;
    if (--cell->waiting_for == 0) {
        if (cell->is_cut) {
            cell->room = MAX(0, cell->room - cell->used); // it has used no more than a whole order
            cell->dirty = cell->table_count == 64 ? UINT64_MAX : ((uint64_t)1 << cell->table_count) - 1;
            end_run(cell);
        } else {
            read_end(cell);
        }
    }
}

static void roll_back(struct cell *cell);
static void on_cut_answer(void *user);

// Ends the run before its end: cancels what runs, and rolls every session back.
static void cut(struct cell *cell) {
    timer_disarm(cell);
    cell->is_cut = true;
    for (size_t i = 0; i < cell->session_count; i++) {
        struct step_place place = program_place(&cell->sessions[i]);
        bool is_known = cell->sessions[i].activity == SESSION_READY;
        cell->run->pending[i] = (struct explore_pending){is_known, place.is_commit, place.is_check, place.instruction};
        if (db_async_is_busy(cell->sessions[i].connection)) {
            db_async_cancel(cell->sessions[i].connection);
        }
    }
    on_cut_answer(cell);
}

static void on_cut_answer(void *user) {
    struct cell *cell = user;
    if (cell->waiting_for > 0 || db_async_is_busy(cell->control)) {
        return;
    }
    for (size_t i = 0; i < cell->session_count; i++) {
        if (db_async_is_busy(cell->sessions[i].connection)) {
            return; // its callback comes back here
        }
    }
    roll_back(cell);
}

// Ends the transactions that the sessions have left open, and then the run.
static void roll_back(struct cell *cell) {
    cell->waiting_for = 1;
    for (size_t i = 0; i < cell->session_count; i++) {
        if (db_async_transaction(cell->sessions[i].connection) != DB_ASYNC_NO_TRANSACTION) {
            cell->waiting_for++;
            db_async_query(cell->sessions[i].connection, sql_explore[EXPLORE_ROLLBACK], after_roll_back, cell);
        }
    }
    after_roll_back(cell);
}

// --- A step ---

static void look(struct cell *cell);

static void plan_look(struct cell *cell, unsigned microseconds) {
    timer_arm(cell, microseconds, look);
}

static void plan_first_look(struct cell *cell, unsigned microseconds) {
    cell->armed_ns = clock_monotonic_ns();
    plan_look(cell, microseconds);
}

static void came_to_rest(struct cell *cell);

// The sessions that wait for one whose locks may be free must be looked at again.
static void wake_waiting(struct cell *cell, const struct cell_session *answered) {
    bool woke = false;
    for (size_t i = 0; i < cell->session_count; i++) {
        bool waits_for_it = (cell->blocked_by[i] & (OUTSIDE | (uint32_t)1 << answered->index)) != 0;
        if (cell->sessions[i].activity == SESSION_WAITING && waits_for_it) {
            cell->sessions[i].activity = SESSION_RUNNING;
            woke = true;
        }
    }
    if (woke) {
        plan_first_look(cell, waits_look_at_all_after_us(cell));
    }
}

static void on_own_roll_back(void *user) {
    struct cell_session *session = user;
    struct cell *cell = session->cell;
    session->activity = session->continues ? SESSION_READY : SESSION_ENDED;
    cell->changes++;
    wake_waiting(cell, session);
    if (cell->is_cut) {
        on_cut_answer(cell);
        return;
    }
    came_to_rest(cell);
}

static void go_on(struct cell_session *session, enum program_state state);

static void on_footprint(void *user) {
    struct cell_session *session = user;
    footprint_take(session);
    go_on(session, PROGRAM_CONTINUES);
}

static void on_answer(void *user) {
    struct cell_session *session = user;
    struct cell *cell = session->cell;
    if (cell->is_cut) {
        on_cut_answer(cell);
        return;
    }
    cell->changes++;
    if (waits_may_have_ended(session, session->at)) {
        wake_waiting(cell, session);
    }
    session->measured = session->at;
    bool is_measured = cell->measures && (session->checks || !session->owes_commit) &&
                       db_async_error(session->connection) == NULL;
    enum program_state state = program_take_answer(session);
    if (is_measured && state == PROGRAM_CONTINUES) {
        footprint_ask(session, on_footprint);
        return;
    }
    go_on(session, state);
}

static void go_on(struct cell_session *session, enum program_state state) {
    struct cell *cell = session->cell;
    if (state == PROGRAM_FAILED) {
        session->activity = SESSION_ENDED;
        cut(cell);
        return;
    }
    bool ends = state == PROGRAM_ENDED;
    if (ends && db_async_transaction(session->connection) == DB_ASYNC_BROKEN) {
        cell_fail(cell, cell->explored->sessions[session->index].line, "the session's connection ended",
                  cell_error_words(session->connection));
        session->activity = SESSION_ENDED;
        cut(cell);
        return;
    }
    if ((ends || state == PROGRAM_NEEDS_ROLLBACK) &&
        db_async_transaction(session->connection) != DB_ASYNC_NO_TRANSACTION) {
        // A program that ends inside a transaction closes its connection.
        session->continues = !ends;
        db_async_query(session->connection, sql_explore[EXPLORE_ROLLBACK], on_own_roll_back, session);
        return;
    }
    session->activity = ends ? SESSION_ENDED : SESSION_READY;
    came_to_rest(cell);
}

// A sleeping session wakes up when a step goes that conflicts with its own next one.
static void wake_sleepers(struct cell *cell, const struct cell_session *launched) {
    struct step_place step = program_place(launched);
    for (size_t i = 0; i < cell->session_count && cell->asleep != 0; i++) {
        const struct cell_session *sleeper = &cell->sessions[i];
        struct step_place next = program_place(sleeper);
        if ((cell->asleep >> i & 1) && steps_conflict(cell->explorer, cell->explored, cell->level, next, step)) {
            cell->asleep &= (uint16_t) ~(1U << i);
        }
    }
}

static void send_statement(struct cell_session *session) {
    struct cell *cell = session->cell;
    const struct explore_run *run = cell->run;
    unsigned microseconds = waits_look_after_us(session);
    if (!program_send(session, on_answer)) {
        session->activity = SESSION_READY;
        came_to_rest(cell);
    } else if (cell->run == run && session->activity == SESSION_RUNNING && !cell->measures) {
        plan_first_look(cell, microseconds);
    }
}

static void on_plan(void *user) {
    struct cell_session *session = user;
    program_take_plan(session);
    send_statement(session);
}

static void ask_plan(struct cell_session *session) {
    struct cell *cell = session->cell;
    cell->plan_is_due = db_async_is_busy(cell->control) ? session : NULL; // with a look that nobody needs any more
    if (cell->plan_is_due == NULL) {
        program_ask_plan(session, on_plan);
    }
}

static void launch(struct cell *cell, struct cell_session *session, uint16_t ready) {
    struct explore_run *run = cell->run;
    if (run->step_count == run->step_capacity) {
        run->step_capacity = MAX((size_t)16, run->step_capacity * 2);
        run->steps = memory_resize(run->steps, run->step_capacity * sizeof *run->steps);
    }
    session->launched = run->step_count;
    struct step_place place = program_place(session);
    run->steps[run->step_count++] = (struct explore_step){
        .session = session->index,
        .is_commit = place.is_commit,
        .is_check = place.is_check,
        .instruction = place.instruction,
        .enabled = ready,
        .asleep = cell->asleep,
    };
    wake_sleepers(cell, session);
    if (cell->last != NO_SESSION && cell->last != session->index && (ready >> cell->last & 1)) {
        run->preemptions++;
    }
    cell->last = session->index;
    session->activity = SESSION_RUNNING;
    enum db_async_transaction before = begin_transaction(session);
    session->in_transaction = before != DB_ASYNC_NO_TRANSACTION;
    session->in_failed_transaction = before == DB_ASYNC_FAILED_TRANSACTION;
    if (program_needs_plan(session)) {
        ask_plan(session);
    } else {
        send_statement(session);
    }
}

static void next_step(struct cell *cell) {
    if (explorer_is_stopped(cell->explorer)) {
        cut(cell);
        return;
    }
    for (size_t i = 0; i < cell->session_count; i++) {
        if (cell->sessions[i].activity == SESSION_READY && program_advance(&cell->sessions[i]) == PROGRAM_FAILED) {
            cut(cell);
            return;
        }
    }
    uint16_t ready = choose_ready(cell);
    size_t at = cell->run->step_count;
    if (cell->position != NULL && at == cell->prefix->count) {
        read_end(cell);
        return;
    }
    if (ready == 0) {
        for (size_t i = 0; i < cell->session_count; i++) {
            if (cell->sessions[i].activity != SESSION_ENDED) {
                cell->run->is_stuck = true; // it waits for a session that has ended and still has a lock
                cut(cell);
                return;
            }
        }
        roll_back(cell);
        return;
    }
    if (at == cell->prefix->count) {
        cell->asleep = cell->prefix->asleep;
    }
    uint16_t awake = (uint16_t)(ready & ~cell->asleep);
    bool is_new_place = at > cell->prefix->count; // the end of the prefix was looked at when the prefix was made
    if (awake == 0 || (is_new_place && sleep_is_endless_here(cell))) {
        cell->run->is_redundant = true;
        cut(cell);
        return;
    }
    uint8_t next = choose_next(cell, ready, awake);
    if (next == NO_SESSION) {
        cell->run->diverged_at = (uint32_t)at + 1;
        cut(cell);
        return;
    }
    launch(cell, &cell->sessions[next], ready);
}

// --- Waits ---

static void came_to_rest(struct cell *cell) {
    if (choose_among(cell, SESSION_RUNNING) == 0 && cell->done != NULL) {
        timer_disarm(cell);
        repeat_read_rows(cell, next_step);
    }
}

static void on_look(void *user) {
    struct cell *cell = user;
    if (cell->is_cut) {
        on_cut_answer(cell);
        return;
    }
    if (cell->plan_is_due != NULL) {
        ask_plan(cell->plan_is_due);
        return;
    }
    uint16_t running = choose_among(cell, SESSION_RUNNING);
    if (running == 0) {
        if (cell->end_is_due) {
            read_end(cell);
        } else if (cell->rows_are_due) {
            repeat_read_rows(cell, next_step);
        }
        return;
    }
    if (cell_error_words(cell->control) != NULL) {
        cell_fail(cell, cell->explored->line, "the waits cannot be read", cell_error_words(cell->control));
        cut(cell);
        return;
    }
    if (cell->looked_changes != cell->changes) {
        plan_first_look(cell, waits_look_at_all_after_us(cell)); // a statement was answered meanwhile
        return;
    }
    uint32_t *blocked_by = cell->blocked_by; // a session that waits is not looked at again: its blockers stay
    waits_read(cell);
    uint16_t stable;
    uint16_t circle;
    enum settled settled = settle(running | choose_among(cell, SESSION_WAITING), blocked_by, &stable, &circle);
    for (size_t i = 0; i < cell->session_count; i++) {
        if (stable >> i & 1) {
            cell->sessions[i].activity = SESSION_WAITING;
            struct explore_step *step = &cell->run->steps[cell->sessions[i].launched];
            step->blocked_by |= (uint16_t)blocked_by[i];
            cell->run->is_blocked = true;
        }
    }
    if (settled == SETTLED) {
        came_to_rest(cell);
    } else if (settled == DEADLOCKED && (circle & cell->prefix->victims) == 0) {
        cell->circle = circle;
        cut(cell);
    } else if (settled == DEADLOCKED && clock_monotonic_ns() - cell->armed_ns > MISSED_DEADLOCK_NS) {
        cell->missed_deadlock = true;
        cut(cell);
    } else if (settled == DEADLOCKED) {
        waits_wake_circle(cell, circle);
        plan_look(cell, LAST_LOOK_US); // the victim is answered before
    } else {
        uint64_t microseconds = (clock_monotonic_ns() - cell->armed_ns) / 2000; // longer each time
        plan_look(cell, (unsigned)MAX(MIN(microseconds, (uint64_t)LAST_LOOK_US), (uint64_t)NEXT_LOOK_US));
    }
}

static void look(struct cell *cell) {
    if (cell->done == NULL || cell->is_cut || choose_among(cell, SESSION_RUNNING) == 0 ||
        db_async_is_busy(cell->control)) {
        return;
    }
    if (clock_monotonic_ns() - cell->armed_ns > (uint64_t)STEP_LIMIT_MS * 1000000) {
        const struct cell_session *session = &cell->sessions[choose_lowest(choose_among(cell, SESSION_RUNNING))];
        cell_fail(cell, cell->explored->sessions[session->index].instructions[session->at].line,
                  "a statement does not end", "it neither ended in 30 s nor waited for a lock of another session");
        cut(cell);
        return;
    }
    cell->looked_changes = cell->changes;
    waits_ask(cell, choose_among(cell, SESSION_RUNNING), on_look);
}
