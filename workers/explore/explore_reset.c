// Gives a cell the rows, the schema and the settings that every order begins with.
//
// reset_begin() > set_sessions() > run_session_setup() > the caller's `prepared`. Each of them starts something and
// returns; a callback continues.
#include "workers/explore/explore_internal.h"
#include "workers/explore/explore_planted.h"

#include <stdlib.h>

enum { VACUUM_EVERY = 500 }; // resets; the dead rows slow the scans down

static void run_session_setup(struct cell *cell, size_t session, size_t block);

static void sessions_are_set(void *user);

// PostgreSQL looks for a deadlock once in each wait, deadlock_timeout after it has begun. The session that closes the
// circle may look soon. One that waited before must look after that, so it waits longer.
static enum explore_sql deadlock_timeout_of(const struct cell_session *session) {
    static const enum explore_sql later[] = {EXPLORE_DEADLOCK_LATER, EXPLORE_DEADLOCK_LATER_STILL,
                                             EXPLORE_DEADLOCK_LATEST};
    const struct prefix *prefix = session->cell->prefix;
    if (!(prefix->victims >> session->index & 1)) {
        return EXPLORE_DEADLOCK_SURVIVOR;
    }
    bool closes_circle = prefix->count > 0 && prefix->sessions[prefix->count - 1] == session->index;
    return closes_circle ? EXPLORE_DEADLOCK_SOON : later[MIN(prefix->misses, 2U)];
}

static void send_settings(struct cell_session *session) {
    struct cell *cell = session->cell;
    static const enum explore_sql levels[CASE_LEVELS] = {
        [CASE_READ_COMMITTED] = EXPLORE_READ_COMMITTED,
        [CASE_REPEATABLE_READ] = EXPLORE_REPEATABLE_READ,
        [CASE_SERIALIZABLE] = EXPLORE_SERIALIZABLE,
    };
    const char *sql[3];
    size_t count = 0;
    if (session->level < 0 && (!PLAN_IS_NOT_PINNED || cell->measures)) {
        sql[count++] = sql_explore[EXPLORE_SESSION];
    }
    if (session->level != (int)cell->level) {
        sql[count++] = sql_explore[levels[cell->level]];
    }
    enum explore_sql timeout = deadlock_timeout_of(session);
    if (session->level < 0 || session->deadlock_timeout != timeout) {
        sql[count++] = sql_explore[timeout];
    }
    session->level = (int)cell->level;
    session->deadlock_timeout = timeout;
    if (count > 0) {
        cell->waiting_for++;
        cell->was_set |= (uint16_t)(1U << session->index);
        db_async_execute(session->connection, sql, count, sessions_are_set, cell);
    }
}

static void on_discarded(void *user) {
    struct cell_session *session = user;
    session->level = -1;
    db_async_forget_prepared(session->connection);
    if (cell_error_words(session->connection) == NULL) {
        send_settings(session);
    }
    sessions_are_set(session->cell);
}

static void set_session(struct cell_session *session) {
    if ((session->cell->keeps_session_state || PLAN_IS_NOT_PINNED) && session->cell->ran_before) {
        session->cell->waiting_for++;
        session->cell->was_set |= (uint16_t)(1U << session->index);
        db_async_query(session->connection, sql_explore[EXPLORE_DISCARD], on_discarded, session);
    } else {
        send_settings(session);
    }
}

static void set_sessions(struct cell *cell) {
    cell->was_set = 0;
    cell->waiting_for = 1; // keeps the first answer from ending the wait before all are sent
    for (size_t i = 0; i < cell->session_count; i++) {
        set_session(&cell->sessions[i]);
    }
    cell->ran_before = true;
    sessions_are_set(cell);
}

static void sessions_are_set(void *user) {
    struct cell *cell = user;
    if (--cell->waiting_for > 0) {
        return;
    }
    for (size_t i = 0; i < cell->session_count; i++) {
        const char *words = (cell->was_set >> i & 1) ? cell_error_words(cell->sessions[i].connection) : NULL;
        if (words != NULL) {
            cell_fail(cell, cell->explored->line, "a session cannot be set up", words);
            cell->prepared(cell);
            return;
        }
    }
    run_session_setup(cell, 0, 0);
}

static void on_session_setup(void *user) {
    struct cell *cell = user;
    struct cell_session *session = &cell->sessions[cell->setup_session];
    const char *words = cell_error_words(session->connection);
    if (words != NULL) {
        const struct case_blocks *setup = &cell->explored->sessions[cell->setup_session].setup;
        cell_fail(cell, setup->items[cell->setup_block].line, "the session's setup fails", words);
        cell->prepared(cell);
        return;
    }
    run_session_setup(cell, cell->setup_session, cell->setup_block + 1);
}

// A session that is left out does not begin a transaction in its setup, which nothing would end.
static bool has_setup_left(const struct cell *cell, size_t session, size_t block) {
    return block < cell->explored->sessions[session].setup.count &&
           !case_leaves_out_session(cell->explored, &cell->explorer->left_out, session);
}

static void run_session_setup(struct cell *cell, size_t session, size_t block) {
    while (session < cell->session_count && !has_setup_left(cell, session, block)) {
        session++;
        block = 0;
    }
    if (session == cell->session_count) {
        cell->prepared(cell);
        return;
    }
    cell->setup_session = session;
    cell->setup_block = block;
    const char *sql = cell->explored->sessions[session].setup.items[block].sql;
    struct text kept = {0};
    if (cell->measures && cell->explorer->mixes_levels) {
        levels_append_without(sql, &kept);
        sql = text_terminated(&kept);
    }
    db_async_query(cell->sessions[session].connection, sql, on_session_setup, cell);
    text_free(&kept);
}

static void on_vacuum(void *user) {
    set_sessions(user);
}

