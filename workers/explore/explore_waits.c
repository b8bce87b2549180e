// Asks the server which sessions wait, and for whom.
#include "workers/explore/explore_internal.h"

#include <stdio.h>
#include <stdlib.h>

void waits_ask(struct cell *cell, uint16_t running, db_async_done *done) {
    char numbers[CASE_SESSIONS_MAX * 4 + 4] = "{";
    char pids[CASE_SESSIONS_MAX * 12 + 4] = "{";
    int number_end = 1;
    int pid_end = 1;
    for (size_t i = 0; i < cell->session_count; i++) {
        if (running >> i & 1) {
            const char *comma = number_end == 1 ? "" : ",";
            number_end += sprintf(numbers + number_end, "%s%zu", comma, i);
            pid_end += sprintf(pids + pid_end, "%s%d", comma, db_async_backend(cell->sessions[i].connection));
        }
    }
    numbers[number_end] = pids[pid_end] = '}';
    numbers[number_end + 1] = pids[pid_end + 1] = '\0';
    const char *values[] = {numbers, pids};
    db_async_execute_with(cell->control, sql_explore[EXPLORE_WAITS], values, 2, done, cell);
}

// Reads "{12,13}" of pg_blocking_pids() as a set of sessions.
static uint32_t sessions_of(const struct cell *cell, const char *pids) {
    uint32_t set = 0;
    while (*pids != '\0') {
        char *end;
        long pid = strtol(pids, &end, 10);
        if (end == pids) {
            pids++;
            continue;
        }
        pids = end;
        uint32_t bit = OUTSIDE;
        for (size_t i = 0; i < cell->session_count; i++) {
            bit = db_async_backend(cell->sessions[i].connection) == pid ? (uint32_t)1 << i : bit;
        }
        set |= bit;
    }
    return set;
}

void waits_read(struct cell *cell) {
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    for (int row = 0; row < db_async_rows(answer); row++) {
        long session = strtol(db_async_value(answer, row, 0), NULL, 10);
        cell->blocked_by[session] = sessions_of(cell, db_async_value(answer, row, 1));
    }
}

void waits_wake_circle(struct cell *cell, uint16_t circle) {
    for (size_t i = 0; i < cell->session_count; i++) {
        if ((circle >> i & 1) && cell->sessions[i].activity == SESSION_WAITING) {
            cell->sessions[i].activity = SESSION_RUNNING;
        }
    }
}

static bool may_wait_for(const struct cell_session *session, const struct cell_session *other) {
    const struct cell *cell = session->cell;
    bool may_have_locks = other->activity == SESSION_RUNNING || other->activity == SESSION_WAITING ||
                          db_async_transaction(other->connection) != DB_ASYNC_NO_TRANSACTION;
    if (other == session || cell->keeps_session_state) {
        return other != session;
    }
    size_t count = cell->explored->sessions[other->index].count;
    struct step_place step = {.session = session->index, .instruction = (uint16_t)session->at};
    struct step_place holder = {.session = other->index, .instruction = (uint16_t)MIN(other->at, count - 1)};
    return may_have_locks && step_may_wait(cell->explorer, cell->explored, step, holder);
}

// A statement waits only for what an open transaction or a session has locked, and the footprints show the rows that
// two transactions lock. The server is asked about the other statements late, because a look takes the time of a step.
unsigned waits_look_after_us(const struct cell_session *session) {
    const struct cell *cell = session->cell;
    const struct case_statement_shape *shape = &cell->shapes[session->index][session->at];
    if (session->owes_commit || shape->begins_transaction || shape->ends_transaction || shape->is_read_only) {
        return WAITS_LATE_LOOK_US;
    }
    for (size_t i = 0; i < cell->session_count; i++) {
        if (may_wait_for(session, &cell->sessions[i])) {
            return WAITS_FIRST_LOOK_US;
        }
    }
    return WAITS_LATE_LOOK_US;
}

unsigned waits_look_at_all_after_us(const struct cell *cell) {
    unsigned microseconds = WAITS_LATE_LOOK_US;
    for (size_t i = 0; i < cell->session_count; i++) {
        if (cell->sessions[i].activity == SESSION_RUNNING) {
            microseconds = MIN(microseconds, waits_look_after_us(&cell->sessions[i]));
        }
    }
    return microseconds;
}

// False only if it is certain that the statement, which is answered, has left all locks with its transaction. A
// statement that has waited has had a lock of its place in the queue.
bool waits_may_have_ended(const struct cell_session *session, size_t instruction) {
    const struct cell *cell = session->cell;
    const struct case_statement_shape *shape = &cell->shapes[session->index][instruction];
    bool is_plain = shape->begins_transaction || shape->is_read_only || shape->is_simple_insert ||
                    shape->is_single_table;
    return db_async_transaction(session->connection) != DB_ASYNC_IN_TRANSACTION || !is_plain ||
           shape->ends_transaction || cell->has_hidden_code || cell->keeps_session_state || cell->changes_schema ||
           cell->run->steps[session->launched].blocked_by != 0;
}
