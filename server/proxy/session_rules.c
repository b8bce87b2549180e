// Asks the rules about each statement of a session, and lets held sessions continue.
#include "server/proxy/session_internal.h"

#include "server/proxy/observe.h"

static bool is_statement(const struct wire_message *message) {
    return message->type == 'Q' || message->type == 'B';
}

static bool starts_statement(const struct wire_message *message) {
    return is_statement(message) || message->type == 'P' || message->type == 'F';
}

// Returns true if the message must be held.
static bool hold_wants(struct session *session, const struct sql_statement *statement, uint64_t now_ns) {
    unsigned count;
    const struct rule *rules = hold_rules(session->context->hold, &count);
    for (unsigned i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        const struct statement_action *action = rule_match(rule, statement, &session->dialogue, now_ns);
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

bool session_client_message(struct session *session, const struct wire_message *message) {
    if (session->context->observer != NULL) {
        observe_client(session->context->observer, session->observed, message);
    }
    const struct rule *armed = session->armed;
    bool holds = false;
    if (armed != NULL && starts_statement(message)) {
        session->armed = NULL;
        holds = hold_arrive(session->context->hold, &session->held, armed, session->armed_table);
    }
    struct sql_statement statement;
    if (dialogue_client(&session->dialogue, message, &statement)) {
        uint64_t now_ns = clock_monotonic_ns();
        holds = holds || hold_wants(session, &statement, now_ns);
        dialogue_forwarded(&session->dialogue, &statement, now_ns);
    }
    session->held_statement = holds && is_statement(message);
    if (!holds && is_statement(message)) {
        observe_forwarded(session->context->observer, session->observed);
    }
    return holds;
}

void session_released(void *context, struct held *held) {
    (void)context;
    struct session *session = CONTAINER_OF(held, struct session, held);
    if (session->state != SESSION_CLOSING) {
        if (session->held_statement) {
            observe_forwarded(session->context->observer, session->observed);
        }
        flow_release(&session->to_server);
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
