// Reports the messages of a session to the observer.
#include "server/proxy/observe.h"

static void report_statement(const struct observer *observer, void *session, const struct wire_message *message) {
    struct wire_fields fields = {.rest = message->body};
    struct observed_statement statement = {.is_simple = message->type == 'Q', .is_whole = message->is_whole};
    if (statement.is_simple) {
        statement.sql = wire_read_string(&fields);
    } else {
        statement.portal = wire_read_string(&fields);
        statement.prepared = wire_read_string(&fields);
        statement.bind = message->body;
    }
    observer->statement(session, &statement, clock_monotonic_ns());
}

static void report_named(const struct observer *observer, void *session, const struct wire_message *message) {
    struct wire_fields fields = {.rest = message->body};
    if (message->type == 'P') {
        struct slice name = wire_read_string(&fields);
        observer->parsed(session, name, wire_read_string(&fields));
    } else if (message->type == 'E') {
        observer->executed(session, wire_read_string(&fields));
    } else {
        struct slice kind = wire_read_bytes(&fields, 1);
        observer->closed(session, kind.length == 1 ? kind.data[0] : '\0', wire_read_string(&fields));
    }
}

void observe_client(const struct observer *observer, void *session, const struct wire_message *message) {
    if (session == NULL) {
        return;
    }
    switch (message->type) {
    case 'Q':
    case 'B': report_statement(observer, session, message); break;
    case 'P':
    case 'E':
    case 'C': report_named(observer, session, message); break;
    default: break;
    }
}

void observe_server(const struct observer *observer, void **session, uint64_t number,
                    const struct wire_message *message) {
    struct wire_fields fields = {.rest = message->body};
    if (message->type == 'K' && *session == NULL) {
        *session = observer->began(observer->owner, number, wire_read_32(&fields));
        return;
    }
    if (*session == NULL) {
        return;
    }
    uint64_t now_ns = clock_monotonic_ns();
    switch (message->type) {
    case 'T': observer->row_description(*session, message->body); break;
    case 'D': observer->row(*session, message->body, message->is_whole, now_ns); break;
    case 'C': observer->complete(*session, wire_read_string(&fields), now_ns); break;
    case 'E': observer->failed(*session, wire_error_field(message->body, 'C'), now_ns); break;
    case 'Z': observer->ready(*session, message->body.length == 1 ? message->body.data[0] : '\0', now_ns); break;
    default: break;
    }
}

void observe_forwarded(const struct observer *observer, void *session) {
    if (observer != NULL && session != NULL) {
        observer->forwarded(session, clock_monotonic_ns());
    }
}

void observe_ended(const struct observer *observer, void *session) {
    if (observer != NULL && session != NULL) {
        observer->ended(session);
    }
}
