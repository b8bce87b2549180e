// Keeps what the messages of one session say. dialogue_client() follows the prepared statements, dialogue_server() the
// transactions, and dialogue_forwarded() the tables that were read.
#include "server/proxy/dialogue.h"

#include <stdlib.h>

// Reads outside of a transaction are forgotten after this time, because a pooled session serves many requests.
#define DIALOGUE_UNIT_NS (10 * NANOSECONDS_PER_SECOND)

struct prepared {
    TAILQ_ENTRY(prepared) link;
    struct text name;
    unsigned count;
    struct statement_action actions[];
};

void dialogue_init(struct dialogue *dialogue, bool reads_sql) {
    *dialogue = (struct dialogue){.reads_sql = reads_sql, .owed = 1}; // the ReadyForQuery at the end of the startup
    TAILQ_INIT(&dialogue->prepared);
}

static void forget(struct dialogue *dialogue, struct prepared *prepared) {
    if (prepared != NULL) {
        TAILQ_REMOVE(&dialogue->prepared, prepared, link);
        dialogue->prepared_count--;
        text_free(&prepared->name);
        free(prepared);
    }
}

void dialogue_free(struct dialogue *dialogue) {
    struct prepared *next;
    for (struct prepared *each = TAILQ_FIRST(&dialogue->prepared); each != NULL; each = next) {
        next = TAILQ_NEXT(each, link);
        forget(dialogue, each);
    }
}

static struct prepared *find(struct dialogue *dialogue, struct slice name) {
    struct prepared *each;
    TAILQ_FOREACH(each, &dialogue->prepared, link) {
        if (slice_equals(text_slice(&each->name), name)) {
            return each;
        }
    }
    return NULL;
}

static void keep(struct dialogue *dialogue, struct slice name, const struct statement_action *actions, unsigned count) {
    forget(dialogue, find(dialogue, name));
    size_t size = count * sizeof actions[0];
    struct prepared *added = memory_allocate_zeroed(sizeof *added + size);
    text_append_slice(&added->name, name);
    added->count = count;
    memcpy(added->actions, actions, size);
    TAILQ_INSERT_HEAD(&dialogue->prepared, added, link);
    dialogue->prepared_count++;
    if (dialogue->prepared_count > DIALOGUE_PREPARED_MAX) {
        forget(dialogue, TAILQ_LAST(&dialogue->prepared, prepared_list));
    }
}

static void parse(struct dialogue *dialogue, struct wire_fields fields) {
    struct slice name = wire_read_string(&fields);
    struct sql_statement statement;
    statement_read(wire_read_string(&fields), &statement);
    keep(dialogue, name, statement.actions, statement.count);
}

// Appends the actions of a prepared statement. False: it is not known.
static bool append_prepared(struct dialogue *dialogue, struct slice name, struct sql_statement *statement) {
    struct prepared *found = find(dialogue, name);
    if (found == NULL) {
        return false;
    }
    TAILQ_REMOVE(&dialogue->prepared, found, link);
    TAILQ_INSERT_HEAD(&dialogue->prepared, found, link);
    unsigned count = MIN(found->count, STATEMENT_ACTIONS_MAX - statement->count);
    memcpy(statement->actions + statement->count, found->actions, count * sizeof found->actions[0]);
    statement->count += count;
    return true;
}

static bool bind(struct dialogue *dialogue, struct wire_fields fields, struct sql_statement *statement) {
    (void)wire_read_string(&fields); // the portal
    struct slice name = wire_read_string(&fields);
    statement->count = 0;
    return !fields.is_short && append_prepared(dialogue, name, statement);
}

// Keeps the statement of PREPARE, whose actions begin at `begin`. Returns the place behind them.
static unsigned prepare(struct dialogue *dialogue, const struct sql_statement *statement, unsigned begin,
                        const char *name) {
    struct sql_statement inner = {0};
    unsigned end = begin;
    for (; end < statement->count && statement->actions[end].is_prepared; end++) {
        inner.actions[inner.count] = statement->actions[end];
        inner.actions[inner.count++].is_prepared = false;
    }
    keep(dialogue, slice_of(name), inner.actions, inner.count);
    return end;
}

// Leaves the actions that the server runs now: those of the statements that EXECUTE names, and none of PREPARE.
static void expand(struct dialogue *dialogue, struct sql_statement *statement) {
    struct sql_statement read = *statement;
    statement->count = 0;
    for (unsigned i = 0; i < read.count;) {
        const struct statement_action *action = &read.actions[i++];
        if (action->verb == VERB_PREPARE) {
            i = prepare(dialogue, &read, i, action->table);
        } else if (action->verb == VERB_EXECUTE) {
            (void)append_prepared(dialogue, slice_of(action->table), statement);
        } else if (statement->count < STATEMENT_ACTIONS_MAX) {
            statement->actions[statement->count++] = *action;
        }
    }
}

static void close_prepared(struct dialogue *dialogue, struct wire_fields fields) {
    struct slice kind = wire_read_bytes(&fields, 1);
    if (kind.length == 1 && kind.data[0] == 'S') {
        forget(dialogue, find(dialogue, wire_read_string(&fields)));
    }
}

