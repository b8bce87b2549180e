// Follows the messages of each session: record_client_message() > add_statement() for a Query or a Bind, and
// record_server_message() > answer() until the ReadyForQuery, which may end the unit.
#include "server/console/record.h"

#include <stdlib.h>

struct prepared {
    TAILQ_ENTRY(prepared) link;
    bool has_caller;
    struct trace_context caller;
    size_t name_length;
    char *sql; // behind the name
    char name[];
};

enum awaited_kind { AWAITED_QUERY, AWAITED_BOUND, AWAITED_SYNC };

struct awaited {
    STAILQ_ENTRY(awaited) link;
    enum awaited_kind kind;
    struct unit *unit;                 // a reference; NULL for a Sync
    struct shown_statement *statement; // NULL: it was left out
};

// --- Units ---

static void unlist(struct record *record, struct unit *unit) {
    TAILQ_REMOVE(&record->units, unit, link);
    unit->is_listed = false;
    record->unit_count--;
    record_release_unit(record, unit);
}

static struct unit *begin_unit(struct record_session *session, const struct trace_context *caller, uint64_t now_ns) {
    struct record *record = session->record;
    struct unit *unit = memory_allocate_zeroed(sizeof *unit);
    record->bytes += sizeof *unit;
    unit->references = 2; // the list's and the session's
    unit->id = ++record->last_id;
    unit->session = session->number;
    unit->backend = session->backend;
    memcpy(unit->database, session->database, sizeof unit->database);
    unit->began_ns = now_ns;
    TAILQ_INIT(&unit->statements);
    if (caller != NULL) {
        unit->has_caller = true;
        unit->caller = *caller;
    }
    unit->is_listed = true;
    TAILQ_INSERT_HEAD(&record->units, unit, link);
    record->unit_count++;
    if (record->unit_count > UNITS_KEPT) {
        unlist(record, TAILQ_LAST(&record->units, unit_list));
    }
    session->unit = unit;
    return unit;
}

static enum unit_end end_of(const struct unit *unit) {
    const struct shown_statement *last = TAILQ_LAST(&unit->statements, statement_list);
    if (!unit->is_transaction || unit->left_out > 0) {
        return UNIT_DONE;
    }
    return last != NULL && strcmp(last->tag, "COMMIT") == 0 ? UNIT_COMMITTED : UNIT_ROLLED_BACK;
}

static void end_unit(struct record_session *session, uint64_t now_ns) {
    struct unit *unit = session->unit;
    if (unit == NULL) {
        return;
    }
    session->unit = NULL;
    unit->ended_ns = now_ns;
    unit->end = end_of(unit);
    session->record->callbacks->ended(session->record->owner, unit);
    record_release_unit(session->record, unit);
}

static bool is_of_caller(const struct unit *unit, const struct trace_context *caller) {
    return caller == NULL ? !unit->has_caller
                          : unit->has_caller && memcmp(unit->caller.span_id, caller->span_id, SPAN_ID_BYTES) == 0 &&
                                memcmp(unit->caller.trace_id, caller->trace_id, TRACE_ID_BYTES) == 0;
}

static bool begins_transaction(const char *sql) {
    struct slice words = slice_of(sql + strspn(sql, " \t\r\n"));
    return slice_starts_with_ignoring_case(words, SLICE_LITERAL("begin")) ||
           slice_starts_with_ignoring_case(words, SLICE_LITERAL("start transaction"));
}

// The unit that a statement belongs to.
static struct unit *unit_for(struct record_session *session, const char *sql, const struct trace_context *caller,
                             uint64_t now_ns) {
    struct unit *unit = session->unit;
    bool in_transaction = session->transaction == 'T' || session->transaction == 'E';
    if (unit == NULL) {
        return begin_unit(session, caller, now_ns);
    }
    bool was_idle = unit->hold.place[0] == '\0' && now_ns - session->used_ns > UNIT_IDLE_NS;
    if (!in_transaction && unit->count > 0 && STAILQ_EMPTY(&session->awaited) &&
        (begins_transaction(sql) || !is_of_caller(unit, caller) || was_idle)) {
        struct hold_shown hold = unit->hold;
        unit->hold = (struct hold_shown){0};
        end_unit(session, session->used_ns);
        unit = begin_unit(session, caller, now_ns);
        unit->hold = hold;
    }
    return unit;
}

