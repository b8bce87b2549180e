// The records of AFTER ROW triggers, joined to the writes that the messages showed.
//
//   sight_add_version()  copies a record to the end of the queue
//   sight_settle()       takes records from its beginning: join() finds the write, judge() compares the versions
//
// A record may come before the messages that say what it belongs to. So a record waits until the messages that its
// session had sent before it came are answered; and every record behind it waits too, because the records of a row are
// judged in their order. Two places in the order limit the writes that a record can belong to. A write whose record did
// not come with the first complete reading of the records after its commit has none. A write whose commit was sent
// after the record had come is a later one, maybe of the same statement.
#include "server/sight/sight_internal.h"
#include "server/sight/sight_value.h"

#include <stdlib.h>

enum { RECORDS_MAX = 200000, UNSEEN_MAX = 200, CLOSED_MAX = 4096, SIBLINGS_MAX = 200 };

struct record {
    TAILQ_ENTRY(record) link;
    struct sight_row_version version; // without its cells
    struct table *table;
    char *key, *sql;
    uint64_t complete; // writes that were committed before this place have no record that comes now
    uint64_t came;     // its transaction was committed before this place
    uint64_t changed;  // columns
    size_t seen_count;
    struct seen seen[]; // the values that were replaced
};
TAILQ_HEAD(record_list, record);

struct versions {
    char *database;
    struct table *statements; // its "rows" are statements that may have called functions which write
    struct record_list records;
    size_t count;
    uint64_t complete; // the mark of the last complete reading
    struct sight_version_counters counters;
    struct sight_unseen unseen[UNSEEN_MAX];
    size_t unseen_count;
    uint32_t closed[CLOSED_MAX]; // backends of sessions that were closed, in a ring
    size_t closed_count;
};

static char *copy_string(const char *string) {
    size_t size = strlen(string) + 1;
    char *copy = memory_allocate(size);
    memcpy(copy, string, size);
    return copy;
}

void sight_versions_begin(struct sight *sight, const char *database) {
    CHECK(sight->versions == NULL);
    struct versions *versions = memory_allocate_zeroed(sizeof *versions);
    versions->database = copy_string(database);
    versions->statements = catalogue_placeholder(sight->catalogue, database, "", "(statements)");
    TAILQ_INIT(&versions->records);
    sight->versions = versions;
    versions->statements->versioned_since = history_next(sight->history);
    versions->complete = versions->statements->versioned_since;
    history_keep_from(sight->history, versions->complete);
}

static void free_record(struct versions *versions, struct record *record) {
    TAILQ_REMOVE(&versions->records, record, link);
    versions->count--;
    free(record->key);
    free(record->sql);
    free(record);
}

void versions_free(struct versions *versions) {
    if (versions == NULL) {
        return;
    }
    for (struct record *next, *record = TAILQ_FIRST(&versions->records); record != NULL; record = next) {
        next = TAILQ_NEXT(record, link);
        free_record(versions, record);
    }
    for (size_t i = 0; i < versions->unseen_count; i++) {
        free((char *)(uintptr_t)versions->unseen[i].table);
        free((char *)(uintptr_t)versions->unseen[i].sql);
    }
    free(versions->database);
    free(versions);
}

static bool is_idle(const struct sight_session *session) {
    return TAILQ_EMPTY(&session->pending) && session->awaited == 0 && !session->transaction.is_explicit;
}

void sight_versions_of(struct sight *sight, uint32_t oid, uint64_t asked) {
    struct versions *versions = sight->versions;
    struct table *table = versions != NULL ? catalogue_by_oid(sight->catalogue, versions->database, oid) : NULL;
    if (table == NULL || table->versioned_since != 0) {
        return;
    }
    table->versioned_since = history_next(sight->history);
    struct sight_session *session;
    LIST_FOREACH(session, &sight->sessions, link) {
        session->is_unversioned |= !is_idle(session) || session->ended_at > asked;
    }
}

