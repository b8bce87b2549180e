// The databases that the explorer works in: it makes one for each cell, and drops them when it ends.
#include "workers/explore/explore_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { RECOVERY_TRIES = 50, RECOVERY_PAUSE_MS = 200 };

// The same server, and another database. libpq takes the last of two dbname parameters, also behind a URL's.
static void append_conninfo(struct text *out, const char *server, const char *database) {
    bool is_url = strstr(server, "://") != NULL;
    if (is_url) {
        text_append_format(out, "%s%sdbname=%s", server, strchr(server, '?') == NULL ? "?" : "&", database);
    } else {
        text_append_format(out, "%s dbname=%s", server, database);
    }
}

static bool make_database(struct explorer *explorer, unsigned number, struct text *name, struct text *problem) {
    if (!explore_ask(explorer->loop, explorer->admin, sql_explore[EXPLORE_DATABASES], problem)) {
        return false;
    }
    const struct db_async_answer *answer = db_async_last_answer(explorer->admin);
    struct text create = {0};
    struct text mark = {0};
    struct text *drop = &explorer->drops[number];
    text_append_string(name, db_async_value(answer, (int)number, 0));
    text_append_string(&create, db_async_value(answer, (int)number, 1));
    text_append_string(drop, db_async_value(answer, (int)number, 2));
    text_append_string(&mark, db_async_value(answer, (int)number, 3));
    bool good = explore_ask(explorer->loop, explorer->admin, text_terminated(&create), problem);
    if (!good) {
        text_clear(drop);
    }
    good = good && explore_ask(explorer->loop, explorer->admin, text_terminated(&mark), problem);
    text_free(&create);
    text_free(&mark);
    return good;
}

// A killed run could not drop its databases. One that cannot be dropped now stays for the next run.
static bool drop_left_databases(struct explorer *explorer, struct text *problem) {
    if (!explore_ask(explorer->loop, explorer->admin, sql_explore[EXPLORE_LEFT_DATABASES], problem)) {
        return false;
    }
    struct arena memory = {0};
    const struct db_async_answer *answer = db_async_last_answer(explorer->admin);
    size_t count = (size_t)db_async_rows(answer);
    const char **drops = arena_allocate(&memory, (count + 1) * sizeof *drops);
    for (size_t i = 0; i < count; i++) {
        drops[i] = arena_copy(&memory, slice_of(db_async_value(answer, (int)i, 0)));
    }
    struct text ignored = {0};
    for (size_t i = 0; i < count; i++) {
        if (!explore_ask(explorer->loop, explorer->admin, drops[i], &ignored)) {
            text_clear(&ignored);
        }
    }
    text_free(&ignored);
    arena_free(&memory);
    return true;
}

// Every cell needs a connection for each session, and one that resets and looks.
static bool keep_to_limits(struct explorer *explorer, struct db_async *connection, struct text *problem) {
    if (!explore_ask(explorer->loop, connection, sql_explore[EXPLORE_CONNECTIONS], problem)) {
        return false;
    }
    const struct db_async_answer *answer = db_async_last_answer(connection);
    long room = strtol(db_async_value(answer, 0, 0), NULL, 10) + (explorer->admin == NULL ? 1 : 0);
    long each = (long)explorer->settings.sessions_max + 1;
    const char *limit = db_async_value(answer, 0, 1);
    unsigned asked = explorer->settings.cells;
    if (room < each) {
        text_append_format(problem, "%ld connections are needed, but the server has room for %ld: raise %s", each,
                           MAX(room, 0L), limit);
        return false;
    }
    explorer->settings.cells = (unsigned)MIN((long)asked, room / each);
    if (explorer->settings.cells < asked) {
        text_append_format(&explorer->note,
                           "%u databases instead of %u run orders side by side: each needs %ld connections, and the "
                           "server has room for %ld; raise %s",
                           explorer->settings.cells, asked, each, room, limit);
    }
    return true;
}

