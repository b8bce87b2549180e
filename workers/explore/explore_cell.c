// A cell: one database, the connection that resets and looks, and a connection for each session.
//
// cell_prepare() > run_setup(), read_tables(), copy_tables(), read_sequences(), open_sessions(). All of them wait for
// the server: no order runs yet.
#include "workers/explore/explore_internal.h"

#include <stdio.h>
#include <stdlib.h>

static bool complain_of_file(const char *file, int line, const char *what, struct text *words, struct text *problem) {
    text_append_format(problem, "%s:%d: %s: %.*s", file, line, what, (int)words->length,
                       words->length == 0 ? "" : words->data);
    text_free(words);
    return false;
}

static bool complain(const struct sql_case *explored, int line, const char *what, struct text *words,
                     struct text *problem) {
    return complain_of_file(explored->file, line, what, words, problem);
}

bool cell_open(struct cell *cell, struct explorer *explorer, uv_loop_t *loop, const char *conninfo,
               struct text *problem) {
    cell->explorer = explorer;
    cell->loop = loop;
    text_append_string(&cell->conninfo, conninfo);
    cell->control = db_async_open(loop, conninfo, explorer->settings.is_stopped, problem);
    if (cell->control == NULL) {
        return false;
    }
    timer_open(cell);
    struct text ignored = {0};
    explorer->has_pageinspect = explore_ask(loop, cell->control, sql_explore[EXPLORE_INSPECT], &ignored);
    text_free(&ignored);
    return explore_ask(loop, cell->control, sql_explore[EXPLORE_CONTROL], problem);
}

static void close_sessions(struct cell *cell) {
    for (size_t i = 0; i < cell->session_count; i++) {
        struct cell_session *session = &cell->sessions[i];
        db_async_close(session->connection);
        case_variables_free(&session->variables);
        free(session->written.touches);
        *session = (struct cell_session){0};
    }
    cell->session_count = 0;
}

static void free_cell(struct cell *cell) {
    free(cell);
}

// Frees the cell in a callback of the loop.
void cell_close(struct cell *cell) {
    close_sessions(cell);
    db_async_close(cell->control);
    arena_free(&cell->memory);
    text_free(&cell->conninfo);
    text_free(&cell->problem);
    if (cell->has_timer) {
        timer_close(cell, free_cell);
    } else {
        free_cell(cell);
    }
}

// pg_dump empties search_path: statements below its tables find them only by the names of their schemas. The roles that
// it names need not exist here.
static void append_hint(const struct case_blocks *blocks, size_t failed, const struct db_async *connection,
                        struct text *words) {
    const struct db_async_answer *error = db_async_error(connection);
    const char *sqlstate = error == NULL ? "" : db_async_sqlstate(error);
    bool names_role = slice_starts_with(text_slice(words), SLICE_LITERAL("role "));
    bool is_emptied = false;
    for (size_t i = 0; i < failed; i++) {
        is_emptied |= strstr(blocks->items[i].sql, "set_config('search_path', ''") != NULL;
    }
    if (is_emptied && strcmp(sqlstate, "42P01") == 0) { // undefined_table
        text_append_string(words, ": pg_dump has emptied search_path, so write the schema's name before the table's, "
                                  "or SET search_path = public; below the dump");
    } else if (names_role && strcmp(sqlstate, "42704") == 0) { // undefined_object
        text_append_string(words, ": leave owners and privileges out (pg_dump --no-owner --no-privileges)");
    }
}

static bool run_blocks(struct cell *cell, const struct sql_case *explored, const struct case_blocks *blocks,
                       struct db_async *connection, const char *what, struct text *problem) {
    struct text words = {0};
    for (size_t i = 0; i < blocks->count; i++) {
        if (!explore_ask(cell->loop, connection, blocks->items[i].sql, &words)) {
            const char *file = blocks->items[i].file;
            append_hint(blocks, i, connection, &words);
            return complain_of_file(file == NULL ? explored->file : file, blocks->items[i].line, what, &words, problem);
        }
    }
    return true;
}

static const char *keep(struct cell *cell, const struct db_async_answer *answer, int row, int column) {
    const char *value = db_async_value(answer, row, column);
    return arena_copy(&cell->memory, slice_of(value == NULL ? "" : value));
}

static bool ask(struct cell *cell, enum explore_sql sql, struct text *problem) {
    return explore_ask(cell->loop, cell->control, sql_explore[sql], problem);
}