void sight_versions_end(struct sight *sight) {
    if (sight->versions != NULL) {
        catalogue_clear_versioned(sight->catalogue, sight->versions->database);
        history_keep_from(sight->history, UINT64_MAX);
    }
}

uint64_t sight_mark(struct sight *sight) {
    return history_next(sight->history);
}

struct sight_version_counters sight_version_counters(const struct sight *sight) {
    return sight->versions != NULL ? sight->versions->counters : (struct sight_version_counters){0};
}

bool versions_record(const struct sight_session *session, const struct table *table, uint64_t sent) {
    return table->versioned_since != 0 && sent > table->versioned_since && !session->is_unversioned;
}

void versions_statement(struct sight_session *session, struct unit *unit, const struct execution *execution) {
    const struct versions *versions = session->sight->versions;
    if (versions == NULL || strcmp(session->database, versions->database) != 0 ||
        !versions_record(session, versions->statements, execution->sent)) {
        return;
    }
    struct history *history = session->sight->history;
    struct row *row = history_row(history, versions->statements, SLICE_LITERAL(""));
    struct quote *quote = quote_new(history, execution->text, execution->index);
    struct write *call = history_write(history, unit, row, execution->sent, quote);
    quote_release(history, quote);
    session->is_unversioned |= call == NULL;
    if (call != NULL) {
        call->backend_pid = session->backend_pid;
        call->is_versioned = true;
        call->sent_ns = execution->sent_ns;
        call->done = history_next(history);
        TAILQ_INSERT_TAIL(&session->transaction.writes, call, of_transaction);
    }
}

void versions_closed(struct sight_session *session) {
    struct versions *versions = session->sight->versions;
    if (versions != NULL) {
        versions->closed[versions->closed_count++ % CLOSED_MAX] = session->backend_pid;
    }
}

// --- The queue ---

void sight_add_version(struct sight *sight, const struct sight_row_version *version) {
    struct versions *versions = sight->versions;
    struct table *table = catalogue_by_oid(sight->catalogue, versions->database, version->table);
    versions->counters.rows++;
    if (table == NULL || versions->count >= RECORDS_MAX) {
        sight->dropped++;
        return;
    }
    struct record *record = memory_allocate_zeroed(sizeof *record + SEEN_MAX * sizeof(struct seen));
    record->version = *version;
    record->table = table;
    record->sql = copy_string(version->sql);
    record->version.sql = record->sql;
    record->version.cells = NULL;
    record->version.cell_count = 0;
    record->key = version_key(version, table);
    record->complete = versions->complete;
    record->came = history_next(sight->history);
    record->changed = version_changes(version, table);
    for (size_t i = 0; i < version->cell_count; i++) {
        const char *value = version->cells[i].old_value;
        const struct table_column *column = table_column_numbered(table, version->cells[i].column);
        if (value != NULL && column != NULL) {
            seen_add(record->seen, &record->seen_count, column, (struct sight_value){{value, strlen(value)}, 0}, 0);
        }
    }
    TAILQ_INSERT_TAIL(&versions->records, record, link);
    versions->count++;
}

// --- The join ---

// Both texts are cut: the one after SIGHT_SQL_SHOWN bytes, the other after as many characters.
static bool is_statement_of(const struct record *record, const struct quote *quote) {
    size_t shown = strlen(quote->sql);
    size_t length = strlen(record->sql);
    return strncmp(record->sql, quote->sql, shown) == 0 && (length == shown || shown == SIGHT_SQL_SHOWN);
}

// Whether the write was committed between the reading before the record and the record.
static bool is_of_time(const struct write *write, const struct record *record) {
    return write->is_committed && write->committed >= record->complete && write->commit_sent < record->came;
}

