// Units, rows, reads and writes, all in one bounded memory. When it is full, the unit that ended first is dropped.
#include "server/sight/sight_history.h"

#include <stdlib.h>

enum {
    ROW_SLOTS = 8192,
    LABEL_SLOTS = 1024,
    READS_MAX = 10000, // in a unit; then its oldest read is dropped
    SESSION_READS_MAX = 256,
    CHECKS_MAX = 64,
    WRITES_MAX = 10000,
    ENDED_UNITS_MAX = 20000,
};
#define IDLE_NS (UINT64_C(10) * NANOSECONDS_PER_SECOND) // then a trace has ended

LIST_HEAD(row_slot, row);
LIST_HEAD(label_slot, unit);
TAILQ_HEAD(unit_list, unit);

struct history {
    struct row_slot rows[ROW_SLOTS];
    struct label_slot labels[LABEL_SLOTS];
    struct unit_list open, ended; // in the order of their begin, and of their end
    size_t ended_count;
    uint64_t order, units, dropped;
    uint64_t kept_from, lost_until;
    size_t bytes, bytes_max;
};

struct history *history_new(size_t bytes_max) {
    struct history *history = memory_allocate_zeroed(sizeof *history);
    TAILQ_INIT(&history->open);
    TAILQ_INIT(&history->ended);
    history->bytes_max = bytes_max;
    history->kept_from = UINT64_MAX;
    return history;
}

uint64_t history_next(struct history *history) {
    return ++history->order;
}

size_t history_bytes(const struct history *history) {
    return history->bytes;
}

uint64_t history_dropped(const struct history *history) {
    return history->dropped;
}

uint64_t history_lost_until(const struct history *history) {
    return history->lost_until;
}

uint64_t history_units(const struct history *history) {
    return history->units;
}

static void *allocate(struct history *history, size_t size) {
    history->bytes += size;
    return memory_allocate_zeroed(size);
}

static void release(struct history *history, void *memory, size_t size) {
    history->bytes -= size;
    free(memory);
}

// --- Quotes ---

struct quote *quote_new(struct history *history, const struct sql_text *text, size_t statement) {
    size_t length = strlen(text->shown);
    struct quote *quote = allocate(history, sizeof *quote + length + 1);
    quote->references = 1;
    quote->fingerprint = statement < text->count ? text->statements[statement].fingerprint : 0;
    memcpy(quote->sql, text->shown, length);
    return quote;
}

static struct quote *keep(struct quote *quote) {
    if (quote != NULL) {
        quote->references++;
    }
    return quote;
}

void quote_release(struct history *history, struct quote *quote) {
    if (quote != NULL && --quote->references == 0) {
        release(history, quote, sizeof *quote + strlen(quote->sql) + 1);
    }
}

void terms_free(struct terms *terms) {
    for (size_t i = 0; i < terms->count; i++) {
        free(terms->items[i].value);
    }
    free(terms->items);
    *terms = (struct terms){0};
}

// --- Rows ---

static struct row_slot *slot_of(const struct history *history, const struct table *table, struct slice key) {
    uint64_t hash = sql_hash(SQL_HASH_START, (const char *)&table, sizeof(struct table *));
    return (struct row_slot *)(uintptr_t)&history->rows[sql_hash(hash, key.data, key.length) % ROW_SLOTS];
}

struct row *history_find_row(const struct history *history, const struct table *table, struct slice key) {
    struct row *row;
    LIST_FOREACH(row, slot_of(history, table, key), slot) {
        if (row->table == table && slice_equals(slice_of(row->key), key)) {
            return row;
        }
    }
    return NULL;
}

struct row *history_row(struct history *history, struct table *table, struct slice key) {
    struct row *row = history_find_row(history, table, key);
    if (row == NULL) {
        row = allocate(history, sizeof *row + key.length + 1);
        memcpy(row->key, key.data, key.length);
        row->table = table;
        LIST_INSERT_HEAD(slot_of(history, table, key), row, slot);
    }
    return row;
}