static bool read_sql(struct dialogue *dialogue, const struct wire_message *message, struct sql_statement *statement) {
    struct wire_fields fields = {.rest = message->body};
    switch (message->type) {
    case 'Q': statement_read(message->body, statement); return true;
    case 'P': parse(dialogue, fields); return false;
    case 'B': return bind(dialogue, fields, statement);
    case 'C': close_prepared(dialogue, fields); return false;
    default: return false;
    }
}

bool dialogue_client(struct dialogue *dialogue, const struct wire_message *message, struct sql_statement *statement) {
    switch (message->type) {
    case 'Q': // Query
        dialogue->owed++;
        break;
    case 'S': // Sync
    case 'F': // FunctionCall
        dialogue->owed++;
        return false;
    case 'X': dialogue->has_terminated = true; return false;
    default: break;
    }
    bool runs = dialogue->reads_sql && read_sql(dialogue, message, statement);
    if (runs) {
        expand(dialogue, statement);
    }
    return runs;
}

static void remember_read(struct dialogue *dialogue, const char *table, uint64_t now_ns) {
    struct dialogue_read *oldest = &dialogue->reads[0];
    for (unsigned i = 0; i < dialogue->read_count; i++) {
        struct dialogue_read *each = &dialogue->reads[i];
        if (strcmp(each->table, table) == 0) {
            each->read_ns = now_ns;
            return;
        }
        oldest = each->read_ns < oldest->read_ns ? each : oldest;
    }
    if (dialogue->read_count < DIALOGUE_READS_MAX) {
        oldest = &dialogue->reads[dialogue->read_count++];
    }
    memcpy(oldest->table, table, sizeof oldest->table);
    oldest->read_ns = now_ns;
}

void dialogue_forwarded(struct dialogue *dialogue, const struct sql_statement *statement, uint64_t now_ns) {
    for (unsigned i = 0; i < statement->count; i++) {
        const struct statement_action *action = &statement->actions[i];
        if (action->verb == VERB_SELECT) {
            remember_read(dialogue, action->table, now_ns);
        } else if (statement_verb_writes(action->verb)) {
            dialogue->has_written = true;
        } else if (action->verb == VERB_ROLLBACK || action->verb == VERB_RESET) {
            dialogue->read_count = 0; // a pool takes the session back
        } else if (action->verb == VERB_DEALLOCATE && action->table[0] == '\0') {
            dialogue_free(dialogue);
        } else if (action->verb == VERB_DEALLOCATE) {
            forget(dialogue, find(dialogue, slice_of(action->table)));
        }
    }
}

static bool is_fatal(const struct wire_message *message) {
    struct slice severity = wire_error_field(message->body, 'V');
    return slice_equals(severity, SLICE_LITERAL("FATAL")) || slice_equals(severity, SLICE_LITERAL("PANIC"));
}

static bool ready(struct dialogue *dialogue, char status) {
    dialogue->owed -= dialogue->owed > 0 ? 1 : 0;
    dialogue->is_copying = false;
    dialogue->transaction = status;
    bool is_idle = status == 'I' && dialogue->owed == 0;
    if (is_idle && dialogue->has_written) {
        dialogue->has_written = false;
        dialogue->read_count = 0;
    }
    return is_idle;
}

bool dialogue_server(struct dialogue *dialogue, const struct wire_message *message) {
    switch (message->type) {
    case 'Z': return message->body.length == 1 && ready(dialogue, message->body.data[0]);
    case 'E': dialogue->had_fatal = dialogue->had_fatal || is_fatal(message); return false;
    case 'K':
        dialogue->key_length = message->body.length <= DIALOGUE_KEY_MAX ? message->body.length : 0;
        memcpy(dialogue->key, message->body.data, dialogue->key_length);
        return false;
    case 'G': // CopyInResponse: the server ignores a Sync that was sent before
    case 'W': // CopyBothResponse
        dialogue->is_copying = true;
        dialogue->owed = 0;
        return false;
    default: return false;
    }
}

bool dialogue_has_read(const struct dialogue *dialogue, const char *table, uint64_t now_ns) {
    for (unsigned i = 0; i < dialogue->read_count; i++) {
        const struct dialogue_read *each = &dialogue->reads[i];
        if (strcmp(each->table, table) == 0) {
            return dialogue->transaction != 'I' || now_ns - each->read_ns < DIALOGUE_UNIT_NS;
        }
    }
    return false;
}

bool dialogue_is_busy(const struct dialogue *dialogue) {
    return dialogue->owed > 0 || dialogue->is_copying || dialogue->transaction != 'I';
}

uint32_t dialogue_backend(const struct dialogue *dialogue) {
    struct wire_fields fields = {.rest = {dialogue->key, dialogue->key_length}};
    return wire_read_32(&fields);
}

bool dialogue_has_key(const struct dialogue *dialogue, struct slice key) {
    return dialogue->key_length > 0 && slice_equals((struct slice){dialogue->key, dialogue->key_length}, key);
}
