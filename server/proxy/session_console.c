// The answers to the console's questions about the sessions and the rules.
#include "server/proxy/session_internal.h"

static const char *state_name(const struct session *session) {
    switch (session->state) {
    case SESSION_STARTUP: return "startup";
    case SESSION_CONNECTING: return "connecting";
    case SESSION_RELAYING: return session->held.round != NULL ? "held" : "relaying";
    case SESSION_LINGERING: return "lingering";
    case SESSION_CLOSING: return "closing";
    }
    UNREACHABLE("a state of a session");
}

static const char *transaction_name(const struct dialogue *dialogue) {
    switch (dialogue->transaction) {
    case 'I': return "idle";
    case 'T': return "open";
    case 'E': return "failed";
    default: return NULL;
    }
}

static void add_session(struct json_writer *json, const struct session *session) {
    json_open_object(json, NULL);
    json_add_unsigned(json, "number", session->number);
    json_add_string(json, "state", state_name(session));
    json_add_string_or_null(json, "database", session->database);
    json_add_unsigned(json, "backend_pid", session->held.backend);
    json_add_string_or_null(json, "transaction", transaction_name(&session->dialogue));
    json_add_boolean(json, "busy", dialogue_is_busy(&session->dialogue));
    if (session->held.round != NULL) {
        json_add_unsigned(json, "held_ms",
                          (clock_monotonic_ns() - session->held.since_ns) / NANOSECONDS_PER_MILLISECOND);
    } else {
        json_add_null(json, "held_ms");
    }
    json_add_unsigned(json, "bytes_to_server", session->to_server.received);
    json_add_unsigned(json, "bytes_to_client", session->to_client.received);
    json_close_object(json);
}

static void add_sessions(void *owner, struct json_writer *json) {
    const struct session_context *context = owner;
    const struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        add_session(json, session);
    }
}

static void add_rules(void *owner, struct json_writer *json) {
    const struct session_context *context = owner;
    unsigned count;
    const struct rule *rules = hold_rules(context->hold, &count);
    json_open_array(json, "rules");
    for (unsigned i = 0; i < count; i++) {
        struct text words = {0};
        rule_append_words(&rules[i], &words);
        json_add_slice(json, NULL, text_slice(&words));
        text_free(&words);
    }
    json_close_array(json);
    json_add_unsigned(json, "limit_ms", hold_limit_ms(context->hold));
}

// Reads one line. An empty line is no rule.
static bool read_line(struct slice line, struct rule *rules, unsigned *count, struct text *problem) {
    struct text words = {0};
    line = slice_trim(line);
    if (line.length > 0 && line.data[line.length - 1] == '\r') {
        line.length--;
    }
    text_append_slice(&words, line);
    bool is_good = true;
    if (line.length > 0 && *count == RULES_MAX) {
        text_append_format(problem, "There may be at most %d rules", RULES_MAX);
        is_good = false;
    } else if (line.length > 0 && !rule_read(text_terminated(&words), &rules[*count], problem)) {
        text_append_string(problem, ". Write a rule in each line, such as: before update accounts barrier 2");
        is_good = false;
    }
    *count += is_good && line.length > 0;
    text_free(&words);
    return is_good;
}

static bool replace_rules(void *owner, struct slice words, struct text *problem) {
    struct session_context *context = owner;
    struct rule rules[RULES_MAX];
    unsigned count = 0;
    while (words.length > 0) {
        const char *end = memchr(words.data, '\n', words.length);
        size_t length = end == NULL ? words.length : (size_t)(end - words.data);
        if (!read_line((struct slice){words.data, length}, rules, &count, problem)) {
            return false;
        }
        size_t used = length + (end != NULL);
        words = (struct slice){words.data + used, words.length - used};
    }
    hold_replace_rules(context->hold, rules, count);
    struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        session->armed = NULL;
        memset(session->matches, 0, sizeof session->matches);
    }
    return true;
}

static unsigned open_gate(void *owner) {
    struct session_context *context = owner;
    unsigned held = 0;
    const struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        held += session->held.round != NULL;
    }
    hold_open(context->hold, HOLD_OPENED);
    return held;
}

static unsigned session_count(void *owner) {
    return ((const struct session_context *)owner)->count;
}

static uint64_t bytes(void *owner, enum console_direction direction) {
    const struct session_context *context = owner;
    uint64_t sum = context->bytes[direction];
    const struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        sum += direction == CONSOLE_TO_SERVER ? session->to_server.received : session->to_client.received;
    }
    return sum;
}

const struct console_callbacks session_console_callbacks = {
    .add_sessions = add_sessions,
    .add_rules = add_rules,
    .replace_rules = replace_rules,
    .open_gate = open_gate,
    .session_count = session_count,
    .bytes = bytes,
};
