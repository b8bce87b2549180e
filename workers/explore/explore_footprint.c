// Finds out which rows a statement reads and writes, without a look at its text: triggers, functions and foreign keys
// are covered. The statement runs in a SERIALIZABLE transaction. Its predicate locks (pg_locks, mode SIReadLock) show
// what it has read; the row versions that carry its transaction id show what it has written or locked.
// https://www.postgresql.org/docs/current/pageinspect.html, src/backend/storage/lmgr/README-SSI.
#include "workers/explore/explore_internal.h"
#include "workers/explore/explore_planted.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    COLUMN_KIND,
    COLUMN_TABLE,
    COLUMN_PAGE,
    COLUMN_LINE,
    COLUMN_NEXT_PAGE,
    COLUMN_NEXT_LINE,
    COLUMN_XMIN,
    COLUMN_MADE,
    COLUMN_ENDED,
    COLUMN_HEAP_ONLY,
    COLUMN_ONLY_LOCKED
};

enum { PAGE_OF_INDEX = -1, WHOLE_TABLE = -2 };

static long number(const struct db_async_answer *answer, int row, int column) {
    return strtol(db_async_value(answer, row, column), NULL, 10);
}

static bool is_true(const struct db_async_answer *answer, int row, int column) {
    const char *value = db_async_value(answer, row, column);
    return value != NULL && value[0] == 't';
}

static bool is_row(const struct db_async_answer *answer, int row) {
    return strcmp(db_async_value(answer, row, COLUMN_KIND), "row") == 0;
}

void footprint_add(struct footprint *footprint, struct touch touch) {
    for (size_t i = 0; i < footprint->count; i++) {
        struct touch *each = &footprint->touches[i];
        if (each->table == touch.table && each->row == touch.row) {
            each->reads |= touch.reads;
            each->writes |= touch.writes;
            each->locks |= touch.locks;
            each->indexes |= touch.indexes;
            each->versions += touch.versions;
            return;
        }
    }
    footprint->touches = memory_resize(footprint->touches, (footprint->count + 1) * sizeof *footprint->touches);
    footprint->touches[footprint->count++] = touch;
}

// The line of `answer` that holds the version of a table's row, or -1.
static int find_version(const struct db_async_answer *answer, long table, long page, long line) {
    for (int row = 0; row < db_async_rows(answer); row++) {
        if (is_row(answer, row) && number(answer, row, COLUMN_TABLE) == table &&
            number(answer, row, COLUMN_PAGE) == page && number(answer, row, COLUMN_LINE) == line) {
            return row;
        }
    }
    return -1;
}

// The version that was updated to this one, or -1.
static int find_predecessor(const struct db_async_answer *answer, int version) {
    for (int row = 0; row < db_async_rows(answer); row++) {
        if (row != version && is_row(answer, row) &&
            number(answer, row, COLUMN_TABLE) == number(answer, version, COLUMN_TABLE) &&
            number(answer, row, COLUMN_NEXT_PAGE) == number(answer, version, COLUMN_PAGE) &&
            number(answer, row, COLUMN_NEXT_LINE) == number(answer, version, COLUMN_LINE)) {
            return row;
        }
    }
    return -1;
}

// The transaction that put the first rows of a table there is the oldest one in it.
static long oldest_xmin(const struct db_async_answer *answer, long table) {
    long oldest = LONG_MAX;
    for (int row = 0; row < db_async_rows(answer); row++) {
        if (is_row(answer, row) && number(answer, row, COLUMN_TABLE) == table) {
            oldest = MIN(oldest, number(answer, row, COLUMN_XMIN));
        }
    }
    return oldest;
}

// A row keeps its identity over its versions: the first version's place.
static uint64_t identity(const struct cell *cell, const struct db_async_answer *answer, int version) {
    int first = version;
    for (int before = version; before >= 0; before = find_predecessor(answer, before)) {
        first = before;
    }
    long table = number(answer, first, COLUMN_TABLE);
    bool had_rows = false;
    for (size_t i = 0; i < cell->table_count; i++) {
        had_rows |= cell->tables[i].oid == (unsigned long)table && cell->tables[i].first_row_count > 0;
    }
    if (!had_rows || number(answer, first, COLUMN_XMIN) != oldest_xmin(answer, table)) {
        return ROW_NEW;
    }
    return (uint64_t)number(answer, first, COLUMN_PAGE) << 16 | (uint64_t)number(answer, first, COLUMN_LINE);
}

static bool was_read_before(const struct cell_session *session, const struct touch *touch) {
    for (size_t i = 0; i < session->measured; i++) {
        const struct footprint *earlier = &session->cell->explorer->footprints[session->index][i];
        for (size_t j = 0; j < earlier->count; j++) {
            const struct touch *each = &earlier->touches[j];
            if (each->reads && each->table == touch->table && each->row == touch->row) {
                return true;
            }
        }
    }
    return false;
}