static bool may_use(struct explorer *explorer, struct cell *cell, struct text *problem) {
    if (!explore_ask(explorer->loop, cell->control, sql_explore[EXPLORE_MAY_USE], problem)) {
        return false;
    }
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    bool may = db_async_value(answer, 0, 1)[0] == 't';
    if (!may) {
        text_append_format(problem,
                           "the explorer drops the tables of its database: \"%s\" stays as it is, "
                           "give one whose name begins with explore_",
                           db_async_value(answer, 0, 0));
    }
    if (may && (!explore_ask(explorer->loop, cell->control, sql_explore[EXPLORE_DEADLOCK_SOON], problem) ||
                !explore_ask(explorer->loop, cell->control, sql_explore[EXPLORE_REPLICA], problem))) {
        text_append_string(problem, ": connect as a superuser, or as a role that may set deadlock_timeout and "
                                    "session_replication_role");
        return false;
    }
    return may;
}

static bool open_cell(struct explorer *explorer, struct cell *cell, struct text *conninfo, struct text *problem) {
    struct text name = {0};
    bool good = true;
    if (explorer->settings.database_url != NULL) {
        text_append_string(conninfo, explorer->settings.database_url);
    } else {
        good = make_database(explorer, (unsigned)explorer->cell_count - 1, &name, problem);
        append_conninfo(conninfo, explorer->settings.server, text_terminated(&name));
    }
    text_free(&name);
    return good && cell_open(cell, explorer, explorer->loop, text_terminated(conninfo), problem) &&
           may_use(explorer, cell, problem) &&
           (explorer->admin != NULL || keep_to_limits(explorer, cell->control, problem));
}

bool explore_open_cell(struct explorer *explorer, struct text *problem) {
    struct text conninfo = {0};
    struct cell *cell = memory_allocate_zeroed(sizeof *cell);
    explorer->cells[explorer->cell_count++] = cell;
    bool good = open_cell(explorer, cell, &conninfo, problem);
    text_free(&conninfo);
    if (!good) {
        explorer->cell_count--;
        cell_close(cell);
    }
    return good;
}

struct explorer *explorer_open(uv_loop_t *loop, const struct explore_settings *settings, struct text *problem) {
    struct explorer *explorer = memory_allocate_zeroed(sizeof *explorer);
    explorer->loop = loop;
    explorer->settings = *settings;
    explorer->settings.cells = MAX(1U, MIN(settings->cells, (unsigned)EXPLORE_CELLS_MAX));
    if (settings->database_url == NULL) {
        explorer->admin = db_async_open(loop, settings->server, settings->is_stopped, problem);
    } else {
        explorer->settings.cells = 1;
    }
    bool good = settings->database_url != NULL || (explorer->admin != NULL && drop_left_databases(explorer, problem) &&
                                                   keep_to_limits(explorer, explorer->admin, problem));
    uint64_t began_ns = clock_monotonic_ns();
    if (!good || !explore_open_cell(explorer, problem)) {
        explorer_close(explorer);
        return NULL;
    }
    explorer->open_ns = clock_monotonic_ns() - began_ns;
    return explorer;
}

const char *explorer_note(struct explorer *explorer) {
    return explorer->note.length == 0 ? NULL : text_terminated(&explorer->note);
}

// A footprint depends on the statements before it.
static void forget_footprints(struct explorer *explorer) {
    explorer->knows_footprints = false;
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        for (size_t j = 0; j < explorer->footprint_count[i]; j++) {
            free(explorer->footprints[i][j].touches);
            free(explorer->footprints[i][j].texts);
            explorer->footprints[i][j] = (struct footprint){0};
        }
    }
}

void explorer_leave_out(struct explorer *explorer, const struct case_left_out *left_out) {
    struct case_left_out before = explorer->left_out;
    explorer->left_out = left_out == NULL ? (struct case_left_out){0} : *left_out;
    if (memcmp(&before, &explorer->left_out, sizeof before) != 0) {
        forget_footprints(explorer);
    }
}

void explore_forget_case(struct explorer *explorer) {
    forget_footprints(explorer);
    explorer->learned_late = false;
    explorer->can_inspect = explorer->has_pageinspect;
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        free(explorer->footprints[i]);
        explorer->footprints[i] = NULL;
        explorer->footprint_count[i] = 0;
        free(explorer->pinned[i]);
        explorer->pinned[i] = NULL;
    }
}

