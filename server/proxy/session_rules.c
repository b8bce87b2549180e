// Asks the rules about each statement of a session, and lets held sessions continue.
#include "server/proxy/session_internal.h"

#include "server/proxy/observer.h"

static bool starts_statement(const struct wire_message *message) {
    return strchr("QBPF", message->type) != NULL && message->type != '\0';
}

// The action that the rule matches, or NULL. An observer knows better than the dialogue what was read.
static const struct statement_action *match(struct session *session, const struct rule *rule,
                                            const struct wire_message *message, const struct sql_statement *statement,
                                            uint64_t now_ns) {
    bool asks = session->observed != NULL && rule->needs_read;
    const struct statement_action *action = rule_match(rule, statement, asks ? NULL : &session->dialogue, now_ns);
    bool matches = action != NULL && (!asks || session->context->observer->has_read(session->observed, message->type,
                                                                                    message->body, action->table));
    return matches ? action : NULL;
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

static void report(struct session *session, char type, struct slice body) {
    if (session->observed != NULL) {
        session->context->observer->client_message(session->observed, type, body, clock_monotonic_ns());
    }
}

// Returns true if the message must be held.
static bool arrive(struct session *session, const struct wire_message *message) {
    const struct rule *armed = session->armed;
    bool holds = false;
    if (armed != NULL && starts_statement(message)) {
        session->armed = NULL;
        holds = hold_arrive(session->context->hold, &session->held, armed, session->armed_table);
    }
    struct sql_statement statement;
    if (dialogue_client(&session->dialogue, message, &statement)) {
        uint64_t now_ns = clock_monotonic_ns();
        holds = holds || hold_wants(session, message, &statement, now_ns);
        dialogue_forwarded(&session->dialogue, &statement, now_ns);
    }
    return holds;
}

bool session_client_message(struct session *session, const struct wire_message *message) {
    bool is_bind = message->type == 'B';
    if (is_bind) {
        report(session, 'B', message->body);
    }
    bool holds = arrive(session, message);
    if (holds && !is_bind && session->observed != NULL) {
        session->held_type = message->type;
        text_append_slice(&session->held_message, message->body);
    } else if (!is_bind) {
        report(session, message->type, message->body);
    }
    return holds;
}

void session_released(void *context, struct held *held) {
    (void)context;
    struct session *session = CONTAINER_OF(held, struct session, held);
    if (session->state == SESSION_CLOSING) {
        return;
    }
    if (session->held_type != '\0') {
        report(session, session->held_type, text_slice(&session->held_message));
        session->held_type = '\0';
        text_free(&session->held_message);
    }
    flow_release(&session->to_server);
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