static void add_read(const struct cell_session *session, const struct db_async_answer *answer, int row,
                     struct footprint *footprint) {
    long table = number(answer, row, COLUMN_TABLE);
    long page = number(answer, row, COLUMN_PAGE);
    long line = number(answer, row, COLUMN_LINE);
    struct touch touch = {.table = (unsigned)table, .row = page == PAGE_OF_INDEX ? ROW_GAP : ROW_ANY, .reads = true};
    int version = page >= 0 && line > 0 ? find_version(answer, table, page, line) : -1;
    if (version >= 0) {
        touch.row = identity(session->cell, answer, version);
    }
    if (!READS_ARE_NOT_ACCUMULATED || !was_read_before(session, &touch)) {
        footprint_add(footprint, touch);
    }
}

// Collects what the open transaction has written so far.
static void add_written(const struct cell *cell, const struct db_async_answer *answer, int row,
                        struct footprint *written) {
    bool made = is_true(answer, row, COLUMN_MADE);
    bool ended = is_true(answer, row, COLUMN_ENDED);
    if (!made && !ended) {
        return;
    }
    bool is_new = made && find_predecessor(answer, row) < 0;
    bool is_locked = !made && is_true(answer, row, COLUMN_ONLY_LOCKED);
    footprint_add(written, (struct touch){.table = (unsigned)number(answer, row, COLUMN_TABLE),
                                          .row = identity(cell, answer, row),
                                          .locks = is_locked,
                                          .writes = !is_new && !is_locked,
                                          .indexes = is_new || (made && !is_true(answer, row, COLUMN_HEAP_ONLY)),
                                          .versions = (made ? 1 : 0) + (ended ? 1 : 0)});
}

// Adds the rows that the transaction has written since its last statement began.
static void add_new(struct footprint *footprint, const struct footprint *written, const struct footprint *before) {
    for (size_t i = 0; i < written->count; i++) {
        bool is_old = false;
        for (size_t j = 0; j < before->count; j++) {
            is_old |= before->touches[j].table == written->touches[i].table &&
                      before->touches[j].row == written->touches[i].row &&
                      before->touches[j].versions == written->touches[i].versions;
        }
        if (!is_old) {
            footprint_add(footprint, written->touches[i]);
        }
    }
}

void footprint_ask(struct cell_session *session, db_async_done *done) {
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", db_async_backend(session->connection));
    const char *values[] = {pid};
    db_async_execute_with(session->cell->control, sql_explore[EXPLORE_FOOTPRINT], values, 1, done, session);
}

static bool has_text(const struct footprint *footprint, uint64_t hash) {
    for (size_t i = 0; i < footprint->text_count; i++) {
        if (footprint->texts[i] == hash) {
            return true;
        }
    }
    return false;
}

void footprint_note_text(struct explorer *explorer, uint8_t session, size_t instruction, const char *sql,
                         bool measures) {
    struct footprint *footprint = &explorer->footprints[session][instruction];
    uint64_t hash = 14695981039346656037U; // FNV-1a
    for (const char *at = sql; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 1099511628211U;
    }
    if (has_text(footprint, hash)) {
        return;
    }
    if (measures) {
        footprint->texts = memory_resize(footprint->texts, (footprint->text_count + 1) * sizeof *footprint->texts);
        footprint->texts[footprint->text_count++] = hash;
    } else if (explorer->knows_footprints && footprint->was_measured && !footprint->misses_texts) {
        footprint->misses_texts = true;
        explorer->learned_late = true;
    }
}

void footprint_take(struct cell_session *session) {
    const struct cell *cell = session->cell;
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    struct footprint *footprint = &cell->explorer->footprints[session->index][session->measured];
    if (db_async_error(cell->control) != NULL || answer == NULL) {
        cell->explorer->can_inspect = false;
        return;
    }
    struct footprint written = {0};
    if (!session->in_transaction) { // the rows of another transaction are no part of this one
        free(session->written.touches);
        session->written = (struct footprint){0};
    }
    for (int row = 0; row < db_async_rows(answer); row++) {
        if (is_row(answer, row)) {
            add_written(cell, answer, row, &written);
        } else if (strcmp(db_async_value(answer, row, COLUMN_KIND), "read") == 0) {
            add_read(session, answer, row, footprint);
        } else {
            footprint->is_unclear = true;
        }
    }
    add_new(footprint, &written, &session->written);
    free(session->written.touches);
    session->written = written;
    const struct explore_session_run *recorded = &cell->run->sessions[session->index];
    bool in_transaction = db_async_transaction(session->connection) != DB_ASYNC_NO_TRANSACTION;
    const struct case_statement_shape *shape = &cell->shapes[session->index][session->measured];
    // The server does not show behind a transaction's end what it has touched.
    footprint->is_unclear |= !in_transaction && (!session->in_transaction || shape->is_several);
    size_t first = in_transaction || session->in_transaction ? session->transaction_began : recorded->count - 1;
    uint16_t began = recorded->answers[first].instruction;
    footprint->is_unclear |= footprint->was_measured && footprint->began != began;
    footprint->began = began;
    footprint->is_lone = session->is_split || (!in_transaction && !session->in_transaction);
    footprint->was_measured = true;
}