// The oldest write of the row that fits the record, or NULL. `others`: how many more fit.
static struct write *find_write(const struct row *row, const struct record *record, bool is_table, size_t *others) {
    struct write *found = NULL;
    struct write *write;
    *others = 0;
    LIST_FOREACH(write, &row->writes, of_row) {
        bool fits = write->is_versioned && !write->is_recorded && is_of_time(write, record) &&
                    write->backend_pid == record->version.backend_pid && (!is_table || write->rows_left > 0);
        if (fits && is_statement_of(record, write->quote)) {
            *others += found != NULL;
            found = write;
        }
    }
    return found;
}

static const struct sight_session *session_of(const struct sight *sight, uint32_t backend) {
    const struct sight_session *session;
    LIST_FOREACH(session, &sight->sessions, link) {
        if (session->backend_pid == backend && strcmp(session->database, sight->versions->database) == 0) {
            return session;
        }
    }
    return NULL;
}

static bool was_session(const struct versions *versions, uint32_t backend) {
    for (size_t i = 0; i < MIN(versions->closed_count, (size_t)CLOSED_MAX); i++) {
        if (versions->closed[i] == backend) {
            return true;
        }
    }
    return false;
}

// A write of the record's own row, by the same unit and at the same place in the order as `model`.
static struct write *write_like(struct sight *sight, const struct record *record, const struct write *model) {
    struct row *row = history_row(sight->history, record->table, slice_of(record->key));
    struct write *write; // the one that keeps the reads of that time, if there is one
    LIST_FOREACH(write, &row->writes, of_row) {
        if (write->unit == model->unit && write->sent == model->sent && !write->is_committed) {
            break;
        }
    }
    if (write == NULL) {
        write = history_write(sight->history, model->unit, row, model->sent, model->quote);
    }
    if (write != NULL) {
        write->is_versioned = write->is_committed = true;
        write->backend_pid = model->backend_pid;
        write->sent_ns = model->sent_ns;
        write->done = model->done;
        write->commit_sent = model->commit_sent;
        write->committed = model->committed;
        write->set = model->set != 0 ? model->set : record->changed;
        write->absolute = model->absolute;
        write->relative = model->relative;
        write->guarded = model->guarded;
    }
    return write;
}

// The place of the write in the order is unknown, so it proves something by its version and values only.
static struct write *write_of_nobody(struct sight *sight, const struct record *record) {
    struct history *history = sight->history;
    struct sql_text *text = sql_cache_get(sight->cache, slice_of(record->sql));
    struct quote *quote = quote_new(history, text, 0);
    struct unit *unit = history_unit(history, SIGHT_SCOPE_SESSION, "", record->version.backend_pid, 0);
    struct row *row = history_row(history, record->table, slice_of(record->key));
    struct write *write = history_write(history, unit, row, 0, quote);
    if (write != NULL) {
        write->is_versioned = write->is_committed = true;
        write->backend_pid = record->version.backend_pid;
        write->set = record->changed;
    }
    history_leave(history, unit);
    quote_release(history, quote);
    sql_text_release(text);
    return write;
}

static void count_unseen(struct sight *sight, const struct record *record, bool is_other_client) {
    struct versions *versions = sight->versions;
    for (size_t i = 0; i < versions->unseen_count; i++) {
        struct sight_unseen *each = &versions->unseen[i];
        if (each->operation == record->version.operation && each->is_other_client == is_other_client &&
            strcmp(each->table, record->table->shown) == 0 && strcmp(each->sql, record->sql) == 0) {
            each->count++;
            return;
        }
    }
    if (versions->unseen_count == UNSEEN_MAX) {
        return; // their number is still counted
    }
    struct sight_unseen *unseen = &versions->unseen[versions->unseen_count++];
    *unseen = (struct sight_unseen){copy_string(record->table->shown), copy_string(record->sql),
                                    record->version.operation, is_other_client, 1};
    if (sight->options.on_unseen != NULL) {
        sight->options.on_unseen(unseen, sight->options.user_data);
    }
}