static bool read_tables(struct cell *cell, struct text *problem) {
    if (!ask(cell, EXPLORE_TABLES, problem)) {
        return false;
    }
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    cell->table_count = (size_t)db_async_rows(answer);
    if (cell->table_count > CELL_TABLES_MAX) {
        text_append_format(problem, "the setup makes %zu tables; at most %d can be compared", cell->table_count,
                           CELL_TABLES_MAX);
        return false;
    }
    cell->tables = arena_allocate(&cell->memory, (cell->table_count + 1) * sizeof *cell->tables);
    struct text vacuum = {0};
    text_append_string(&vacuum, sql_explore[EXPLORE_VACUUM]);
    for (int row = 0; row < (int)cell->table_count; row++) {
        cell->tables[row] = (struct cell_table){
            .oid = (unsigned)strtoul(db_async_value(answer, row, 0), NULL, 10),
            .name = keep(cell, answer, row, 1),
            .read = keep(cell, answer, row, 2),
            .copy = keep(cell, answer, row, 3),
            .clear = keep(cell, answer, row, 4),
            .restore = keep(cell, answer, row, 5),
            .truncate = keep(cell, answer, row, 6),
            .from_sequence = keep(cell, answer, row, 7),
            .has_unique = db_async_value(answer, row, 8)[0] == 't',
        };
        text_append_string(&vacuum, db_async_value(answer, row, 9));
    }
    cell->vacuum = arena_copy(&cell->memory, text_slice(&vacuum));
    text_free(&vacuum);
    return true;
}

static bool hash_tables(struct cell *cell, struct text *problem) {
    struct text truncate = {0};
    for (size_t i = 0; i < cell->table_count; i++) {
        struct cell_table *table = &cell->tables[i];
        if (!explore_ask(cell->loop, cell->control, table->read, problem)) {
            text_free(&truncate);
            return false;
        }
        record_first_values(cell, table, db_async_last_answer(cell->control));
        table->first_row_count = db_async_rows(db_async_last_answer(cell->control));
        table->first_rows = record_hash_rows(db_async_last_answer(cell->control));
        text_append_string(&truncate, i == 0 ? "" : ", ");
        text_append_string(&truncate, table->truncate + (i == 0 ? 0 : strlen("TRUNCATE ")));
    }
    cell->truncate = arena_copy(&cell->memory, text_slice(&truncate));
    text_free(&truncate);
    return true;
}

static bool copy_tables(struct cell *cell, struct text *problem) {
    bool good = ask(cell, EXPLORE_COPY_SCHEMA, problem);
    for (size_t i = 0; i < cell->table_count && good; i++) {
        good = explore_ask(cell->loop, cell->control, cell->tables[i].copy, problem);
    }
    return good;
}

// SSI decides by pages, so the explorer wants to know when they are full.
static bool read_room(struct cell *cell, struct text *problem) {
    cell->ask_room = NULL;
    cell->room = cell->used = 0;
    if (!cell->explorer->has_pageinspect) {
        return true;
    }
    if (!ask(cell, EXPLORE_ROOM, problem)) {
        return false;
    }
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    cell->ask_room = db_async_value(answer, 0, 0) == NULL ? NULL : keep(cell, answer, 0, 0);
    return true;
}

static bool read_sequences(struct cell *cell, struct text *problem) {
    if (!ask(cell, EXPLORE_SEQUENCES, problem)) {
        return false;
    }
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    cell->sequence_count = (size_t)db_async_rows(answer);
    cell->sequences = arena_allocate(&cell->memory, (cell->sequence_count + 1) * sizeof *cell->sequences);
    for (size_t i = 0; i < cell->sequence_count; i++) {
        cell->sequences[i] = keep(cell, answer, (int)i, 0);
    }
    if (!ask(cell, EXPLORE_HIDDEN_CODE, problem)) {
        return false;
    }
    cell->has_hidden_code = db_async_value(db_async_last_answer(cell->control), 0, 0)[0] == 't';
    if (!ask(cell, EXPLORE_DEFERRED_CODE, problem)) {
        return false;
    }
    const struct db_async_answer *found = db_async_last_answer(cell->control);
    cell->has_deferrable = db_async_value(found, 0, 0)[0] == 't';
    cell->has_deferred_code = db_async_value(found, 0, 1)[0] == 't';
    cell->ends_inside |= cell->changes_schema && db_async_value(found, 0, 2)[0] == 't';
    return true;
}

static bool read_keys(struct cell *cell, struct text *problem) {
    if (!ask(cell, EXPLORE_UNIQUE_KEYS, problem)) {
        return false;
    }
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    cell->key_count = (size_t)db_async_rows(answer);
    cell->keys = arena_allocate(&cell->memory, (cell->key_count + 1) * sizeof *cell->keys);
    for (size_t i = 0; i < cell->key_count; i++) {
        cell->keys[i].index = keep(cell, answer, (int)i, 0);
        cell->keys[i].columns = (int)strtol(db_async_value(answer, (int)i, 1), NULL, 10);
    }
    return true;
}

static bool open_sessions(struct cell *cell, const struct sql_case *explored, struct text *problem) {
    for (size_t i = 0; i < explored->session_count; i++) {
        struct cell_session *session = &cell->sessions[i];
        *session = (struct cell_session){.cell = cell, .index = (uint8_t)i, .level = -1};
        session->connection = db_async_open(cell->loop, text_terminated(&cell->conninfo),
                                            cell->explorer->settings.is_stopped, problem);
        if (session->connection == NULL) {
            return false;
        }
        cell->session_count = i + 1;
        if (!explore_ask(cell->loop, session->connection, sql_explore[EXPLORE_SESSION], problem)) {
            return false;
        }
    }
    return true;
}