// --- Statements ---

static void await(struct record_session *session, enum awaited_kind kind, struct unit *unit,
                  struct shown_statement *statement) {
    if (session->awaited_count >= AWAITED_MAX && kind != AWAITED_SYNC) {
        return;
    }
    struct awaited *awaited = memory_allocate_zeroed(sizeof *awaited);
    *awaited = (struct awaited){.kind = kind, .unit = unit, .statement = statement};
    if (unit != NULL) {
        unit->references++;
    }
    STAILQ_INSERT_TAIL(&session->awaited, awaited, link);
    session->awaited_count++;
}

static void copy(char *out, size_t size, struct slice value) {
    size_t length = MIN(value.length, size - 1);
    memcpy(out, value.length > 0 ? value.data : "", length);
    out[length] = '\0';
}

// A statement that is sent.
struct sent {
    enum awaited_kind kind;
    const char *sql, *summary;
    const struct trace_context *caller; // NULL: none
};

static void add_statement(struct record_session *session, const struct sent *sent, uint64_t now_ns) {
    struct record *record = session->record;
    struct unit *unit = unit_for(session, sent->sql, sent->caller, now_ns);
    if (sent->caller != NULL && !unit->has_caller && unit->count == 0) {
        unit->has_caller = true;
        unit->caller = *sent->caller;
    }
    if (unit->count == 0) {
        record->callbacks->began(record->owner, unit);
    }
    struct shown_statement *statement = NULL;
    unit->count++;
    if (unit->count - unit->left_out <= UNIT_STATEMENTS_MAX) {
        size_t length = strlen(sent->sql);
        statement = memory_allocate_zeroed(sizeof *statement + length + 1);
        record->bytes += sizeof *statement + length + 1;
        memcpy(statement->sql, sent->sql, length);
        copy(statement->summary, sizeof statement->summary, slice_of(sent->summary));
        statement->sent_ns = now_ns;
        statement->hold = unit->hold;
        TAILQ_INSERT_TAIL(&unit->statements, statement, link);
    } else {
        unit->left_out++;
    }
    unit->hold = (struct hold_shown){0};
    session->used_ns = now_ns;
    await(session, sent->kind, unit, statement);
    record->callbacks->statement(record->owner);
}

static void copy_shown(char out[static STATEMENT_SHOWN + 1], struct slice sql) {
    size_t length = sql.length > 0 ? strnlen(sql.data, MIN(sql.length, (size_t)STATEMENT_SHOWN)) : 0;
    memcpy(out, sql.length > 0 ? sql.data : "", length);
    out[length] = '\0';
}

// Finds traceparent='...' in a comment of the SQL, as sqlcommenter writes it.
static bool find_caller(struct slice sql, struct trace_context *out) {
    static const char name[] = "traceparent";
    const char *found = sql.length > 0 ? memmem(sql.data, sql.length, name, sizeof name - 1) : NULL;
    if (found == NULL) {
        return false;
    }
    const char *end = sql.data + sql.length;
    const char *at = found + sizeof name - 1;
    while (at < end && (*at == '=' || *at == ' ' || *at == ':' || *at == '\'' || *at == '"')) {
        at++;
    }
    return end - at >= TRACEPARENT_LENGTH - 1 && trace_context_parse((struct slice){at, TRACEPARENT_LENGTH - 1}, out);
}

static struct slice take_string(struct slice *body) {
    size_t length = body->length > 0 ? strnlen(body->data, body->length) : 0;
    struct slice string = {body->data, length};
    size_t used = MIN(length + 1, body->length);
    *body = (struct slice){body->data + used, body->length - used};
    return string;
}

static struct prepared *find_prepared(struct record_session *session, struct slice name) {
    struct prepared *prepared;
    TAILQ_FOREACH(prepared, &session->prepared, link) {
        if (slice_equals((struct slice){prepared->name, prepared->name_length}, name)) {
            return prepared;
        }
    }
    return NULL;
}

static void forget_prepared(struct record_session *session, struct prepared *prepared) {
    if (prepared != NULL) {
        TAILQ_REMOVE(&session->prepared, prepared, link);
        session->prepared_count--;
        free(prepared);
    }
}

