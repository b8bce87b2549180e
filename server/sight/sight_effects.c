// The reads and writes of a statement, from its text, its parameters, and the rows that the server sends.
//
//   effects_row()       a DataRow: a read, or a row of RETURNING
//   effects_complete()  CommandComplete: the writes, the checks, and reads whose rows are unknown
//   effects_report()    the end of a statement, for on_outcome()
#include "server/sight/sight_internal.h"
#include "server/sight/sight_value.h"

#include <stdlib.h>

// --- Keys ---

static bool append_constant(struct text *out, const struct sql_constant *constant, uint32_t column_type,
                            const struct parameters *parameters) {
    if (constant->parameter == 0) {
        struct sight_value value = {{constant->text, constant->text == NULL ? 0 : strlen(constant->text)}, 0};
        return sight_value_append(out, value, constant->type, column_type);
    }
    size_t index = constant->parameter - 1;
    if (index >= parameters->count) {
        return false;
    }
    uint32_t type = index < parameters->type_count ? parameters->types[index] : 0;
    return sight_value_append(out, parameters->values[index], type != 0 ? type : constant->type, column_type);
}

static const struct sql_condition *equality_on(const struct sql_statement *statement, const char *column) {
    for (size_t i = 0; i < statement->condition_count; i++) {
        if (statement->conditions[i].is_equality && strcmp(statement->conditions[i].column, column) == 0) {
            return &statement->conditions[i];
        }
    }
    return NULL;
}

char *effects_key(const struct sql_statement *statement, const struct table *table,
                  const struct parameters *parameters) {
    struct text key = {0};
    bool is_known = table->key_count > 0;
    for (size_t i = 0; is_known && i < table->key_count; i++) {
        const struct table_column *column = &table->columns[table->key[i]];
        const struct sql_condition *condition = equality_on(statement, column->name);
        size_t start = key.length;
        is_known = condition != NULL && condition->count == 1 &&
                   append_constant(&key, &condition->values[0], column->type, parameters) && key.length > start &&
                   memchr(key.data + start, KEY_SEPARATOR, key.length - start) == NULL;
        if (is_known && i + 1 < table->key_count) {
            text_append(&key, &(char){KEY_SEPARATOR}, 1);
        }
    }
    if (!is_known) {
        text_free(&key);
        return NULL;
    }
    text_append(&key, "", 1);
    return key.data;
}

struct table *effects_table(struct sight_session *session, const struct sql_statement *statement) {
    const struct sight *sight = session->sight;
    if (statement->table == NULL || statement->control != SQL_NO_CONTROL) {
        return NULL;
    }
    struct table *table = catalogue_by_name(sight->catalogue, session->database, statement->schema, statement->table);
    if (table == NULL && sight->options.on_unknown_table != NULL) {
        struct text name = {0};
        text_append_format(&name, "%s%s%s", statement->schema != NULL ? statement->schema : "",
                           statement->schema != NULL ? "." : "", statement->table);
        sight->options.on_unknown_table(session->database, 0, text_slice(&name), sight->options.user_data);
        text_free(&name);
        table = catalogue_by_name(sight->catalogue, session->database, statement->schema, statement->table);
    }
    if (table == NULL || session->has_temporary_names) {
        table = catalogue_placeholder(sight->catalogue, session->database, statement->schema, statement->table);
    }
    return table;
}

static struct table *table_of_oid(const struct sight_session *session, uint32_t oid) {
    const struct sight *sight = session->sight;
    struct table *table = catalogue_by_oid(sight->catalogue, session->database, oid);
    if (table == NULL && sight->options.on_unknown_table != NULL) {
        sight->options.on_unknown_table(session->database, oid, SLICE_LITERAL(""), sight->options.user_data);
        table = catalogue_by_oid(sight->catalogue, session->database, oid);
    }
    return table;
}

// --- Plan: which columns of a result identify rows of which table ---

// A table that a query names twice gives its columns from two rows: then no key can be taken from the result.
static bool names_once(const struct sight_session *session, const struct sql_statement *statement,
                       const struct table *table) {
    const struct catalogue *catalogue = session->sight->catalogue;
    size_t count = 0;
    for (size_t i = 0; i < statement->table_count; i++) {
        const char *dot = strrchr(statement->tables[i], '.');
        const char *name = dot != NULL ? dot + 1 : statement->tables[i];
        const struct table *named = catalogue_by_name(catalogue, session->database, NULL, name);
        count += strcmp(name, table->name) == 0 || (named != NULL && catalogue_reads(catalogue, named, table));
    }
    return count <= 1;
}