enum join { JOIN_WAITS, JOIN_SEEN, JOIN_CALLED, JOIN_UNSEEN };

// A write of the whole table, or a statement that has written the row by a function, a trigger or a cascade. NULL: no
// statement, or one of several.
static struct write *find_model(struct sight *sight, const struct record *record, enum join *outcome) {
    struct row *tables[] = {history_find_row(sight->history, record->table, SLICE_LITERAL("")),
                            history_find_row(sight->history, sight->versions->statements, SLICE_LITERAL(""))};
    size_t others;
    struct write *model = tables[0] != NULL ? find_write(tables[0], record, true, &others) : NULL;
    *outcome = JOIN_SEEN;
    if (model == NULL && tables[1] != NULL) {
        model = find_write(tables[1], record, false, &others);
        *outcome = JOIN_CALLED;
        model = others > 0 ? NULL : model;
    }
    return model;
}

// Whether messages of the session that were sent before the record came are not answered yet.
static bool is_awaited(const struct sight_session *session, const struct record *record) {
    const struct pending *first = session != NULL ? TAILQ_FIRST(&session->pending) : NULL;
    return first != NULL && first->sent < record->came;
}

// Finds the write that the record belongs to, or makes it.
static enum join join(struct sight *sight, const struct record *record, bool is_last, struct write **out) {
    const struct sight_session *session = session_of(sight, record->version.backend_pid);
    bool is_unversioned = session != NULL && session->is_unversioned;
    if (!is_unversioned && !is_last && is_awaited(session, record)) {
        return JOIN_WAITS;
    }
    size_t others;
    const struct row *row = history_find_row(sight->history, record->table, slice_of(record->key));
    struct write *write = row != NULL && record->key[0] != '\0' ? find_write(row, record, false, &others) : NULL;
    enum join outcome = JOIN_SEEN;
    struct write *model = write == NULL ? find_model(sight, record, &outcome) : NULL;
    bool is_lost = is_unversioned || history_lost_until(sight->history) >= record->complete;
    if (is_lost || (write == NULL && model == NULL)) {
        *out = write_of_nobody(sight, record);
        return is_lost ? JOIN_SEEN : JOIN_UNSEEN;
    }
    if (model != NULL) {
        model->rows_left -= outcome == JOIN_SEEN;
        model->is_recorded = outcome == JOIN_SEEN && model->rows_left == 0;
        write = write_like(sight, record, model);
    }
    *out = write;
    return outcome;
}

// --- The judge ---

static struct replaced compare(const struct record *record, const struct write *write) {
    struct replaced replaced = {0};
    for (size_t i = 0; i < write->known_seen_count; i++) {
        for (size_t k = 0; k < record->seen_count; k++) {
            if (write->known_seen[i].column == record->seen[k].column) {
                uint64_t bit = UINT64_C(1) << record->seen[k].column;
                replaced.compared |= bit;
                replaced.newer |= write->known_seen[i].hash != record->seen[k].hash ? bit : 0;
            }
        }
    }
    return replaced;
}

static enum sight_version_verdict judge(struct sight *sight, const struct record *record, struct write *write) {
    struct row *row = write->row;
    bool is_of_unit = row->newest != NULL && row->newest_xmin == record->version.old_xmin &&
                      row->newest->unit == write->unit;
    bool is_own = is_of_unit || row->newest_xid == record->version.xid; // also if the unit was unknown
    enum sight_version_verdict verdict = SIGHT_VERSION_UNREAD;
    if (record->key[0] != '\0' && record->version.operation != 'I' && !is_own) {
        bool order_says = false;
        verdict = judge_version(sight->findings, write, compare(record, write), &order_says);
        bool is_stale = verdict == SIGHT_VERSION_STALE || verdict == SIGHT_VERSION_LOOSE;
        sight->versions->counters.order_proved += order_says && verdict == SIGHT_VERSION_STALE;
        sight->versions->counters.order_refuted += order_says && !is_stale;
    }
    write->is_recorded = true;
    row->newest = write;
    row->newest_xmin = record->version.new_xmin;
    row->newest_xid = record->version.xid;
    return verdict;
}

