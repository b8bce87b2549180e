// The databases that the explorer works in: it makes one for each cell, and drops them when it ends.
#include "workers/explore/explore_internal.h"

#include <stdio.h>
#include <stdlib.h>

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
    struct text *drop = &explorer->drops[number];
    text_append_string(name, db_async_value(answer, (int)number, 0));
    text_append_string(&create, db_async_value(answer, (int)number, 1));
    text_append_string(drop, db_async_value(answer, (int)number, 2));
    bool good = explore_ask(explorer->loop, explorer->admin, text_terminated(&create), problem);
    if (!good) {
        text_clear(drop);
    }
    text_free(&create);
    return good;
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
    return may;
}

static bool open_cell(struct explorer *explorer, unsigned number, struct text *conninfo, struct text *problem) {
    struct text name = {0};
    bool good = true;
    if (explorer->settings.database_url != NULL) {
        text_append_string(conninfo, explorer->settings.database_url);
    } else {
        good = make_database(explorer, number, &name, problem);
        append_conninfo(conninfo, explorer->settings.server, text_terminated(&name));
    }
    text_free(&name);
    if (!good) {
        return false;
    }
    struct cell *cell = memory_allocate_zeroed(sizeof *cell);
    explorer->cells[explorer->cell_count++] = cell;
    return cell_open(cell, explorer, explorer->loop, text_terminated(conninfo), problem) &&
           may_use(explorer, cell, problem);
}

static bool open_cells(struct explorer *explorer, struct text *problem) {
    for (unsigned i = 0; i < explorer->settings.cells; i++) {
        struct text conninfo = {0};
        bool good = open_cell(explorer, i, &conninfo, problem);
        text_free(&conninfo);
        if (!good) {
            return false;
        }
    }
    return true;
}

struct explorer *explorer_open(uv_loop_t *loop, const struct explore_settings *settings, struct text *problem) {
    struct explorer *explorer = memory_allocate_zeroed(sizeof *explorer);
    explorer->loop = loop;
    explorer->settings = *settings;
    explorer->settings.cells = MAX(1U, MIN(settings->cells, (unsigned)EXPLORE_CELLS_MAX));
    if (settings->database_url == NULL) {
        explorer->admin = db_async_open(loop, settings->server, problem);
        if (explorer->admin == NULL) {
            explorer_close(explorer);
            return NULL;
        }
    } else {
        explorer->settings.cells = 1;
    }
    if (!open_cells(explorer, problem)) {
        explorer_close(explorer);
        return NULL;
    }
    return explorer;
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

void explorer_close(struct explorer *explorer) {
    for (size_t i = 0; i < explorer->cell_count; i++) {
        cell_close(explorer->cells[i]);
    }
    explore_forget_case(explorer);
    struct text ignored = {0};
    for (size_t i = 0; i < EXPLORE_CELLS_MAX; i++) {
        // If it fails nothing more can be done: the launcher makes a new server, another server keeps the database.
        if (explorer->drops[i].length > 0 &&
            !explore_ask(explorer->loop, explorer->admin, text_terminated(&explorer->drops[i]), &ignored)) {
            text_clear(&ignored);
        }
        text_free(&explorer->drops[i]);
    }
    text_free(&ignored);
    db_async_close(explorer->admin);
    free(explorer);
}

void explorer_forget_case(struct explorer *explorer) {
    for (size_t i = 0; i < explorer->cell_count; i++) {
        explorer->cells[i]->explored = NULL;
    }
}

void explorer_stop(struct explorer *explorer) {
    explorer->is_stopped = true;
}
