// The messages of a connection, matched: which answer belongs to which statement, which transaction and unit of work a
// statement is in, and whether it was committed.
//
//   the client's messages   names_*() or a `struct pending` at the end of the list
//   the server's messages   the first pending message; a CommandComplete or an error ends a statement, ReadyForQuery
//                           ends a query or a Sync
#include "server/sight/sight_names.h"
#include "server/sight/sight_value.h"

#include <stdlib.h>

enum { PENDING_MAX = 4096 };
#define IDLE_GAP_NS (UINT64_C(2) * NANOSECONDS_PER_SECOND) // then a session serves another request

// --- Pending messages ---

static struct pending *add_pending(struct sight_session *session, enum pending_kind kind) {
    if (session->is_blind || session->pending_count >= PENDING_MAX ||
        session->memory > session->sight->options.session_memory_max) {
        session->is_blind = session->is_unversioned = true;
        session->sight->dropped++;
        return NULL;
    }
    struct pending *pending = memory_allocate_zeroed(sizeof *pending);
    pending->kind = kind;
    pending->sent = history_next(session->sight->history);
    TAILQ_INSERT_TAIL(&session->pending, pending, link);
    session->pending_count++;
    session->memory += sizeof *pending;
    return pending;
}

static void drop_pending(struct sight_session *session, struct pending *pending) {
    TAILQ_REMOVE(&session->pending, pending, link);
    effects_forget(session, &pending->execution);
    description_release(pending->description);
    if (pending->text != NULL) {
        session->memory -= pending->text->size;
        sql_text_release(pending->text);
    }
    portal_release(session, pending->portal);
    prepared_release(session, pending->prepared);
    session->pending_count--;
    session->memory -= sizeof *pending;
    free(pending);
}

// The first message without an answer. In a blind session nothing is matched.
static struct pending *first_pending(const struct sight_session *session) {
    return session->is_blind ? NULL : TAILQ_FIRST(&session->pending);
}

void sight_query(struct sight_session *session, struct slice sql, uint64_t now_ns) {
    session->awaited++;
    struct pending *pending = add_pending(session, PENDING_QUERY);
    if (pending != NULL) {
        pending->text = sql_cache_get(session->sight->cache, sql);
        pending->sent_ns = now_ns;
        session->memory += pending->text->size;
    }
}

void sight_parse(struct sight_session *session, struct slice name, struct slice sql, const uint32_t *types,
                 size_t type_count) {
    names_parse(session, name, sql, types, type_count);
}

void sight_bind(struct sight_session *session, struct slice portal, struct slice name, const struct sight_value *values,
                size_t value_count, const int16_t *result_formats, size_t result_format_count) {
    names_bind(session, portal, name, values, value_count, result_formats, result_format_count);
}

void sight_describe(struct sight_session *session, char kind, struct slice name) {
    struct pending *pending = add_pending(session, PENDING_DESCRIBE);
    struct prepared *prepared = kind == 'S' ? names_prepared(session, name) : NULL;
    struct portal *portal = kind == 'P' ? names_portal(session, name) : NULL;
    if (pending != NULL) {
        pending->prepared = prepared != NULL ? prepared_keep(prepared) : NULL;
        pending->portal = portal != NULL ? portal_keep(portal) : NULL;
    }
}

void sight_execute(struct sight_session *session, struct slice name, uint64_t now_ns) {
    struct pending *pending = add_pending(session, PENDING_EXECUTE);
    struct portal *portal = names_portal(session, name);
    if (pending != NULL) {
        pending->portal = portal != NULL ? portal_keep(portal) : NULL;
        pending->sent_ns = now_ns;
    }
}

void sight_close(struct sight_session *session, char kind, struct slice name) {
    names_close(session, kind, name);
}

void sight_sync(struct sight_session *session) {
    session->awaited++;
    (void)add_pending(session, PENDING_SYNC);
}

// --- Units and transactions ---