static void count(struct sight *sight, const struct record *record, enum sight_version_verdict verdict) {
    struct sight_version_counters *counters = &sight->versions->counters;
    counters->unread += verdict == SIGHT_VERSION_UNREAD;
    counters->fresh += verdict == SIGHT_VERSION_FRESH;
    counters->stale += verdict == SIGHT_VERSION_STALE;
    counters->loose += verdict == SIGHT_VERSION_LOOSE;
    counters->unknown += verdict == SIGHT_VERSION_UNKNOWN;
    if (sight->options.on_version != NULL) {
        sight->options.on_version(&record->version, record->table->shown, record->key, verdict,
                                  sight->options.user_data);
    }
}

static bool settle(struct sight *sight, struct record *record, bool is_last) {
    struct write *write = NULL;
    enum join outcome = join(sight, record, is_last, &write);
    if (outcome == JOIN_WAITS) {
        return false;
    }
    bool is_ours = session_of(sight, record->version.backend_pid) != NULL ||
                   was_session(sight->versions, record->version.backend_pid);
    bool is_unseen = outcome == JOIN_CALLED || outcome == JOIN_UNSEEN;
    if (is_unseen) {
        sight->versions->counters.unseen++;
        count_unseen(sight, record, !is_ours);
    }
    if (write != NULL) {
        enum sight_version_verdict verdict = judge(sight, record, write);
        count(sight, record, outcome == JOIN_UNSEEN ? SIGHT_VERSION_UNSEEN : verdict);
    }
    free_record(sight->versions, record);
    return true;
}

void sight_settle(struct sight *sight, uint64_t mark, bool is_last) {
    struct versions *versions = sight->versions;
    struct record *record = TAILQ_FIRST(&versions->records);
    for (struct record *next; record != NULL; record = next) {
        next = TAILQ_NEXT(record, link);
        if (!settle(sight, record, is_last)) {
            break;
        }
    }
    versions->complete = mark;
    // A record that waits may belong to a unit that has ended since the reading before.
    history_keep_from(sight->history, record != NULL ? record->complete : mark);
}

void versions_json(const struct sight *sight, struct json_writer *json) {
    const struct versions *versions = sight->versions;
    if (versions == NULL) {
        return;
    }
    const struct sight_version_counters *counters = &versions->counters;
    json_open_object(json, "row_versions");
    json_add_unsigned(json, "rows", counters->rows);
    json_add_unsigned(json, "stale", counters->stale);
    json_add_unsigned(json, "possibly_stale", counters->loose);
    json_add_unsigned(json, "fresh", counters->fresh);
    json_add_unsigned(json, "unread", counters->unread);
    json_add_unsigned(json, "unknown", counters->unknown);
    json_add_unsigned(json, "order_proved", counters->order_proved);
    json_add_unsigned(json, "order_refuted", counters->order_refuted);
    json_open_array(json, "unseen");
    for (size_t i = 0; i < versions->unseen_count; i++) {
        const struct sight_unseen *unseen = &versions->unseen[i];
        json_open_object(json, NULL);
        json_add_string(json, "table", unseen->table);
        json_add_string(json, "operation", sight_operation_name(unseen->operation));
        json_add_string(json, "by", unseen->is_other_client ? "another client" : "a session of the proxy");
        json_add_string(json, "statement", unseen->sql);
        json_add_unsigned(json, "count", unseen->count);
        json_close_object(json);
    }
    json_close_array(json);
    json_close_object(json);
}

const char *sight_operation_name(char operation) {
    return operation == 'I' ? "insert" : operation == 'U' ? "update" : "delete";
}