static void plan_source(struct source *source, const struct description *description) {
    bool is_once = true;
    size_t found = 0;
    for (size_t i = 0; i < description->count; i++) {
        const struct sight_field *field = &description->fields[i];
        const struct table_column *column = field->table == source->table->oid
                                                ? table_column_numbered(source->table, field->column)
                                                : NULL;
        uint64_t bit = table_column_bit(column);
        is_once = is_once && (source->columns & bit) == 0;
        source->columns |= bit;
        for (size_t k = 0; column != NULL && k < source->table->key_count; k++) {
            if (column == &source->table->columns[source->table->key[k]]) {
                source->key_fields[k] = i;
                found++;
            }
        }
    }
    source->has_key = is_once && source->table->key_count > 0 && found == source->table->key_count;
}

static bool has_source(const struct execution *execution, const struct table *table) {
    for (size_t i = 0; i < execution->source_count; i++) {
        if (execution->sources[i].table == table) {
            return true;
        }
    }
    return false;
}

static uint64_t columns_in_where(const struct sql_statement *statement, const struct table *table) {
    uint64_t columns = 0;
    for (size_t i = 0; i < statement->condition_count; i++) {
        columns |= table_column_bit(table_column_named(table, statement->conditions[i].column));
    }
    return columns;
}

static void plan(struct sight_session *session, struct execution *execution, const struct description *description) {
    const struct sql_statement *statement = execution->statement;
    execution->is_planned = true;
    execution->table = statement != NULL ? effects_table(session, statement) : NULL;
    if (execution->table != NULL && execution->table->below != NULL && statement->verb == SIGHT_SELECT) {
        execution->view = execution->table;
        execution->table = catalogue_shown_by(session->sight->catalogue, execution->view);
    }
    if (statement != NULL && statement->is_precise && execution->table != NULL) {
        execution->own_key = effects_key(statement, execution->table, &execution->parameters);
    }
    for (size_t i = 0; description != NULL && i < description->count; i++) {
        uint32_t oid = description->fields[i].table;
        struct table *table = oid != 0 ? table_of_oid(session, oid) : NULL;
        if (table != NULL && !has_source(execution, table) && execution->source_count < SOURCES_MAX) {
            struct source *source = &execution->sources[execution->source_count++];
            *source = (struct source){.table = table};
            plan_source(source, description);
            bool is_query = statement != NULL && statement->is_precise && statement->verb != SIGHT_OTHER;
            source->has_key = source->has_key && is_query && !statement->is_joined &&
                              names_once(session, statement, table);
            if (is_query && table == execution->table && statement->verb == SIGHT_SELECT) {
                source->columns |= columns_in_where(statement, table);
            }
        }
    }
}

// --- Reads ---

static struct quote *quote_of(struct sight_session *session, struct execution *execution) {
    if (execution->quote == NULL) {
        execution->quote = quote_new(session->sight->history, execution->text, execution->index);
    }
    return execution->quote;
}

static void add_read(struct sight_session *session, struct unit *unit, struct execution *execution, struct table *table,
                     struct slice key, uint64_t columns, uint64_t now_ns) {
    struct history *history = session->sight->history;
    struct row *row = history_row(history, table, key);
    bool is_new = history_find_read(unit, row) == NULL;
    struct read *read = history_read(history, unit, row, history_next(history), now_ns, quote_of(session, execution));
    bool locks = execution->statement != NULL && execution->statement->locks;
    read->columns |= columns;
    read->first_locked = is_new ? locks : read->first_locked;
    read->is_locked |= locks;
    read->in_repeatable = session->transaction.is_explicit && session->transaction.is_repeatable;
    session->sight->reads++;
}