static void forget_row(struct history *history, struct row *row) {
    if (LIST_EMPTY(&row->reads) && LIST_EMPTY(&row->writes)) {
        LIST_REMOVE(row, slot);
        release(history, row, sizeof *row + strlen(row->key) + 1);
    }
}

// --- Reads, checks, writes ---

struct read *history_find_read(const struct unit *unit, const struct row *row) {
    struct read *read;
    LIST_FOREACH(read, &row->reads, of_row) {
        if (read->unit == unit) {
            return read;
        }
    }
    return NULL;
}

bool history_has_read_table(const struct unit *unit, const struct table *table) {
    const struct read *read;
    TAILQ_FOREACH(read, &unit->reads, of_unit) {
        if (read->row->table == table) {
            return true;
        }
    }
    const struct check *check;
    TAILQ_FOREACH(check, &unit->checks, of_unit) {
        if (check->table == table) {
            return true;
        }
    }
    return false;
}

static void forget_read(struct history *history, struct read *read) {
    struct row *row = read->row;
    TAILQ_REMOVE(&read->unit->reads, read, of_unit);
    LIST_REMOVE(read, of_row);
    read->unit->read_count--;
    quote_release(history, read->quote);
    release(history, read->seen, read->seen_count * sizeof *read->seen);
    release(history, read, sizeof *read);
    forget_row(history, row);
}

static void forget_check(struct history *history, struct check *check) {
    TAILQ_REMOVE(&check->unit->checks, check, of_unit);
    check->unit->check_count--;
    terms_free(&check->terms);
    quote_release(history, check->quote);
    release(history, check, sizeof *check);
}

void history_forget_reads(struct history *history, struct unit *unit) {
    struct read *next_read;
    for (struct read *read = TAILQ_FIRST(&unit->reads); read != NULL; read = next_read) {
        next_read = TAILQ_NEXT(read, of_unit);
        forget_read(history, read);
    }
    struct check *next_check;
    for (struct check *check = TAILQ_FIRST(&unit->checks); check != NULL; check = next_check) {
        next_check = TAILQ_NEXT(check, of_unit);
        forget_check(history, check);
    }
}

struct read *history_read(struct history *history, struct unit *unit, struct row *row, uint64_t order, uint64_t now_ns,
                          struct quote *quote) {
    struct read *read = history_find_read(unit, row);
    if (read == NULL) {
        read = allocate(history, sizeof *read);
        *read = (struct read){.unit = unit, .row = row, .first = order, .quote = keep(quote)};
        LIST_INSERT_HEAD(&row->reads, read, of_row);
        TAILQ_INSERT_TAIL(&unit->reads, read, of_unit);
        unit->read_count++;
        size_t most = unit->scope == SIGHT_SCOPE_SESSION ? SESSION_READS_MAX : READS_MAX;
        if (unit->read_count > most || (history->bytes > history->bytes_max && unit->read_count > 1)) {
            history->dropped++;
            forget_read(history, TAILQ_FIRST(&unit->reads));
        }
    }
    read->last = order;
    read->last_ns = now_ns;
    return read;
}

struct check *history_check(struct history *history, struct unit *unit, struct table *table, struct quote *quote) {
    if (unit->check_count >= CHECKS_MAX) {
        history->dropped++;
        forget_check(history, TAILQ_FIRST(&unit->checks));
    }
    struct check *check = allocate(history, sizeof *check);
    *check = (struct check){.unit = unit, .table = table, .quote = keep(quote)};
    TAILQ_INSERT_TAIL(&unit->checks, check, of_unit);
    unit->check_count++;
    return check;
}

static struct seen *copy_seen(struct history *history, const struct seen *seen, size_t count) {
    if (count == 0) {
        return NULL;
    }
    struct seen *copy = allocate(history, count * sizeof *copy);
    memcpy(copy, seen, count * sizeof *copy);
    return copy;
}

