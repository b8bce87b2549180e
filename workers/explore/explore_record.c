// Copies answers out of the connections, so that a run can be kept and compared.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

static const char *copy(struct arena *memory, const char *text) {
    return text == NULL ? NULL : arena_copy(memory, slice_of(text));
}

static const struct cell_table *table_of(const struct cell *cell, unsigned oid) {
    for (size_t i = 0; i < cell->table_count && oid != 0; i++) {
        if (cell->tables[i].oid == oid) {
            return &cell->tables[i];
        }
    }
    return NULL;
}

static bool is_from_sequence(const struct cell_table *table, int number) {
    for (const char *at = table == NULL ? "" : table->from_sequence; *at != '\0';) {
        char *end;
        if (strtol(at, &end, 10) == number) {
            return true;
        }
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}

static int compare_values(const void *one, const void *other) {
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

// A row that the setup has made keeps its number in every order, so that it distinguishes the rows.
static bool is_first_value(const struct cell_table *table, int number, const char *value) {
    for (size_t i = 0; i < table->first_value_count && value != NULL; i++) {
        const struct first_values *first = &table->first_values[i];
        if (first->column == number && first->count > 0 &&
            bsearch(&value, first->values, first->count, sizeof *first->values, compare_values) != NULL) {
            return true;
        }
    }
    return false;
}

void record_first_values(struct cell *cell, struct cell_table *table, const struct db_async_answer *answer) {
    size_t rows = (size_t)db_async_rows(answer);
    table->first_values = arena_allocate(&cell->memory,
                                         (size_t)db_async_columns(answer) * sizeof *table->first_values + 1);
    for (int column = 0; column < db_async_columns(answer); column++) {
        int number = db_async_column_number(answer, column);
        if (!is_from_sequence(table, number)) {
            continue;
        }
        struct first_values *first = &table->first_values[table->first_value_count++];
        *first = (struct first_values){.column = number};
        first->values = arena_allocate(&cell->memory, rows * sizeof *first->values + 1);
        for (size_t row = 0; row < rows; row++) {
            const char *value = db_async_value(answer, (int)row, column);
            if (value != NULL) {
                first->values[first->count++] = copy(&cell->memory, value);
            }
        }
        qsort(first->values, first->count, sizeof *first->values, compare_values);
    }
}

static void record_rows(struct cell *cell, const struct db_async_answer *from, struct explore_answer *to) {
    struct arena *memory = &cell->run->memory;
    to->rows = db_async_has_rows(from) ? db_async_rows(from) : 0;
    to->columns = db_async_has_rows(from) ? db_async_columns(from) : 0;
    size_t columns = (size_t)to->columns;
    size_t rows = (size_t)to->rows;
    to->names = arena_allocate(memory, columns * sizeof *to->names);
    to->from_sequence = arena_allocate(memory, columns * sizeof *to->from_sequence);
    to->values = arena_allocate(memory, columns * rows * sizeof *to->values);
    to->is_generated = arena_allocate(memory, columns * rows * sizeof *to->is_generated);
    for (size_t column = 0; column < columns; column++) {
        to->names[column] = copy(memory, db_async_column_name(from, (int)column));
        const struct cell_table *table = table_of(cell, db_async_column_table(from, (int)column));
        int number = db_async_column_number(from, (int)column);
        to->from_sequence[column] = is_from_sequence(table, number);
        for (size_t row = 0; row < rows; row++) {
            const char *value = db_async_value(from, (int)row, (int)column);
            to->values[row * columns + column] = copy(memory, value);
            to->is_generated[row * columns + column] = to->from_sequence[column] &&
                                                       !is_first_value(table, number, value);
        }
    }
}

void record_answers(struct cell_session *asked, size_t instruction, size_t from, size_t end) {
    struct explore_run *run = asked->cell->run;
    struct explore_session_run *session = &run->sessions[asked->index];
    const struct db_async *connection = asked->connection;
    for (size_t i = from; i < MIN(end, db_async_answer_count(connection)); i++) {
        if ((session->count & (session->count - 1)) == 0) { // the room is a power of two
            size_t room = session->count == 0 ? 1 : session->count * 2;
            session->answers = memory_resize(session->answers, room * sizeof *session->answers);
        }
        const struct db_async_answer *answer = db_async_answer(connection, i);
        struct explore_answer *recorded = &session->answers[session->count++];
        *recorded = (struct explore_answer){.instruction = (uint16_t)instruction};
        const char *sqlstate = db_async_sqlstate(answer);
        (void)strncpy(recorded->sqlstate, sqlstate, sizeof recorded->sqlstate - 1);
        recorded->tag = copy(&run->memory, db_async_tag(answer));
        recorded->message = sqlstate[0] == '\0' ? "" : copy(&run->memory, db_async_message(answer));
        record_rows(asked->cell, answer, recorded);
    }
}

// The finalizer of MurmurHash3 (Appleby, public domain). Without it the hashes of two rows that differ in the last
// byte differ by a constant, so +1 in one row and -1 in another would cancel out in the sum.
static uint64_t mix(uint64_t hash) {
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdU;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53U;
    return hash ^ hash >> 33;
}

// FNV-1a over the values of a row, and the sum over the rows.
uint64_t record_hash_rows(const struct db_async_answer *answer) {
    uint64_t sum = 0;
    for (int row = 0; row < db_async_rows(answer); row++) {
        uint64_t hash = 14695981039346656037U;
        for (int column = 0; column < db_async_columns(answer); column++) {
            const char *value = db_async_value(answer, row, column);
            hash = (hash ^ (value == NULL ? 256 : 257)) * 1099511628211U;
            for (const char *at = value; at != NULL && *at != '\0'; at++) {
                hash = (hash ^ (unsigned char)*at) * 1099511628211U;
            }
        }
        sum += mix(hash);
    }
    return sum;
}

void record_table_list(struct cell *cell, struct text *reads) {
    const struct db_async_answer *answer = db_async_last_answer(cell->control);
    cell->table_count = MIN((size_t)db_async_rows(answer), (size_t)CELL_TABLES_MAX);
    cell->tables = arena_allocate(&cell->run->memory, (cell->table_count + 1) * sizeof *cell->tables);
    for (int i = 0; i < (int)cell->table_count; i++) {
        cell->tables[i].oid = (unsigned)strtoul(db_async_value(answer, i, 0), NULL, 10);
        cell->tables[i].name = copy(&cell->run->memory, db_async_value(answer, i, 1));
        const char *from_sequence = db_async_value(answer, i, 7);
        cell->tables[i].from_sequence = copy(&cell->run->memory, from_sequence == NULL ? "" : from_sequence);
        text_append_format(reads, "%s;", db_async_value(answer, i, 2));
    }
}

static struct explore_table rows_of(struct cell *cell, size_t number, const struct db_async_answer *answer) {
    struct explore_answer rows = {0};
    record_rows(cell, answer, &rows);
    return (struct explore_table){
        .name = copy(&cell->run->memory, cell->tables[number].name),
        .rows = rows.rows,
        .columns = rows.columns,
        .names = rows.names,
        .values = rows.values,
        .from_sequence = rows.from_sequence,
        .is_generated = rows.is_generated,
    };
}

void record_snapshot(struct cell *cell) {
    struct explore_run *run = cell->run;
    if ((run->snapshot_count & (run->snapshot_count - 1)) == 0) { // the room is a power of two
        size_t room = run->snapshot_count == 0 ? 1 : run->snapshot_count * 2;
        run->snapshots = memory_resize(run->snapshots, room * sizeof(void *));
    }
    struct explore_table *tables = NULL;
    if (cell_error_words(cell->control) == NULL) { // else a session has locked a table
        tables = arena_allocate(&run->memory, (cell->table_count + 1) * sizeof *tables);
        for (size_t i = 0; i < cell->table_count; i++) {
            tables[i] = rows_of(cell, i, db_async_answer(cell->control, i));
        }
    }
    run->snapshots[run->snapshot_count++] = tables;
}

static void record_table(struct cell *cell, size_t number, const struct db_async_answer *answer) {
    cell->run->tables[number] = rows_of(cell, number, answer);
    if (record_hash_rows(answer) != cell->tables[number].first_rows) {
        cell->dirty |= (uint64_t)1 << number;
    }
}

bool record_end(struct cell *cell) {
    struct explore_run *run = cell->run;
    run->table_count = cell->table_count;
    run->tables = arena_allocate(&run->memory, (cell->table_count + 1) * sizeof *run->tables);
    for (size_t i = 0; i < cell->table_count; i++) {
        record_table(cell, i, db_async_answer(cell->control, i));
    }
    for (size_t i = 0; i < cell->explored->invariant_count; i++) {
        const struct case_invariant *invariant = &cell->explored->invariants[i];
        const struct db_async_answer *answer = db_async_answer(cell->control, cell->table_count + i);
        const char *value = NULL;
        if (db_async_has_rows(answer) && db_async_rows(answer) == 1 && db_async_columns(answer) >= 1) {
            value = db_async_value(answer, 0, 0);
        }
        bool holds;
        if (value == NULL || !case_parse_boolean(value, &holds)) {
            cell_fail(cell, invariant->line, invariant->name,
                      "an invariant is a query with one row, which is true or false");
            return false;
        }
        run->broken_invariants |= (uint64_t)!holds << i;
    }
    return true;
}

void run_clear(struct explore_run *run) {
    for (size_t i = 0; i < CASE_SESSIONS_MAX; i++) {
        free(run->sessions[i].answers);
    }
    free(run->steps);
    free(run->snapshots);
    arena_free(&run->memory);
    *run = (struct explore_run){0};
}

void run_free(struct explore_run *run) {
    if (run != NULL) {
        run_clear(run);
        free(run);
    }
}

void exploration_free(struct exploration *exploration) {
    for (size_t i = 0; i < exploration->outcome_count; i++) {
        free(exploration->outcomes[i].key);
        run_free(exploration->outcomes[i].first);
    }
    for (size_t i = 0; i < exploration->serial_count; i++) {
        run_free(exploration->serial[i]);
    }
    if (exploration->smallest != NULL) { // its replay has none
        struct exploration replay = exploration->smallest->replay;
        free(exploration->smallest);
        exploration->smallest = NULL;
        exploration_free(&replay);
    }
    free(exploration->outcomes);
    free(exploration->serial);
    text_free(&exploration->masked);
    *exploration = (struct exploration){0};
}