static void leave_unit(struct sight_session *session, struct unit **unit) {
    if (*unit != NULL) {
        history_leave(session->sight->history, *unit);
        *unit = NULL;
    }
}

static void undo_writes(struct sight_session *session) {
    struct transaction_writes *writes = &session->transaction.writes;
    while (!TAILQ_EMPTY(writes)) {
        struct write *write = TAILQ_FIRST(writes);
        TAILQ_REMOVE(writes, write, of_transaction);
        history_undo(session->sight->history, write);
    }
}

// `commit_sent`: when the COMMIT went out; 0: there was none, or it is unknown.
static void commit_writes(struct sight_session *session, uint64_t commit_sent) {
    struct transaction_writes *writes = &session->transaction.writes;
    struct write *write;
    TAILQ_FOREACH(write, writes, of_transaction) {
        write->is_committed = true;
        write->committed = history_next(session->sight->history);
        write->commit_sent = MAX(write->sent, commit_sent);
    }
    judge_commit(session->sight->findings, writes);
    TAILQ_INIT(writes);
}

static void end_transaction(struct sight_session *session, bool is_committed, uint64_t commit_sent, uint64_t now_ns) {
    if (is_committed && !session->transaction.has_failed) {
        commit_writes(session, commit_sent);
    } else {
        undo_writes(session);
    }
    marks_forget(session);
    session->transaction.wants_undo = false;
    leave_unit(session, &session->transaction.unit);
    session->ended_at = history_next(session->sight->history);
    session->transaction.is_explicit = false;
    session->transaction.has_failed = false;
    session->transaction.is_repeatable = session->default_repeatable;
    history_trim(session->sight->history, now_ns);
}

static struct unit *loose_unit(struct sight_session *session, uint64_t now_ns) {
    if (session->loose != NULL && now_ns > session->loose_ns + IDLE_GAP_NS &&
        TAILQ_EMPTY(&session->transaction.writes)) {
        leave_unit(session, &session->loose);
    }
    if (session->loose == NULL) {
        session->loose = history_unit(session->sight->history, SIGHT_SCOPE_SESSION, "", session->backend_pid, now_ns);
    }
    session->loose_ns = now_ns;
    return session->loose;
}

// The unit of a statement that is being answered: its label's, or else the transaction's, or else the session's.
static struct unit *unit_of(struct sight_session *session, const struct sql_text *text, uint64_t now_ns) {
    struct transaction *transaction = &session->transaction;
    bool has_label = text != NULL && text->label[0] != '\0';
    bool is_other = has_label && transaction->unit != NULL && strcmp(transaction->unit->label, text->label) != 0;
    if (is_other) {
        undo_writes(session); // they belong to a unit that may end before this transaction does
        leave_unit(session, &transaction->unit);
    }
    if (transaction->unit == NULL && (has_label || transaction->is_explicit)) {
        transaction->unit = history_unit(session->sight->history,
                                         has_label ? SIGHT_SCOPE_TRACE : SIGHT_SCOPE_TRANSACTION,
                                         has_label ? text->label : "", session->backend_pid, now_ns);
    }
    return transaction->unit != NULL ? transaction->unit : loose_unit(session, now_ns);
}