static void parse(struct record_session *session, struct slice body) {
    struct slice name = take_string(&body);
    char sql[STATEMENT_SHOWN + 1];
    copy_shown(sql, body);
    forget_prepared(session, find_prepared(session, name));
    struct prepared *prepared = memory_allocate_zeroed(sizeof *prepared + name.length + strlen(sql) + 2);
    prepared->name_length = name.length;
    memcpy(prepared->name, name.length > 0 ? name.data : "", name.length);
    prepared->sql = prepared->name + name.length + 1;
    memcpy(prepared->sql, sql, strlen(sql));
    prepared->has_caller = find_caller(body, &prepared->caller);
    TAILQ_INSERT_HEAD(&session->prepared, prepared, link);
    session->prepared_count++;
    if (session->prepared_count > PREPARED_MAX) {
        forget_prepared(session, TAILQ_LAST(&session->prepared, prepared_list));
    }
}

static void bind(struct record_session *session, struct slice body, const char *summary, uint64_t now_ns) {
    (void)take_string(&body); // the portal
    struct prepared *prepared = find_prepared(session, take_string(&body));
    if (prepared == NULL) {
        add_statement(session, &(struct sent){AWAITED_BOUND, "", summary, NULL}, now_ns);
        return;
    }
    TAILQ_REMOVE(&session->prepared, prepared, link);
    TAILQ_INSERT_HEAD(&session->prepared, prepared, link);
    const struct trace_context *caller = prepared->has_caller ? &prepared->caller : NULL;
    add_statement(session, &(struct sent){AWAITED_BOUND, prepared->sql, summary, caller}, now_ns);
}

static void query(struct record_session *session, struct slice body, const char *summary, uint64_t now_ns) {
    struct trace_context caller;
    bool has_caller = find_caller(body, &caller);
    char sql[STATEMENT_SHOWN + 1];
    copy_shown(sql, body);
    add_statement(session, &(struct sent){AWAITED_QUERY, sql, summary, has_caller ? &caller : NULL}, now_ns);
}

void record_client_message(struct record_session *session, char type, struct slice body, const char *summary,
                           uint64_t now_ns) {
    switch (type) {
    case 'Q': query(session, body, summary, now_ns); return;
    case 'P': parse(session, body); return;
    case 'B': bind(session, body, summary, now_ns); return;
    case 'S': // Sync
    case 'F': // FunctionCall
        await(session, AWAITED_SYNC, NULL, NULL);
        return;
    case 'C':
        if (body.length > 0 && body.data[0] == 'S') {
            struct slice name = {body.data + 1, body.length - 1};
            forget_prepared(session, find_prepared(session, take_string(&name)));
        }
        return;
    default: return;
    }
}

// --- Answers ---

static void take_awaited(struct record_session *session, uint64_t now_ns) {
    struct awaited *awaited = STAILQ_FIRST(&session->awaited);
    STAILQ_REMOVE_HEAD(&session->awaited, link);
    session->awaited_count--;
    if (awaited->statement != NULL && awaited->statement->done_ns == 0) {
        awaited->statement->done_ns = now_ns;
    }
    if (awaited->unit != NULL) {
        record_release_unit(session->record, awaited->unit);
    }
    free(awaited);
}

// The text of the field `code` of an ErrorResponse.
static struct slice error_field(struct slice body, char code) {
    while (body.length > 1 && body.data[0] != '\0') {
        char found = body.data[0];
        body = (struct slice){body.data + 1, body.length - 1};
        struct slice value = take_string(&body);
        if (found == code) {
            return value;
        }
    }
    return SLICE_LITERAL("");
}

static void answer(struct record_session *session, char type, struct slice body, uint64_t now_ns) {
    struct awaited *head = STAILQ_FIRST(&session->awaited);
    if (head == NULL || head->kind == AWAITED_SYNC) {
        return;
    }
    struct shown_statement *statement = head->statement;
    if (statement != NULL) {
        statement->done_ns = now_ns; // a Query may have several results: the last one counts
        if (type == 'E') {
            copy(statement->sqlstate, sizeof statement->sqlstate, error_field(body, 'C'));
        } else if (type == 'C') {
            copy(statement->tag, sizeof statement->tag, take_string(&body));
        }
    }
    if (head->kind == AWAITED_BOUND && type != 'E') { // behind an error the server skips all messages up to the Sync
        take_awaited(session, now_ns);
    }
}