static void rows_are_back(struct cell *cell) {
    if (cell->resets >= VACUUM_EVERY) {
        cell->resets = 0;
        db_async_query(cell->control, cell->vacuum, on_vacuum, cell);
        return;
    }
    set_sessions(cell);
}

static void on_rows_back(void *user) {
    struct cell *cell = user;
    const char *words = cell_error_words(cell->control);
    if (words != NULL) {
        cell_fail(cell, cell->explored->line, "the rows of the setup cannot be put back", words);
        cell->prepared(cell);
        return;
    }
    cell->dirty = 0;
    cell->resets++;
    rows_are_back(cell);
}

// --- A case whose steps change the schema is set up anew for each order ---

static void on_made(void *user);

static void make_next(struct cell *cell) {
    const struct sql_case *explored = cell->explored;
    size_t teardowns = cell->ran_before ? explored->teardown.count : 0;
    size_t at = cell->setup_block++;
    if (at < teardowns) {
        db_async_query(cell->control, explored->teardown.items[at].sql, on_made, cell);
    } else if (at == teardowns) {
        db_async_query(cell->control, sql_explore[EXPLORE_DROP_SCHEMAS], on_made, cell);
    } else if (at - teardowns - 1 < explored->setup.count) {
        db_async_query(cell->control, explored->setup.items[at - teardowns - 1].sql, on_made, cell);
    } else {
        set_sessions(cell);
    }
}

static void on_made(void *user) {
    struct cell *cell = user;
    const char *words = cell_error_words(cell->control);
    bool is_teardown = cell->ran_before && cell->setup_block <= cell->explored->teardown.count;
    if (words != NULL && !is_teardown) { // an order may have removed what the teardown removes
        cell_fail(cell, cell->explored->line, "the setup fails", words);
        cell->prepared(cell);
        return;
    }
    make_next(cell);
}

enum { PAGE_BYTES = 8192 };

static bool may_be_serializable(const struct cell *cell) {
    return cell->level == CASE_SERIALIZABLE || cell->explorer->mixes_levels;
}

// SSI decides by pages. An UPDATE that no longer fits its page touches the index, and rows of one page share a lock.
// So a serializable order needs the pages of the first one, which TRUNCATE gives, or as many with room for all that it
// writes.
static bool must_truncate(const struct cell *cell) {
    if (!may_be_serializable(cell) || cell->table_count == 0) {
        return false;
    }
    if (cell->measures) {
        return true; // the rows get the places that they have in every measured run
    }
    return cell->ask_room == NULL ? cell->dirty != 0 : cell->room <= 2 * cell->used;
}

bool reset_asks_room(const struct cell *cell) {
    return may_be_serializable(cell) && cell->ask_room != NULL && !cell->changes_schema;
}

bool reset_was_enough(struct cell *cell) {
    if (!reset_asks_room(cell)) {
        cell->room = 0; // not known
        return true;
    }
    const char *answer = db_async_value(db_async_last_answer(cell->control), 0, 0);
    long before = cell->was_truncated ? PAGE_BYTES : cell->room;
    cell->room = answer == NULL ? 0 : strtol(answer, NULL, 10);
    cell->used = MAX(cell->used, before - cell->room);
    return cell->was_truncated || cell->room > 0;
}

// Appends to `count` statements those that put back the rows of some tables (bits). The number of all.
static size_t append_put_back(const struct cell *cell, uint64_t tables, bool are_empty, const char **sql,
                              size_t count) {
    for (size_t i = 0; i < cell->table_count && !are_empty; i++) {
        if (tables >> i & 1) {
            sql[count++] = cell->tables[i].clear;
        }
    }
    for (size_t i = 0; i < cell->table_count; i++) {
        if (tables >> i & 1) {
            sql[count++] = cell->tables[i].restore;
        }
    }
    return count;
}

void reset_begin(struct cell *cell, cell_done *prepared) {
    cell->prepared = prepared;
    if (cell->changes_schema) {
        cell->setup_block = 0;
        make_next(cell);
        return;
    }
    bool truncates = must_truncate(cell);
    cell->was_truncated = truncates;
    if (truncates || cell->measures) {
        cell->dirty = UINT64_MAX;
    }
    size_t sequence_count = cell->puts_sequences_back ? 0 : cell->sequence_count;
    cell->puts_sequences_back = false;
    if (cell->dirty == 0 && sequence_count == 0) {
        rows_are_back(cell);
        return;
    }
    const char *sql[1 + 2 * CELL_TABLES_MAX + CELL_SEQUENCES_MAX];
    size_t count = 0;
    if (truncates) {
        sql[count++] = cell->truncate;
    }
    count = append_put_back(cell, cell->dirty, truncates, sql, count);
    for (size_t i = 0; i < sequence_count; i++) {
        sql[count++] = cell->sequences[i];
    }
    if (count == 0) {
        rows_are_back(cell);
        return;
    }
    db_async_execute(cell->control, sql, count, on_rows_back, cell);
}

size_t reset_append_early(struct cell *cell, const char **sql, size_t count) {
    cell->put_back = 0;
    if (cell->position != NULL || may_be_serializable(cell)) { // the order goes on; or the pages decide what comes next
        return 0;
    }
    size_t before = count;
    cell->put_back = cell->was_dirty;
    count = append_put_back(cell, cell->put_back, false, sql, count);
    for (size_t i = 0; i < cell->sequence_count; i++) {
        sql[count++] = cell->sequences[i];
    }
    cell->puts_sequences_back = true;
    return count - before;
}

void reset_take_early(struct cell *cell) {
    cell->was_dirty = cell->dirty;
    cell->dirty &= ~cell->put_back;
    cell->resets += cell->put_back != 0 ? 1 : 0;
}