static void control(struct sight_session *session, const struct execution *execution, uint64_t now_ns) {
    const struct sql_statement *statement = execution->statement;
    bool is_higher = statement->isolation == SQL_REPEATABLE_READ;
    switch (statement->control) {
    case SQL_BEGIN:
    case SQL_SET_ISOLATION:
        session->transaction.is_repeatable = statement->isolation == SQL_ISOLATION_UNSAID
                                                 ? session->transaction.is_repeatable
                                                 : is_higher;
        break;
    case SQL_SET_DEFAULT:
        session->default_repeatable = is_higher;
        session->transaction.is_repeatable |= is_higher && !session->transaction.is_explicit;
        break;
    case SQL_SAVEPOINT: marks_add(session, statement->table, execution->sent, NULL, 0); break;
    case SQL_ROLLBACK_TO: marks_undo_to(session, statement->table); break;
    case SQL_DISCARD:
    case SQL_RESET:
        if (statement->control == SQL_DISCARD) {
            names_close_all(session);
        }
        if (TAILQ_EMPTY(&session->transaction.writes)) {
            leave_unit(session, &session->loose);
        }
        session->has_temporary_names = false;
        session->default_repeatable = false;
        history_trim(session->sight->history, now_ns);
        break;
    case SQL_DEALLOCATE:
        if (statement->table != NULL) {
            names_close(session, 'S', slice_of(statement->table));
        } else {
            names_close_all(session);
        }
        break;
    case SQL_TEMPORARY_NAME: session->has_temporary_names = true; break;
    case SQL_COMMIT:
    case SQL_ROLLBACK:
    case SQL_NO_CONTROL: break;
    }
}

// The tag says what the server has done, also if the statement could not be read.
static void follow_tag(struct sight_session *session, struct slice tag, bool to_savepoint, uint64_t sent,
                       uint64_t now_ns) {
    if (slice_equals(tag, SLICE_LITERAL("BEGIN")) || slice_equals(tag, SLICE_LITERAL("START TRANSACTION"))) {
        session->transaction.is_explicit = true;
    } else if (slice_equals(tag, SLICE_LITERAL("COMMIT"))) {
        end_transaction(session, true, sent, now_ns);
    } else if (slice_equals(tag, SLICE_LITERAL("PREPARE TRANSACTION"))) {
        end_transaction(session, false, 0, now_ns);
    } else if (slice_equals(tag, SLICE_LITERAL("ROLLBACK"))) {
        if (!to_savepoint) {
            undo_writes(session);
            bool was_open = session->transaction.is_explicit;
            end_transaction(session, false, 0, now_ns);
            if (!was_open) { // a pool resets the session with it
                leave_unit(session, &session->loose);
            }
        }
    }
}

// --- Executions ---

static void begin_execution(const struct sight_session *session, struct pending *pending) {
    struct execution *execution = &pending->execution;
    const struct portal *portal = pending->portal;
    const struct prepared *prepared = portal != NULL ? portal->prepared : NULL; // never NULL in a portal
    execution->text = pending->kind == PENDING_QUERY ? pending->text : prepared != NULL ? prepared->text : NULL;
    execution->index = pending->statement;
    execution->sent = pending->sent;
    execution->sent_ns = pending->sent_ns;
    if (execution->text != NULL && pending->statement < execution->text->count) {
        execution->statement = &execution->text->statements[pending->statement];
        marks_use_cursor(session, execution);
    }
    if (prepared != NULL) {
        execution->parameters = (struct parameters){portal->values, portal->value_count, prepared->types,
                                                    prepared->type_count};
    }
    pending->is_running = true;
}

static struct pending *running(struct sight_session *session) {
    struct pending *pending = first_pending(session);
    if (pending == NULL || (pending->kind != PENDING_QUERY && pending->kind != PENDING_EXECUTE)) {
        return NULL;
    }
    if (!pending->is_running) {
        begin_execution(session, pending);
    }
    return pending->execution.text != NULL ? pending : NULL;
}

static const struct description *description_of(const struct pending *pending, const int16_t **formats,
                                                size_t *format_count) {
    *format_count = 0;
    if (pending->kind == PENDING_QUERY) {
        return pending->description;
    }
    if (pending->portal->description != NULL) {
        return pending->portal->description;
    }
    *formats = pending->portal->formats;
    *format_count = pending->portal->format_count;
    return pending->portal->prepared->description;
}

// A query goes on to its next statement; an execution has ended.
static void next_statement(struct sight_session *session, struct pending *pending) {
    if (pending->kind == PENDING_EXECUTE) {
        drop_pending(session, pending);
        return;
    }
    effects_forget(session, &pending->execution);
    description_release(pending->description);
    pending->description = NULL;
    pending->is_running = false;
    pending->statement++;
}

