// An order that is repeated for a reader: at another level a session may have to wait or to end, so the order is
// followed as far as it can be.
#include "workers/explore/explore_internal.h"

enum { ROWS_MAX = 500 }; // more of them after each step would make the document too large

uint8_t repeat_next(struct cell *cell, uint16_t ready, uint8_t otherwise) {
    while (cell->passed < cell->prefix->count) {
        uint8_t next = cell->prefix->sessions[cell->passed++];
        if (ready >> next & 1) {
            return next;
        }
    }
    return otherwise;
}

static void on_rows(void *user) {
    struct cell *cell = user;
    record_snapshot(cell);
    cell->rows_read(cell);
}

static bool has_few_rows(const struct cell *cell) {
    int rows = 0;
    for (size_t i = 0; i < cell->table_count; i++) {
        rows += MIN(cell->tables[i].first_row_count, ROWS_MAX + 1);
    }
    return cell->table_count > 0 && rows <= ROWS_MAX && !cell->changes_schema;
}

void repeat_read_rows(struct cell *cell, cell_done *done) {
    if (!cell->prefix->is_repeat || cell->run->snapshot_count > cell->run->step_count || !has_few_rows(cell)) {
        done(cell);
        return;
    }
    const char *sql[CELL_TABLES_MAX];
    for (size_t i = 0; i < cell->table_count; i++) {
        sql[i] = cell->tables[i].read;
    }
    cell->rows_read = done;
    cell->rows_are_due = db_async_is_busy(cell->control); // with a look that nobody needs any more
    if (!cell->rows_are_due) {
        db_async_execute(cell->control, sql, cell->table_count, on_rows, cell);
    }
}
