// The past: units of work, the rows they read and wrote, and in which order. The order is a number that grows with
// each message, because two messages may have the same time.
//
// A unit is kept until every unit that was open at its end has ended; then nothing can overlap with it any more.
#ifndef SERVER_SIGHT_SIGHT_HISTORY_H
#define SERVER_SIGHT_SIGHT_HISTORY_H

#include "server/sight/sight_catalogue.h"
#include "server/sight/sight_sql.h"

#include <sys/queue.h>

struct history;
struct unit;

// A statement as a finding shows it.
struct quote {
    size_t references;
    uint64_t fingerprint;
    char sql[];
};

struct row {
    LIST_ENTRY(row) slot;
    struct table *table;
    LIST_HEAD(, read) reads;
    LIST_HEAD(, write) writes;
    const struct write *newest; // the write whose record came last; NULL: unknown
    uint64_t newest_xid;        // the transaction that made it
    uint32_t newest_xmin;       // the version that it made
    char key[];                 // canonical, its columns separated by KEY_SEPARATOR; "" stands for the whole table
};
#define KEY_SEPARATOR '\x1f'

// A value that was read, or that a row version has, as a hash of its canonical text.
struct seen {
    int16_t column;
    uint64_t hash;
};
enum { SEEN_MAX = 62 }; // as many columns as have a bit

// One for each unit and row.
struct read {
    LIST_ENTRY(read) of_row;
    TAILQ_ENTRY(read) of_unit;
    struct unit *unit;
    struct row *row;
    uint64_t first, last; // when it came in first and last; an own write counts as a read
    uint64_t last_ns;
    uint64_t columns;
    bool first_locked, is_locked;
    bool in_repeatable; // in a transaction of REPEATABLE READ or above
    struct quote *quote;
    struct seen *seen; // the values of the last read, if row versions are judged; none after an own write
    size_t seen_count;
};

// An equality of a check, or a value of an inserted row.
struct term {
    int16_t column;
    char *value; // canonical; NULL: unknown
};

struct terms {
    struct term *items;
    size_t count;
    bool is_complete; // there was nothing else in the WHERE
};

// An aggregate or an empty result over a table.
struct check {
    TAILQ_ENTRY(check) of_unit;
    struct unit *unit;
    struct table *table;
    uint64_t last, last_ns;
    struct terms terms;
    struct quote *quote;
};

struct write {
    LIST_ENTRY(write) of_row;
    TAILQ_ENTRY(write) of_unit, of_transaction;
    struct unit *unit;
    struct row *row;
    bool is_committed, is_insert;
    bool is_versioned;    // a trigger records it, so its row version is judged and not the order of the messages
    bool is_recorded;     // the record has come
    uint32_t backend_pid; // the session's
    uint64_t committed;   // when its commit came in
    uint64_t rows_left;   // rows of the table whose records are to come, if the write's own row is the whole table
    uint64_t sent, done, sent_ns;
    uint64_t commit_sent; // when the message that committed it went out; the write itself if it needed no COMMIT
    uint64_t set, absolute, relative, guarded; // columns
    struct terms terms;                        // only if is_insert
    struct quote *quote;
    // The read of the row that the unit had received before it sent the write; known 0: none.
    uint64_t known, known_first, known_ns, known_columns;
    bool known_first_locked, known_locked, known_repeatable, known_in_session;
    struct quote *known_quote;
    struct seen *known_seen;
    size_t known_seen_count;
};
TAILQ_HEAD(transaction_writes, write);

struct unit {
    TAILQ_ENTRY(unit) link;
    LIST_ENTRY(unit) by_label;
    uint64_t id;
    enum sight_scope scope;
    char label[72];
    uint32_t backend_pid;
    uint64_t begun, ended; // ended 0: open
    uint64_t used_ns;
    size_t users; // sessions that may still add to it
    bool takes_other_lock;
    size_t read_count;
    TAILQ_HEAD(, read) reads;
    TAILQ_HEAD(, check) checks;
    TAILQ_HEAD(, write) writes;
    size_t check_count, write_count;
};

MUST_CHECK struct history *history_new(size_t bytes_max);
void history_free(struct history *history);
MUST_CHECK uint64_t history_next(struct history *history); // a new place in the order
MUST_CHECK size_t history_bytes(const struct history *history);
MUST_CHECK uint64_t history_dropped(const struct history *history);
// Before this place in the order, writes of ended units were dropped although they may still be looked for; 0: none.
MUST_CHECK uint64_t history_lost_until(const struct history *history);
MUST_CHECK uint64_t history_units(const struct history *history);

MUST_CHECK struct quote *quote_new(struct history *history, const struct sql_text *text, size_t statement);
void quote_release(struct history *history, struct quote *quote);

// The open unit with this label, or NULL.
MUST_CHECK struct unit *history_find_trace(const struct history *history, const char *label);
// The caller is a user of the unit until history_leave().
MUST_CHECK struct unit *history_unit(struct history *history, enum sight_scope scope, const char *label,
                                     uint32_t backend_pid, uint64_t now_ns);
void history_leave(struct history *history, struct unit *unit); // its last user ends it, except a trace
void history_trim(struct history *history, uint64_t now_ns);    // frees whatever no open unit can overlap with
// From now on, units that ended at this place in the order or later are kept, and those that overlap with them.
// UINT64_MAX: none is kept for that.
void history_keep_from(struct history *history, uint64_t order);

MUST_CHECK struct row *history_row(struct history *history, struct table *table, struct slice key);
MUST_CHECK struct row *history_find_row(const struct history *history, const struct table *table, struct slice key);
MUST_CHECK struct read *history_find_read(const struct unit *unit, const struct row *row);
MUST_CHECK bool history_has_read_table(const struct unit *unit, const struct table *table);

MUST_CHECK struct read *history_read(struct history *history, struct unit *unit, struct row *row, uint64_t order,
                                     uint64_t now_ns, struct quote *quote);
// The values of a new read of these columns. The others keep the values of older reads. The seen are copied.
void history_see(struct history *history, struct read *read, uint64_t columns, const struct seen *seen, size_t count);
void history_see_nothing(struct history *history, struct read *read); // the values are not known any more
// Writes after this place were rolled back: the unit may have read rows as it had made them.
void history_doubt_reads(struct history *history, const struct unit *unit, uint64_t since);
void history_forget_reads(struct history *history, struct unit *unit);
struct check *history_check(struct history *history, struct unit *unit, struct table *table, struct quote *quote);
// NULL: a limit was reached. Copies the read of the row that came in before `sent`.
MUST_CHECK struct write *history_write(struct history *history, struct unit *unit, struct row *row, uint64_t sent,
                                       struct quote *quote);
// Takes the read of the row by another unit of the same session, if the write's own unit has none.
void history_borrow_known(struct history *history, struct write *write, const struct unit *unit);
void history_undo(struct history *history, struct write *write); // it was rolled back
void terms_free(struct terms *terms);

#endif