void sight_parameter_types(struct sight_session *session, const uint32_t *types, size_t count) {
    struct pending *pending = first_pending(session);
    if (pending != NULL && pending->kind == PENDING_DESCRIBE && pending->prepared != NULL) {
        names_set_types(pending->prepared, types, count);
    }
}

void sight_row_description(struct sight_session *session, const struct sight_field *fields, size_t count) {
    struct pending *pending = first_pending(session);
    if (pending == NULL) {
        return;
    }
    struct description *description = description_new(fields, count);
    for (size_t i = 0; i < description->count; i++) {
        description->fields[i] = catalogue_origin(session->sight->catalogue, session->database, fields[i]);
    }
    struct description **place = NULL;
    if (pending->kind == PENDING_QUERY) {
        place = &pending->description;
    } else if (pending->kind == PENDING_DESCRIBE && pending->prepared != NULL) {
        place = &pending->prepared->description;
    } else if (pending->kind == PENDING_DESCRIBE && pending->portal != NULL) {
        place = &pending->portal->description;
        description_release(pending->portal->prepared->description);
        pending->portal->prepared->description = description_keep(description);
    }
    if (place != NULL) {
        description_release(*place);
        *place = description_keep(description);
    }
    description_release(description);
    if (pending->kind == PENDING_DESCRIBE) {
        drop_pending(session, pending);
    }
}

void sight_no_data(struct sight_session *session) {
    struct pending *pending = first_pending(session);
    if (pending != NULL && pending->kind == PENDING_DESCRIBE) {
        drop_pending(session, pending);
    }
}

void sight_data_row(struct sight_session *session, const struct slice *values, size_t count, uint64_t now_ns) {
    struct pending *pending = running(session);
    if (pending == NULL) {
        return;
    }
    const int16_t *formats = NULL;
    size_t format_count = 0;
    const struct description *description = description_of(pending, &formats, &format_count);
    if (description != NULL) {
        struct unit *unit = unit_of(session, pending->execution.text, now_ns);
        struct data_row row = {description, formats, format_count, values, count};
        effects_row(session, unit, &pending->execution, &row, now_ns);
    } else {
        pending->execution.row_count++;
    }
}

void sight_command_complete(struct sight_session *session, struct slice tag, uint64_t now_ns) {
    struct pending *pending = running(session);
    bool to_savepoint = false;
    uint64_t sent = pending != NULL ? pending->sent : 0;
    session->sight->statements++;
    if (pending != NULL) {
        struct execution *execution = &pending->execution;
        const struct sql_statement *statement = execution->statement;
        session->sight->unparsed += !execution->text->is_parsed;
        if (statement != NULL && statement->verb != SIGHT_OTHER) {
            struct unit *unit = unit_of(session, execution->text, now_ns);
            effects_complete(session, unit, execution, sight_value_rows(tag), now_ns);
            if (statement->cursor != NULL && !execution->is_fetch) {
                marks_add(session, statement->cursor, execution->sent, execution->text, execution->index);
            }
        } else if (statement != NULL) {
            if (statement->control == SQL_NO_CONTROL && session->sight->versions != NULL) { // CALL, EXECUTE
                versions_statement(session, unit_of(session, execution->text, now_ns), execution);
            }
            to_savepoint = statement->control == SQL_ROLLBACK_TO;
            control(session, execution, now_ns);
        }
        effects_report(session, execution, tag, SLICE_LITERAL(""), sight_value_rows(tag), now_ns);
    } else if (session->is_blind) {
        undo_writes(session); // which of them a savepoint has undone is unknown
    }
    follow_tag(session, tag, to_savepoint, sent, now_ns);
    pending = first_pending(session);
    if (pending != NULL && (pending->kind == PENDING_QUERY || pending->kind == PENDING_EXECUTE)) {
        next_statement(session, pending);
    }
}

void sight_portal_suspended(struct sight_session *session) {
    struct pending *pending = first_pending(session);
    if (pending != NULL && pending->kind == PENDING_EXECUTE) {
        drop_pending(session, pending);
    }
}

