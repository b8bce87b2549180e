// The dependency graph of an anomalous order, with the names of its tables and rows: for a reader who wants to know
// why no serial order exists. explore_name.c finds the edges.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

// --- Names of rows ---

// The row of this place: the first character of a ctid "(0,1)" is passed over.
static bool is_place(const char *ctid, uint64_t row) {
    char *end;
    uint64_t page = strtoull(ctid + 1, &end, 10);
    return *end == ',' && (page << 16 | strtoull(end + 1, NULL, 10)) == row;
}

// Names the rows of one table, which the server has answered by their places.
static void name_rows(const struct cell *cell, const struct dependencies *dependencies, unsigned table,
                      struct explore_graph *graph, struct arena *memory) {
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    for (size_t i = 0; i < graph->count; i++) {
        for (int row = 0; row < db_async_rows(answer) && dependencies->items[i].table == table; row++) {
            const char *name = db_async_value(answer, row, 1);
            if (name != NULL && is_place(db_async_value(answer, row, 0), dependencies->items[i].row)) {
                graph->edges[i].row = arena_copy(memory, slice_of(name));
            }
        }
    }
}

static bool has_table(const struct dependencies *dependencies, unsigned table) {
    for (size_t i = 0; i < dependencies->count; i++) {
        if (dependencies->items[i].table == table) {
            return true;
        }
    }
    return false;
}

// Names the tables, and keeps the queries for the names of their rows.
static void name_tables(struct cell *cell, const struct dependencies *dependencies, struct explore_graph *graph,
                        struct arena *memory) {
    struct text words = {0};
    struct arena queries = {0};
    if (explore_ask(cell->loop, cell->control, sql_explore[EXPLORE_ROW_NAMES], &words)) {
        const struct db_async_answer *answer = db_async_last_answer(cell->control);
        size_t count = (size_t)db_async_rows(answer);
        const char **sql = arena_allocate(&queries, (count + 1) * sizeof *sql);
        unsigned *tables = arena_allocate(&queries, (count + 1) * sizeof *tables);
        for (size_t row = 0; row < count; row++) {
            const char *query = db_async_value(answer, (int)row, 2);
            tables[row] = (unsigned)strtoul(db_async_value(answer, (int)row, 0), NULL, 10);
            sql[row] = query == NULL ? NULL : arena_copy(&queries, slice_of(query));
            for (size_t i = 0; i < graph->count; i++) {
                if (dependencies->items[i].table == tables[row]) {
                    graph->edges[i].table = arena_copy(memory, slice_of(db_async_value(answer, (int)row, 1)));
                }
            }
        }
        for (size_t row = 0; row < count; row++) {
            if (sql[row] != NULL && has_table(dependencies, tables[row]) &&
                explore_ask(cell->loop, cell->control, sql[row], &words)) {
                name_rows(cell, dependencies, tables[row], graph, memory);
            }
        }
    }
    arena_free(&queries);
    text_free(&words);
}

// Two sessions that each insert a row write no common row: the name needs such an edge only if there is no other one.
static void leave_out_new_rows(struct dependencies *dependencies) {
    size_t kept = 0;
    for (size_t i = 0; i < dependencies->count; i++) {
        const struct dependency *each = &dependencies->items[i];
        bool is_needed = each->kind != EXPLORE_WW || each->row != ROW_NEW;
        bool has_other = false;
        for (size_t j = 0; j < dependencies->count; j++) {
            const struct dependency *other = &dependencies->items[j];
            has_other |= (j < kept || j > i) && other->from == each->from && other->to == each->to;
        }
        if (is_needed || !has_other) {
            dependencies->items[kept++] = *each;
        }
    }
    dependencies->count = kept;
}

// --- The cycle ---

// Marks the edge that leads best from one session of the cycle to the next: the kinds are tried in this order.
static void mark(struct explore_graph *graph, uint8_t from, uint8_t to, const enum explore_dependency *kinds) {
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < graph->count; i++) {
            struct explore_edge *edge = &graph->edges[i];
            if (edge->from == from && edge->to == to && edge->kind == kinds[kind]) {
                edge->in_cycle = true;
                return;
            }
        }
    }
}

static void mark_cycle(struct explore_graph *graph, const char *name) {
    static const enum explore_dependency read_first[] = {EXPLORE_RW, EXPLORE_WR, EXPLORE_WW};
    static const enum explore_dependency written_first[] = {EXPLORE_WW, EXPLORE_RW, EXPLORE_WR};
    bool is_lost_update = strncmp(name, "lost", 4) == 0;
    for (size_t i = 0; i < graph->cycle_length; i++) {
        uint8_t next = graph->cycle[(i + 1) % graph->cycle_length];
        mark(graph, graph->cycle[i], next, i > 0 && is_lost_update ? written_first : read_first);
    }
}

void explore_draw_graph(struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                        struct explore_outcome *outcome) {
    struct dependencies dependencies = {0};
    struct explore_graph *graph = &outcome->graph;
    struct arena *memory = &outcome->first->memory;
    const char *name = explore_name(explorer, explored, level, outcome->first, &dependencies);
    leave_out_new_rows(&dependencies);
    graph->edges = arena_allocate(memory, (dependencies.count + 1) * sizeof *graph->edges);
    graph->count = dependencies.count;
    for (size_t i = 0; i < dependencies.count; i++) {
        const struct dependency *each = &dependencies.items[i];
        graph->edges[i] = (struct explore_edge){.from = each->from,
                                                .to = each->to,
                                                .kind = each->kind,
                                                .from_step = each->from_step,
                                                .to_step = each->to_step,
                                                .table = "",
                                                .row = each->row == ROW_NEW ? "a new row" : NULL};
    }
    if (graph->count > 0) {
        name_tables(explorer->cells[0], &dependencies, graph, memory);
    }
    graph->cycle_length = name == NULL ? 0 : dependencies.cycle_length;
    memcpy(graph->cycle, dependencies.cycle, sizeof graph->cycle);
    if (name != NULL) {
        mark_cycle(graph, name);
    }
    free(dependencies.items);
}