void history_see_nothing(struct history *history, struct read *read) {
    release(history, read->seen, read->seen_count * sizeof *read->seen);
    read->seen = NULL;
    read->seen_count = 0;
}

void history_doubt_reads(struct history *history, const struct unit *unit, uint64_t since) {
    struct read *read;
    TAILQ_FOREACH(read, &unit->reads, of_unit) {
        if (read->last > since) {
            history_see_nothing(history, read);
        }
    }
}

void history_see(struct history *history, struct read *read, uint64_t columns, const struct seen *seen, size_t count) {
    struct seen all[SEEN_MAX];
    size_t all_count = MIN(count, (size_t)SEEN_MAX);
    memcpy(all, seen, all_count * sizeof *all);
    for (size_t i = 0; i < read->seen_count && all_count < SEEN_MAX; i++) {
        if ((columns & UINT64_C(1) << read->seen[i].column) == 0) {
            all[all_count++] = read->seen[i];
        }
    }
    history_see_nothing(history, read);
    read->seen = copy_seen(history, all, all_count);
    read->seen_count = all_count;
}

static void copy_known(struct history *history, struct write *write, const struct unit *unit) {
    const struct read *read = history_find_read(unit, write->row);
    if (read == NULL || read->last >= write->sent) {
        return; // read after the write was sent, so the write does not depend on it
    }
    write->known = read->last;
    write->known_first = read->first;
    write->known_ns = read->last_ns;
    write->known_columns = read->columns;
    write->known_first_locked = read->first_locked;
    write->known_locked = read->is_locked;
    write->known_repeatable = read->in_repeatable;
    write->known_quote = keep(read->quote);
    write->known_seen = copy_seen(history, read->seen, read->seen_count);
    write->known_seen_count = read->seen_count;
}

struct write *history_write(struct history *history, struct unit *unit, struct row *row, uint64_t sent,
                            struct quote *quote) {
    if (unit->write_count >= WRITES_MAX || history->bytes >= history->bytes_max) {
        history->dropped++;
        forget_row(history, row);
        return NULL;
    }
    struct write *write = allocate(history, sizeof *write);
    *write = (struct write){.unit = unit, .row = row, .sent = sent, .quote = keep(quote)};
    LIST_INSERT_HEAD(&row->writes, write, of_row);
    TAILQ_INSERT_TAIL(&unit->writes, write, of_unit);
    unit->write_count++;
    copy_known(history, write, unit);
    return write;
}

void history_borrow_known(struct history *history, struct write *write, const struct unit *unit) {
    if (write->known == 0) {
        copy_known(history, write, unit);
        write->known_in_session = write->known != 0;
    }
}

void history_undo(struct history *history, struct write *write) {
    struct row *row = write->row;
    TAILQ_REMOVE(&write->unit->writes, write, of_unit);
    LIST_REMOVE(write, of_row);
    write->unit->write_count--;
    row->newest = row->newest == write ? NULL : row->newest;
    terms_free(&write->terms);
    quote_release(history, write->quote);
    quote_release(history, write->known_quote);
    release(history, write->known_seen, write->known_seen_count * sizeof *write->known_seen);
    release(history, write, sizeof *write);
    forget_row(history, row);
}

// --- Units ---

static struct label_slot *slot_of_label(const struct history *history, const char *label) {
    return (struct label_slot *)(uintptr_t)&history
        ->labels[sql_hash(SQL_HASH_START, label, strlen(label)) % LABEL_SLOTS];
}

struct unit *history_find_trace(const struct history *history, const char *label) {
    struct unit *unit;
    LIST_FOREACH(unit, slot_of_label(history, label), by_label) {
        if (strcmp(unit->label, label) == 0) {
            return unit;
        }
    }
    return NULL;
}