// True if a statement may leave something in its session that the next order would find. Unsure means true.
static bool keeps_session_state(const char *sql) {
    static const char *const words[] = {"temp", "listen", "advisory", "prepare", "declare", "discard", "set_config"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasestr(sql, words[i]) != NULL) {
            return true;
        }
    }
    for (const char *at = sql; at != NULL; at = strchr(at, ';')) { // a SET at the start of a statement
        at += strspn(at, "; \t\r\n");
        if (strncasecmp(at, "set ", 4) == 0 && strncasecmp(at, "set transaction", 15) != 0 &&
            strncasecmp(at, "set local", 9) != 0) {
            return true;
        }
    }
    return false;
}

// PostgreSQL drops the predicate locks of a READ ONLY transaction that nothing can refuse, so it seems to read nothing.
static bool is_read_only(const char *sql) {
    for (const char *at = sql; (at = strcasestr(at, "read")) != NULL;) {
        at += strlen("read");
        const char *next = at + strspn(at, " _\t\r\n");
        if (next > at && strncasecmp(next, "only", strlen("only")) == 0) {
            return true;
        }
    }
    return false;
}

static void look_at_statements(struct cell *cell, const struct sql_case *explored) {
    for (size_t i = 0; i < explored->session_count; i++) {
        const struct case_session *session = &explored->sessions[i];
        cell->has_session_blocks |= session->setup.count + session->teardown.count > 0;
        for (size_t j = 0; j < session->setup.count; j++) {
            cell->has_read_only |= is_read_only(session->setup.items[j].sql);
        }
        cell->shapes[i] = arena_allocate(&cell->memory, session->count * sizeof *cell->shapes[i]);
        for (size_t j = 0; j < session->count; j++) {
            const struct case_instruction *instruction = &session->instructions[j];
            if (instruction->operation == CASE_STATEMENT) {
                cell->shapes[i][j] = case_shape_of(instruction->source);
                cell->changes_schema |= cell->shapes[i][j].changes_schema;
                cell->ends_inside |= cell->shapes[i][j].ends_inside;
                cell->keeps_session_state |= keeps_session_state(instruction->source);
                cell->may_show_begin |= begin_may_show(instruction->source);
                cell->has_read_only |= is_read_only(instruction->source);
            }
        }
    }
}

// A function of the setup may leave something in a session as well.
static void look_at_setup(struct cell *cell, const struct sql_case *explored) {
    static const char *const words[] = {"advisory", "perform set_config", "temp table", "temporary table"};
    for (size_t i = 0; i < explored->setup.count; i++) {
        cell->may_show_begin |= begin_may_show(explored->setup.items[i].sql);
        for (size_t j = 0; j < sizeof words / sizeof words[0]; j++) {
            cell->keeps_session_state |= strcasestr(explored->setup.items[i].sql, words[j]) != NULL;
        }
    }
}

static bool make_again(struct cell *cell, const struct sql_case *explored, struct text *problem) {
    struct text words = {0};
    close_sessions(cell);
    arena_free(&cell->memory);
    if (!ask(cell, EXPLORE_DROP_SCHEMAS, &words)) {
        return complain(explored, explored->line, "the database cannot be emptied", &words, problem);
    }
    db_async_forget_prepared(cell->control);
    if (!ask(cell, EXPLORE_DISCARD, &words)) { // the setup has the settings of a new session
        return complain(explored, explored->line, "the connection cannot be reset", &words, problem);
    }
    return true;
}

bool cell_prepare(struct cell *cell, const struct sql_case *explored, struct text *problem) {
    struct text words = {0};
    cell->explored = explored;
    cell->changes_schema = cell->keeps_session_state = cell->has_session_blocks = false;
    cell->ends_inside = cell->has_read_only = cell->may_show_begin = false;
    cell->dirty = cell->was_dirty = 0;
    cell->resets = 0;
    cell->puts_sequences_back = false;
    cell->ran_before = false;
    if (!make_again(cell, explored, problem) ||
        !run_blocks(cell, explored, &explored->setup, cell->control, "the setup fails", problem)) {
        return false;
    }
    look_at_statements(cell, explored);
    look_at_setup(cell, explored);
    // pg_dump empties search_path; the copies need no path.
    if (!ask(cell, EXPLORE_CONTROL, &words) || !read_tables(cell, &words) || !copy_tables(cell, &words) ||
        !hash_tables(cell, &words) || !read_room(cell, &words) || !read_sequences(cell, &words) ||
        !read_keys(cell, &words) || !open_sessions(cell, explored, &words) ||
        !explore_ask(cell->loop, cell->control, cell->vacuum, &words) ||
        (!cell->changes_schema && !ask(cell, EXPLORE_REPLICA, &words))) {
        return complain(explored, explored->line, "the case cannot be prepared", &words, problem);
    }
    cell->compared = 0;
    cell->use = cell == cell->explorer->cells[0] ? CELL_RUNS : CELL_COMPARES;
    return true;
}