// Rows of the table were read, but it is unknown which.
static void read_whole(struct sight_session *session, struct unit *unit, struct execution *execution,
                       struct table *table, uint64_t now_ns) {
    add_read(session, unit, execution, table, SLICE_LITERAL(""), 0, now_ns);
    for (size_t i = 0; i < table->below_count; i++) {
        struct table *below = catalogue_by_oid(session->sight->catalogue, session->database, table->below[i]);
        if (below != NULL) {
            add_read(session, unit, execution, below, SLICE_LITERAL(""), 0, now_ns);
        }
    }
}

static bool key_from_row(const struct source *source, const struct data_row *row, struct text *key) {
    for (size_t i = 0; i < source->table->key_count; i++) {
        size_t field = source->key_fields[i];
        size_t start = key->length;
        struct sight_value value = {field < row->count ? row->values[field] : (struct slice){NULL, 0},
                                    data_row_format(row, field)};
        if (!sight_value_append(key, value, row->description->fields[field].type,
                                source->table->columns[source->table->key[i]].type) ||
            key->length == start || memchr(key->data + start, KEY_SEPARATOR, key->length - start) != NULL) {
            return false;
        }
        if (i + 1 < source->table->key_count) {
            text_append(key, &(char){KEY_SEPARATOR}, 1);
        }
    }
    return key->length > 0 && memchr(key->data, '\0', key->length) == NULL;
}

static bool is_write(const struct execution *execution) {
    return execution->statement != NULL && execution->statement->verb != SIGHT_OTHER &&
           execution->statement->verb != SIGHT_SELECT;
}

// Keeps the values that were read: those of the result, and those that the WHERE of a SELECT asks for.
static void see(struct sight_session *session, const struct unit *unit, const struct execution *execution,
                const struct source *source, struct slice key, const struct data_row *data) {
    struct table *table = source->table;
    struct history *history = session->sight->history;
    struct row *row = history_find_row(history, table, key);
    struct read *read = row != NULL ? history_find_read(unit, row) : NULL;
    if (read == NULL || table->versioned_since == 0) {
        return;
    }
    struct seen seen[SEEN_MAX];
    size_t count = seen_of_row(data, table, seen);
    const struct sql_statement *statement = execution->statement;
    for (size_t i = 0; table == execution->table && i < statement->condition_count; i++) {
        const struct sql_condition *condition = &statement->conditions[i];
        const struct table_column *column = table_column_named(table, condition->column);
        struct text value = {0};
        if (condition->is_equality && condition->count == 1 && column != NULL &&
            append_constant(&value, &condition->values[0], column->type, &execution->parameters)) {
            seen_add(seen, &count, column, (struct sight_value){text_slice(&value), 0}, column->type);
        }
        text_free(&value);
    }
    history_see(history, read, source->columns, seen, count);
}

static void take_row(struct sight_session *session, struct unit *unit, struct execution *execution,
                     const struct source *source, struct slice key, const struct data_row *data, uint64_t now_ns) {
    if (!is_write(execution)) {
        add_read(session, unit, execution, source->table, key, source->columns, now_ns);
        see(session, unit, execution, source, key, data);
    } else if (source->table == execution->table && execution->returned_count < RETURNED_MAX) {
        text_append_slice(&execution->returned, key);
        text_append(&execution->returned, "", 1);
        execution->returned_count++;
    }
}

void effects_row(struct sight_session *session, struct unit *unit, struct execution *execution,
                 const struct data_row *row, uint64_t now_ns) {
    if (!execution->is_planned) {
        plan(session, execution, row->description);
    }
    execution->row_count++;
    if (execution->view != NULL && execution->row_count == 1) { // for a write through the same view
        add_read(session, unit, execution, execution->view, SLICE_LITERAL(""), 0, now_ns);
    }
    for (size_t i = 0; i < execution->source_count; i++) {
        const struct source *source = &execution->sources[i];
        struct text key = {0};
        if (source->has_key && key_from_row(source, row, &key)) {
            take_row(session, unit, execution, source, text_slice(&key), row, now_ns);
        } else if (!is_write(execution) && execution->own_key != NULL && source->table == execution->table) {
            take_row(session, unit, execution, source, slice_of(execution->own_key), row, now_ns);
        } else if (!is_write(execution) && execution->row_count == 1) {
            read_whole(session, unit, execution, source->table, now_ns);
        }
        text_free(&key);
    }
}

// --- Checks ---