void sight_error(struct sight_session *session, struct slice sqlstate, uint64_t now_ns) {
    struct transaction *transaction = &session->transaction;
    bool is_detected = slice_equals(sqlstate, SLICE_LITERAL("40001")) ||
                       slice_equals(sqlstate, SLICE_LITERAL("40P01")) || slice_equals(sqlstate, SLICE_LITERAL("23505"));
    const struct pending *failed = running(session);
    if (failed != NULL) {
        effects_report(session, &failed->execution, SLICE_LITERAL(""), sqlstate, 0, now_ns);
    }
    transaction->has_failed = true;
    if (is_detected) { // the application knows, and reads again
        struct unit *unit = transaction->unit != NULL ? transaction->unit : session->loose;
        if (unit != NULL) {
            history_forget_reads(session->sight->history, unit);
        }
    }
    // The server answers nothing more up to the end of the query or the next Sync.
    struct pending *pending = first_pending(session);
    while (pending != NULL && pending->kind != PENDING_QUERY && pending->kind != PENDING_SYNC) {
        drop_pending(session, pending);
        pending = first_pending(session);
    }
}

static void drop_all_pending(struct sight_session *session) {
    while (!TAILQ_EMPTY(&session->pending)) {
        drop_pending(session, TAILQ_FIRST(&session->pending));
    }
}

static void see_again(struct sight_session *session) {
    session->awaited -= session->awaited > 0 ? 1 : 0;
    if (session->is_blind) {
        drop_all_pending(session);
        session->is_blind = session->awaited > 0;
        undo_writes(session);
        return;
    }
    struct pending *pending = TAILQ_FIRST(&session->pending);
    while (pending != NULL) { // the messages before it were answered too, by messages that were not passed on
        bool is_end = pending->kind == PENDING_QUERY || pending->kind == PENDING_SYNC;
        drop_pending(session, pending);
        pending = is_end ? NULL : TAILQ_FIRST(&session->pending);
    }
}

void sight_ready(struct sight_session *session, char status, uint64_t now_ns) {
    struct transaction *transaction = &session->transaction;
    see_again(session);
    if (status == 'I') {
        end_transaction(session, !transaction->is_explicit, 0, now_ns);
        return;
    }
    transaction->is_explicit = true;
    transaction->has_failed = status == 'E';
    // One that runs again was rolled back to a savepoint. If it is unknown to which, nothing of it may have stayed.
    if (transaction->has_failed) {
        transaction->wants_undo = true;
    } else if (transaction->wants_undo) {
        marks_undo_to(session, NULL);
    }
}

// --- Sessions ---

struct sight_session *sight_session_open(struct sight *sight, const char *database, uint32_t backend_pid) {
    struct sight_session *session = memory_allocate_zeroed(sizeof *session);
    size_t size = strlen(database) + 1;
    session->sight = sight;
    session->database = memory_allocate(size);
    memcpy(session->database, database, size);
    session->backend_pid = backend_pid;
    TAILQ_INIT(&session->pending);
    TAILQ_INIT(&session->transaction.writes);
    LIST_INSERT_HEAD(&sight->sessions, session, link);
    sight->session_count++;
    return session;
}

void *sight_session_user(const struct sight_session *session) {
    return session->sight->options.user_data;
}

uint32_t sight_session_backend(const struct sight_session *session) {
    return session->backend_pid;
}

void sight_session_close(struct sight_session *session) {
    struct sight *sight = session->sight;
    drop_all_pending(session);
    names_close_all(session);
    undo_writes(session);
    marks_forget(session);
    leave_unit(session, &session->transaction.unit);
    leave_unit(session, &session->loose);
    CHECK(session->memory == 0 && session->pending_count == 0 && sight->session_count > 0);
    versions_closed(session);
    sight->session_count--;
    LIST_REMOVE(session, link);
    free(session->database);
    free(session);
}