void explore_expect_case(struct explorer *explorer, const struct sql_case *explored) {
    explore_forget_case(explorer);
    for (size_t i = 0; i < explored->session_count; i++) {
        size_t count = explored->sessions[i].count;
        explorer->pinned[i] = memory_allocate_zeroed((count + 1) * sizeof *explorer->pinned[i]);
        explorer->footprints[i] = memory_allocate_zeroed((count + 1) * sizeof *explorer->footprints[i]);
        explorer->footprint_count[i] = count;
    }
}

// A crash of a backend ends all connections, and the server is soon there again. A server that was stopped refuses.
static void connect_again(struct explorer *explorer) {
    struct text problem = {0};
    bool is_lost = db_async_transaction(explorer->admin) == DB_ASYNC_BROKEN;
    for (int tries = 0; is_lost && tries < RECOVERY_TRIES; tries++) {
        text_clear(&problem);
        struct db_async *again = db_async_open(explorer->loop, explorer->settings.server, NULL, &problem);
        if (again != NULL) {
            db_async_close(explorer->admin);
            explorer->admin = again;
            is_lost = false;
        } else if (strstr(text_terminated(&problem), "the database system is") == NULL) {
            break;
        } else {
            db_async_run_loop(explorer->loop, -1, 0, RECOVERY_PAUSE_MS);
        }
    }
    db_async_ignore_stop(explorer->admin);
    text_free(&problem);
}

// A late request to cancel the statement before may hit this one, so it is tried again. If it fails nothing more can be
// done: the next run on this server drops the database.
static void drop_database(struct explorer *explorer, const char *drop) {
    struct text ignored = {0};
    bool is_dropped = drop[0] == '\0';
    for (int tries = 0; tries < 3 && !is_dropped; tries++) {
        text_clear(&ignored);
        is_dropped = explore_ask(explorer->loop, explorer->admin, drop, &ignored);
    }
    text_free(&ignored);
}

void explorer_close(struct explorer *explorer) {
    for (size_t i = 0; i < explorer->cell_count; i++) {
        cell_close(explorer->cells[i]);
    }
    explore_forget_case(explorer);
    if (explorer->admin != NULL) {
        connect_again(explorer);
    }
    for (size_t i = 0; i < EXPLORE_CELLS_MAX; i++) {
        drop_database(explorer, text_terminated(&explorer->drops[i]));
        text_free(&explorer->drops[i]);
    }
    text_free(&explorer->note);
    db_async_close(explorer->admin);
    free(explorer);
}

void explorer_forget_case(struct explorer *explorer) {
    for (size_t i = 0; i < explorer->cell_count; i++) {
        explorer->cells[i]->explored = NULL;
    }
}

static bool is_broken(const struct db_async *connection) {
    return db_async_transaction(connection) == DB_ASYNC_BROKEN;
}

static bool has_broken_session(const struct explorer *explorer) {
    bool is_found = false;
    for (size_t i = 0; i < explorer->cell_count; i++) {
        const struct cell *cell = explorer->cells[i];
        for (size_t j = 0; j < cell->session_count; j++) {
            is_found |= is_broken(cell->sessions[j].connection);
        }
    }
    return is_found;
}

// A server that shuts down or restarts refuses connections before it ends those it has.
static bool accepts_connections(struct explorer *explorer) {
    struct text problem = {0};
    struct db_async *attempt = db_async_open(explorer->loop, explorer->settings.server, explorer->settings.is_stopped,
                                             &problem);
    if (attempt != NULL) {
        db_async_close(attempt);
    }
    text_free(&problem);
    return attempt != NULL;
}

void explore_note_loss(struct explorer *explorer) {
    if (explorer_is_stopped(explorer) || explorer_is_lost(explorer) || !has_broken_session(explorer)) {
        return;
    }
    struct text ignored = {0};
    explorer->has_lost_server = !accepts_connections(explorer) ||
                                !explore_ask(explorer->loop, explorer->admin, sql_explore[EXPLORE_ROLLBACK], &ignored);
    text_free(&ignored);
}

bool explorer_is_lost(const struct explorer *explorer) {
    bool is_lost = explorer->has_lost_server || (explorer->admin != NULL && is_broken(explorer->admin));
    for (size_t i = 0; i < explorer->cell_count; i++) {
        is_lost |= is_broken(explorer->cells[i]->control);
    }
    return is_lost;
}

bool explorer_is_stopped(const struct explorer *explorer) {
    return explorer->settings.is_stopped != NULL && *explorer->settings.is_stopped;
}