static void add_term(struct terms *terms, const struct table *table, const char *name,
                     const struct sql_constant *constant, const struct parameters *parameters) {
    const struct table_column *column = table_column_named(table, name);
    struct text value = {0};
    bool is_known = column != NULL && append_constant(&value, constant, column->type, parameters);
    if (is_known) {
        text_append(&value, "", 1);
    }
    terms->items[terms->count++] = (struct term){column != NULL ? column->number : (int16_t)0, value.data};
    if (!is_known) {
        terms->items[terms->count - 1].value = NULL;
        text_free(&value);
    }
}

static struct terms terms_of_where(const struct execution *execution) {
    const struct sql_statement *statement = execution->statement;
    struct terms terms = {.is_complete = statement->where_is_plain && statement->is_precise};
    terms.items = memory_allocate_zeroed((statement->condition_count + 1) * sizeof *terms.items);
    for (size_t i = 0; i < statement->condition_count; i++) {
        const struct sql_condition *condition = &statement->conditions[i];
        if (condition->is_equality && condition->count == 1) {
            add_term(&terms, execution->table, condition->column, &condition->values[0], &execution->parameters);
        } else {
            terms.is_complete = false;
        }
    }
    return terms;
}

static struct terms terms_of_insert(const struct execution *execution) {
    const struct sql_statement *statement = execution->statement;
    struct terms terms = {.is_complete = true};
    terms.items = memory_allocate_zeroed((statement->assignment_count + 1) * sizeof *terms.items);
    for (size_t i = 0; i < statement->assignment_count; i++) {
        const struct sql_assignment *assignment = &statement->assignments[i];
        add_term(&terms, execution->table, assignment->column, &assignment->value, &execution->parameters);
    }
    return terms;
}

// An aggregate or an empty result says something about the table as a whole.
static void complete_select(struct sight_session *session, struct unit *unit, struct execution *execution,
                            uint64_t now_ns) {
    const struct sql_statement *statement = execution->statement;
    struct history *history = session->sight->history;
    bool is_check = statement->is_check || execution->row_count == 0;
    // FETCH without rows is the end of the cursor, and DECLARE runs nothing yet.
    if (execution->table == NULL || statement->cursor != NULL) {
        return;
    }
    if (statement->is_precise && is_check && !statement->locks) {
        struct check *check = history_check(history, unit, execution->table, quote_of(session, execution));
        check->last = history_next(history);
        check->last_ns = now_ns;
        check->terms = terms_of_where(execution);
        check->terms.is_complete &= statement->table_count == 1 && execution->view == NULL;
    } else if (execution->source_count == 0) {
        read_whole(session, unit, execution, execution->table, now_ns);
    }
}

// --- Writes ---

void effects_columns(const struct sql_statement *statement, const struct table *table, struct write *out) {
    if (statement->verb == SIGHT_DELETE) {
        out->set = UINT64_MAX;
    }
    for (size_t i = 0; statement->verb == SIGHT_UPDATE && i < statement->assignment_count; i++) {
        const struct sql_assignment *assignment = &statement->assignments[i];
        uint64_t bit = table_column_bit(table_column_named(table, assignment->column));
        out->set |= bit;
        *(assignment->is_relative ? &out->relative : &out->absolute) |= bit;
    }
    uint64_t key = 0;
    for (size_t i = 0; i < table->key_count; i++) {
        key |= table_column_bit(&table->columns[table->key[i]]);
    }
    out->guarded = columns_in_where(statement, table) & ~key;
}

// After a write the unit knows the row as it has made it.
static void renew_read(struct history *history, const struct unit *unit, const struct row *row, uint64_t order,
                       uint64_t now_ns) {
    struct read *read = history_find_read(unit, row);
    if (read != NULL) {
        read->last = order;
        read->last_ns = now_ns;
        history_see_nothing(history, read);
    }
}

// Which rows the statement has written is known when their records come. So the reads before it are kept with writes
// that are not committed: the unit may read a row again in the meantime.
static void keep_reads(struct sight_session *session, struct unit *unit, const struct execution *execution) {
    const struct read *read;
    bool has_room = true;
    TAILQ_FOREACH(read, &unit->reads, of_unit) {
        bool is_before = read->row->table == execution->table && read->row->key[0] != '\0' &&
                         read->last < execution->sent;
        if (has_room && is_before) {
            has_room = history_write(session->sight->history, unit, read->row, execution->sent, execution->quote) !=
                       NULL;
        }
    }
}