static void ready(struct record_session *session, char status, uint64_t now_ns) {
    bool is_last = false;
    while (!is_last && !STAILQ_EMPTY(&session->awaited)) {
        is_last = STAILQ_FIRST(&session->awaited)->kind != AWAITED_BOUND;
        take_awaited(session, now_ns);
    }
    session->transaction = status;
    session->used_ns = now_ns;
    if (session->unit == NULL) {
        return;
    }
    if (status != 'I') {
        session->unit->is_transaction = true;
    } else if (session->unit->is_transaction && STAILQ_EMPTY(&session->awaited)) {
        end_unit(session, now_ns);
    }
}

void record_server_message(struct record_session *session, char type, struct slice body, uint64_t now_ns) {
    switch (type) {
    case 'C': // CommandComplete
    case 'E': // ErrorResponse
    case 'I': // EmptyQueryResponse
    case 's': // PortalSuspended
        answer(session, type, body, now_ns);
        return;
    case 'Z':
        if (body.length == 1) {
            ready(session, body.data[0], now_ns);
        }
        return;
    default: return;
    }
}

// --- Holds ---

void record_held(struct record_session *session, const char *place, uint64_t now_ns) {
    struct unit *unit = session->unit != NULL ? session->unit : begin_unit(session, NULL, now_ns);
    unit->hold = (struct hold_shown){.held_ns = now_ns};
    copy(unit->hold.place, sizeof unit->hold.place, slice_of(place));
}

void record_let_go(struct record_session *session, const char *ending, uint64_t now_ns) {
    if (session->unit != NULL && session->unit->hold.place[0] != '\0') {
        session->unit->hold.released_ns = now_ns;
        session->unit->hold.ending = ending;
    }
}

void record_waits(struct record *record, uint64_t holder, uint32_t waiter) {
    struct record_session *session;
    TAILQ_FOREACH(session, &record->sessions, link) {
        struct awaited *running = STAILQ_FIRST(&session->awaited);
        if (session->backend == waiter && running != NULL && running->statement != NULL) {
            running->statement->waits_for = holder;
        }
    }
}

// --- Begin and end ---

void record_init(struct record *record, const struct record_callbacks *callbacks, void *owner) {
    *record = (struct record){.callbacks = callbacks, .owner = owner};
    TAILQ_INIT(&record->units);
    TAILQ_INIT(&record->sessions);
}

void record_open(struct record *record, struct record_session *session) {
    session->record = record;
    TAILQ_INIT(&session->prepared);
    STAILQ_INIT(&session->awaited);
    TAILQ_INSERT_TAIL(&record->sessions, session, link);
}

void record_close(struct record_session *session, uint64_t now_ns) {
    while (!STAILQ_EMPTY(&session->awaited)) {
        take_awaited(session, now_ns);
    }
    for (struct prepared *next, *prepared = TAILQ_FIRST(&session->prepared); prepared != NULL; prepared = next) {
        next = TAILQ_NEXT(prepared, link);
        forget_prepared(session, prepared);
    }
    end_unit(session, now_ns);
    TAILQ_REMOVE(&session->record->sessions, session, link);
}

// Ends the units outside of transactions whose session has been idle.
void record_sweep(struct record *record, uint64_t now_ns) {
    struct record_session *session;
    TAILQ_FOREACH(session, &record->sessions, link) {
        bool is_held = session->unit != NULL && session->unit->hold.place[0] != '\0';
        if (session->unit != NULL && !session->unit->is_transaction && STAILQ_EMPTY(&session->awaited) && !is_held &&
            now_ns > session->used_ns + UNIT_IDLE_NS) {
            end_unit(session, session->used_ns);
        }
    }
}

void record_free(struct record *record) {
    CHECK(TAILQ_EMPTY(&record->sessions));
    record_forget_findings(record);
    while (!TAILQ_EMPTY(&record->units)) {
        unlist(record, TAILQ_FIRST(&record->units));
    }
    CHECK(record->bytes == 0);
}