struct unit *history_unit(struct history *history, enum sight_scope scope, const char *label, uint32_t backend_pid,
                          uint64_t now_ns) {
    struct unit *unit = scope == SIGHT_SCOPE_TRACE ? history_find_trace(history, label) : NULL;
    if (unit == NULL) {
        unit = allocate(history, sizeof *unit);
        unit->id = ++history->units;
        unit->scope = scope;
        unit->begun = history_next(history);
        unit->backend_pid = backend_pid;
        TAILQ_INIT(&unit->reads);
        TAILQ_INIT(&unit->checks);
        TAILQ_INIT(&unit->writes);
        TAILQ_INSERT_TAIL(&history->open, unit, link);
        if (scope == SIGHT_SCOPE_TRACE) {
            memcpy(unit->label, label, strlen(label));
            LIST_INSERT_HEAD(slot_of_label(history, label), unit, by_label);
        }
    }
    unit->users++;
    unit->used_ns = now_ns;
    return unit;
}

static void end_unit(struct history *history, struct unit *unit) {
    if (unit->scope == SIGHT_SCOPE_TRACE) {
        LIST_REMOVE(unit, by_label);
    }
    unit->ended = history_next(history);
    TAILQ_REMOVE(&history->open, unit, link);
    TAILQ_INSERT_TAIL(&history->ended, unit, link);
    history->ended_count++;
}

void history_leave(struct history *history, struct unit *unit) {
    CHECK(unit->users > 0);
    unit->users--;
    if (unit->users == 0 && unit->scope != SIGHT_SCOPE_TRACE) {
        end_unit(history, unit);
    }
}

static void free_unit(struct history *history, struct unit *unit) {
    history_forget_reads(history, unit);
    struct write *next;
    for (struct write *write = TAILQ_FIRST(&unit->writes); write != NULL; write = next) {
        next = TAILQ_NEXT(write, of_unit);
        history_undo(history, write);
    }
    TAILQ_REMOVE(&history->ended, unit, link);
    history->ended_count--;
    release(history, unit, sizeof *unit);
}

void history_keep_from(struct history *history, uint64_t order) {
    const struct unit *unit = TAILQ_FIRST(&history->open);
    history->kept_from = unit != NULL && order != UINT64_MAX ? MIN(order, unit->begun) : order;
    TAILQ_FOREACH_REVERSE(unit, &history->ended, unit_list, link) {
        if (unit->ended < order) {
            return;
        }
        history->kept_from = MIN(history->kept_from, unit->begun);
    }
}

void history_trim(struct history *history, uint64_t now_ns) {
    struct unit *oldest = TAILQ_FIRST(&history->open);
    while (oldest != NULL && oldest->users == 0 && now_ns > oldest->used_ns + IDLE_NS) {
        end_unit(history, oldest);
        oldest = TAILQ_FIRST(&history->open);
    }
    struct unit *next;
    for (struct unit *unit = TAILQ_FIRST(&history->ended); unit != NULL; unit = next) {
        next = TAILQ_NEXT(unit, link);
        bool overlaps = (oldest != NULL && oldest->begun < unit->ended) || unit->ended >= history->kept_from;
        bool is_full = history->ended_count > ENDED_UNITS_MAX || history->bytes > history->bytes_max;
        if (overlaps && !is_full) {
            return;
        }
        history->dropped += overlaps;
        history->lost_until = overlaps ? unit->ended : history->lost_until;
        free_unit(history, unit);
    }
}

void history_free(struct history *history) {
    while (!TAILQ_EMPTY(&history->open)) {
        end_unit(history, TAILQ_FIRST(&history->open));
    }
    struct unit *next;
    for (struct unit *unit = TAILQ_FIRST(&history->ended); unit != NULL; unit = next) {
        next = TAILQ_NEXT(unit, link);
        free_unit(history, unit);
    }
    CHECK(history->bytes == 0);
    free(history);
}