// `rows`: how many rows it wrote, if the key is that of the whole table.
static void add_write(struct sight_session *session, struct unit *unit, struct execution *execution, struct slice key,
                      uint64_t rows, uint64_t now_ns) {
    struct history *history = session->sight->history;
    struct row *row = history_row(history, execution->table, key);
    struct write *write = history_write(history, unit, row, execution->sent, quote_of(session, execution));
    if (write == NULL) {
        session->is_unversioned = true; // its record would be taken for that of another write
        return;
    }
    write->backend_pid = session->backend_pid;
    write->is_versioned = versions_record(session, execution->table, execution->sent);
    write->rows_left = rows;
    if (write->is_versioned && rows > 0 &&
        (execution->statement->verb != SIGHT_INSERT || execution->statement->is_upsert)) {
        keep_reads(session, unit, execution);
    }
    write->sent_ns = execution->sent_ns;
    write->done = history_next(history);
    effects_columns(execution->statement, execution->table, write);
    if (session->loose != NULL && unit != session->loose) {
        history_borrow_known(history, write, session->loose);
    }
    if (execution->statement->verb == SIGHT_INSERT) {
        write->is_insert = !execution->statement->is_upsert;
        write->set = 0;
        write->terms = terms_of_insert(execution);
    } else {
        renew_read(history, unit, row, write->done, now_ns);
    }
    TAILQ_INSERT_TAIL(&session->transaction.writes, write, of_transaction);
    session->sight->writes++;
}

static void complete_write(struct sight_session *session, struct unit *unit, struct execution *execution,
                           uint64_t affected, uint64_t now_ns) {
    if (affected == 0 || execution->table == NULL) {
        return;
    }
    bool is_insert = execution->statement->verb == SIGHT_INSERT;
    if (!is_insert && execution->own_key != NULL && affected == 1) {
        add_write(session, unit, execution, slice_of(execution->own_key), 0, now_ns);
    } else if (!is_insert && execution->returned_count > 0 && execution->returned_count == affected) {
        const char *key = execution->returned.data;
        for (size_t i = 0; i < execution->returned_count; i++, key += strlen(key) + 1) {
            add_write(session, unit, execution, slice_of(key), 0, now_ns);
        }
    } else {
        add_write(session, unit, execution, SLICE_LITERAL(""), affected, now_ns);
    }
}

void effects_complete(struct sight_session *session, struct unit *unit, struct execution *execution, uint64_t affected,
                      uint64_t now_ns) {
    if (execution->statement == NULL) {
        return;
    }
    unit->takes_other_lock |= execution->statement->takes_other_lock;
    if (execution->statement->verb == SIGHT_OTHER) {
        return;
    }
    if (!execution->is_planned) {
        plan(session, execution, NULL);
    }
    if (is_write(execution)) {
        complete_write(session, unit, execution, affected, now_ns);
    } else {
        complete_select(session, unit, execution, now_ns);
    }
    versions_statement(session, unit, execution);
}

void effects_report(const struct sight_session *session, const struct execution *execution, struct slice tag,
                    struct slice sqlstate, uint64_t rows, uint64_t now_ns) {
    const struct sight_options *options = &session->sight->options;
    const struct sql_statement *statement = execution->statement;
    if (options->on_outcome == NULL) {
        return;
    }
    struct sight_outcome outcome = {
        .backend_pid = session->backend_pid,
        .verb = statement != NULL ? statement->verb : SIGHT_OTHER,
        .fingerprint = statement != NULL ? statement->fingerprint : 0,
        .sql = execution->text->shown,
        .row = execution->own_key != NULL ? execution->own_key : "",
        .tag = tag,
        .sqlstate = sqlstate,
        .rows = rows,
        .sent_ns = execution->sent_ns,
        .done_ns = now_ns,
    };
    options->on_outcome(&outcome, options->user_data);
}

void effects_forget(struct sight_session *session, struct execution *execution) {
    quote_release(session->sight->history, execution->quote);
    free(execution->own_key);
    text_free(&execution->returned);
    *execution = (struct execution){0};
}
