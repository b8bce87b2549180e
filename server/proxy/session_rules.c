// Asks the rules about each statement of a session, and lets held sessions continue.
#include "server/proxy/session_internal.h"

#include "server/proxy/observer.h"

#include <stdio.h>

static bool starts_statement(const struct wire_message *message) {
    return strchr("QBPF", message->type) != NULL && message->type != '\0';
}

static unsigned count_writes(const struct sql_statement *statement) {
    unsigned count = 0;
    for (unsigned i = 0; i < statement->count; i++) {
        count += statement_verb_writes(statement->actions[i].verb);
    }
    return count;
}

// The action that the rule matches, or NULL. An observer knows better than the dialogue what was read: it knows rows.
static const struct statement_action *match(struct session *session, const struct rule *rule,
                                            const struct wire_message *message, const struct sql_statement *statement,
                                            uint64_t now_ns) {
    const struct observer *observer = session->context->observer;
    bool asks = session->observed != NULL && rule->needs_read;
    session->held.compares_rows = false;
    const struct statement_action *action = rule_match(rule, statement, asks ? NULL : &session->dialogue, now_ns);
    if (action == NULL || !asks) {
        return action;
    }
    enum observer_read read = observer->has_read(session->observed, message->type, message->body, action->table);
    bool may_mean_other = read == OBSERVER_NOT_READ && observer->meet != NULL && count_writes(statement) > 1;
    if (read == OBSERVER_UNKNOWN || may_mean_other) {
        return rule_match(rule, statement, &session->dialogue, now_ns);
    }
    session->held.compares_rows = observer->meet != NULL && rule->when == RULE_BEFORE && rule->action == RULE_BARRIER;
    return read == OBSERVER_READ ? action : NULL;
}

// Returns true if the message must be held.
static bool hold_wants(struct session *session, const struct wire_message *message,
                       const struct sql_statement *statement, uint64_t now_ns) {
    unsigned count;
    const struct rule *rules = hold_rules(session->context->hold, &count);
    for (unsigned i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        const struct statement_action *action = match(session, rule, message, statement, now_ns);
        if (action == NULL || (rule->nth > 0 && ++session->matches[i] != rule->nth)) {
            continue;
        }
        if (rule->when == RULE_BEFORE) {
            return hold_arrive(session->context->hold, &session->held, rule, action->table);
        }
        session->armed = rule;
        memcpy(session->armed_table, action->table, sizeof session->armed_table);
    }
    return false;
}

static void report(struct session *session, char type, struct slice body, uint64_t now_ns) {
    if (session->observed != NULL) {
        session->context->observer->client_message(session->observed, type, body, now_ns);
    }
}

static void show(struct session *session, char type, struct slice body, uint64_t now_ns) {
    if (session->shown != NULL) {
        console_client_message(session->shown, type, body, session->summary, now_ns);
    }
}

// Writes "SELECT accounts UPDATE accounts": each verb once, with the tables behind it.
static void summarize(const struct sql_statement *statement, char out[static STATEMENT_SUMMARY_MAX]) {
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < statement->count; i++) {
        const struct statement_action *action = &statement->actions[i];
        bool is_new = i == 0 || action->verb != statement->actions[i - 1].verb;
        const char *verb = is_new ? statement_verb_name(action->verb) : "";
        size_t length = strlen(verb) + strlen(action->table) + 2;
        if (used + length >= STATEMENT_SUMMARY_MAX) {
            return;
        }
        used += (size_t)snprintf(out + used, STATEMENT_SUMMARY_MAX - used, "%s%s%s%s", used > 0 ? " " : "", verb,
                                 is_new && action->table[0] != '\0' ? " " : "", action->table);
    }
}

// Returns true if the message must be held.
static bool arrive(struct session *session, const struct wire_message *message) {
    const struct rule *armed = session->armed;
    bool holds = false;
    if (armed != NULL && starts_statement(message)) {
        session->armed = NULL;
        session->held.compares_rows = false;
        holds = hold_arrive(session->context->hold, &session->held, armed, session->armed_table);
    }
    struct sql_statement statement;
    session->summary[0] = '\0';
    if (dialogue_client(&session->dialogue, message, &statement)) {
        if (session->shown != NULL) {
            summarize(&statement, session->summary);
        }
        uint64_t now_ns = clock_monotonic_ns();
        holds = holds || hold_wants(session, message, &statement, now_ns);
        dialogue_forwarded(&session->dialogue, &statement, now_ns);
    }
    return holds;
}

// A held message is reported at the end of its hold, but the observer sees a Bind at once: see observer.h.
bool session_client_message(struct session *session, const struct wire_message *message) {
    bool is_seen = session->observed != NULL || session->shown != NULL;
    bool is_bind = message->type == 'B';
    if (is_bind) {
        report(session, 'B', message->body, is_seen ? clock_monotonic_ns() : 0);
    }
    bool holds = arrive(session, message);
    if (!is_seen) {
        return holds;
    }
    if (holds) {
        session->held_type = message->type;
        text_append_slice(&session->held_message, message->body);
        return true;
    }
    uint64_t now_ns = clock_monotonic_ns();
    show(session, message->type, message->body, now_ns);
    if (!is_bind) {
        report(session, message->type, message->body, now_ns);
    }
    return false;
}

void session_released(void *context, struct held *held) {
    (void)context;
    struct session *session = CONTAINER_OF(held, struct session, held);
    if (session->state == SESSION_CLOSING) {
        return;
    }
    if (session->held_type != '\0') {
        uint64_t now_ns = clock_monotonic_ns();
        show(session, session->held_type, text_slice(&session->held_message), now_ns);
        if (session->held_type != 'B') {
            report(session, session->held_type, text_slice(&session->held_message), now_ns);
        }
        session->held_type = '\0';
        text_free(&session->held_message);
    }
    flow_release(&session->to_server);
}

void session_held(struct held *held, const char *place) {
    const struct session *session = CONTAINER_OF(held, struct session, held);
    if (session->shown != NULL) {
        console_held(session->shown, place, held->since_ns);
    }
}

void session_let_go(struct held *held, enum hold_end end) {
    const struct session *session = CONTAINER_OF(held, struct session, held);
    if (session->shown != NULL) {
        console_let_go(session->shown, hold_end_names[end], clock_monotonic_ns());
    }
}

enum hold_meeting session_meet(struct held *one, struct held *other) {
    const struct session *session = CONTAINER_OF(one, struct session, held);
    const struct session *with = CONTAINER_OF(other, struct session, held);
    switch (session->context->observer->meet(session->observed, with->observed)) {
    case OBSERVER_APART: return HOLD_APART;
    case OBSERVER_MEET_TABLE: return HOLD_MEET_TABLE;
    case OBSERVER_MEET_ROW: return HOLD_MEET_ROW;
    }
    UNREACHABLE("a meeting of two sessions");
}

void session_append_row(struct held *held, struct text *out) {
    const struct session *session = CONTAINER_OF(held, struct session, held);
    session->context->observer->append_row(session->observed, out);
}

void session_waits(struct held *holder, uint32_t waiter) {
    const struct session *session = CONTAINER_OF(holder, struct session, held);
    if (session->shown != NULL) {
        console_waits(session->shown, waiter);
    }
}

void session_round_protected(void *owner) {
    struct session_context *context = owner;
    struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        session->held.passes = session->held.passes || dialogue_is_busy(&session->dialogue);
    }
}

uint64_t session_number_of(void *owner, uint32_t backend) {
    struct session_context *context = owner;
    struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        if (session->held.backend == backend) {
            return session->number;
        }
    }
    return 0;
}
