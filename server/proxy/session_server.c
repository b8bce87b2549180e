// The messages of the server: session_relay() > inspect_server() for each chunk > on_server_ended().
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"

static const char terminate[] = {'X', 0, 0, 0, 4};

// Closes the session as a server does that is shut down.
void session_stop_if_idle(struct session *session) {
    if (session->state == SESSION_STARTUP || (session->state == SESSION_CONNECTING && !session->is_opaque)) {
        session_close(session);
        return;
    }
    if (session->state != SESSION_RELAYING || session->is_opaque || dialogue_is_busy(&session->dialogue) ||
        session->dialogue.has_terminated || !wire_is_between(&session->server_wire) ||
        !wire_is_between(&session->client_wire) || session->to_server.length > 0) {
        return;
    }
    session->dialogue.has_terminated = true;
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)terminate, sizeof terminate);
    (void)channel_try_write(&session->server_channel, &buffer);
    struct text error = {0};
    wire_append_fatal(&error, "57P01", "terminating connection because the proxy stops");
    flow_append(&session->to_client, text_slice(&error));
    text_free(&error);
}

static void on_server_message(struct session *session, const struct wire_message *message) {
    const struct observer *observer = session->context->observer;
    uint64_t now_ns = session->observed != NULL || session->shown != NULL ? clock_monotonic_ns() : 0;
    if (session->shown != NULL) { // before the observer, whose findings name statements that the console knows
        console_server_message(session->shown, message->type, message->body, now_ns);
    }
    if (session->observed != NULL) {
        observer->server_message(session->observed, message->type, message->body, now_ns);
    }
    bool is_idle = dialogue_server(&session->dialogue, message);
    if (message->type == 'K') {
        session->held.backend = dialogue_backend(&session->dialogue);
        if (observer != NULL && session->observed == NULL) {
            session->observed = observer->began(observer->owner, session->number, slice_of(session->database),
                                                session->held.backend);
        }
        if (session->context->console != NULL && session->shown == NULL) {
            session->shown = console_session_began(session->context->console, session->number,
                                                   slice_of(session->database), session->held.backend);
        }
    }
    hold_answered(&session->held, message);
    if (is_idle) {
        hold_idle(&session->held);
    }
}

// Removes bytes from a message that lies in the chunk as a whole.
static void change_message(struct session *session, const struct wire_message *message, struct flow_chunk *chunk) {
    size_t removed = session_hide_binding(session, chunk->data + message->begin, message->end - message->begin);
    memmove(chunk->data + message->end - removed, chunk->data + message->end, chunk->length - message->end);
    chunk->length -= removed;
    chunk->parsed -= removed;
}

static size_t inspect_server(struct flow *flow, struct flow_chunk *chunk) {
    struct session *session = CONTAINER_OF(flow, struct session, to_client);
    struct wire_message message;
    bool was_broken = session->server_wire.is_broken;
    if (session->is_opaque) {
        chunk->parsed = chunk->length;
    }
    while (chunk->parsed < chunk->length &&
           wire_next(&session->server_wire, (struct slice){chunk->data, chunk->length}, &chunk->parsed, &message)) {
        on_server_message(session, &message);
        if (message.type == 'R' && message.body.data == chunk->data + message.begin + WIRE_HEADER) {
            change_message(session, &message, chunk);
        }
    }
    if (session->server_wire.is_broken && !was_broken) {
        session_log_broken(session, "server");
    }
    return chunk->length;
}

// The server has closed. A client that does not expect that gets an error, if that is possible: in the middle of a
// message its bytes would be taken for the rest of that message.
static void on_server_ended(struct flow *flow, int error) {
    struct session *session = CONTAINER_OF(flow, struct session, to_client);
    const struct dialogue *dialogue = &session->dialogue;
    bool was_expected = session->is_opaque || dialogue->had_fatal || dialogue->has_terminated ||
                        session->to_server.is_over || session->client_wire.is_broken;
    session_move(session, SESSION_LINGERING, SESSION_LINGER_MS);
    if (!was_expected) {
        bool is_between = wire_is_between(&session->server_wire);
        log_write(LOG_LEVEL_WARN, NULL, "session %llu: the server has closed the connection%s%s%s",
                  session_number(session), error == 0 ? "" : ": ", error == 0 ? "" : uv_strerror(error),
                  is_between ? "" : " in the middle of a message, so the client gets no error message");
        if (is_between) {
            struct text words = {0};
            wire_append_fatal(&words, "08006", "the server has closed the connection unexpectedly");
            flow_append(flow, text_slice(&words));
            text_free(&words);
        }
    }
    if (session->state == SESSION_LINGERING) {
        flow_discard(&session->to_server);
        hold_leave(session->context->hold, &session->held, HOLD_LEFT);
    }
}

static void on_server_unwanted(struct flow *flow, int error) {
    (void)flow;
    (void)error; // the client has left; its own flow ends
}

static void on_to_client_shut(struct flow *flow) {
    session_close_if_over(CONTAINER_OF(flow, struct session, to_client));
}

static void on_nothing_kept(struct flow *flow) {
    (void)flow; // this direction is never held
}

static const struct flow_callbacks to_client_callbacks = {
    .inspect = inspect_server,
    .kept = on_nothing_kept,
    .ended = on_server_ended,
    .refused = on_server_unwanted,
    .shut = on_to_client_shut,
};

void session_relay(struct session *session) {
    session_move(session, SESSION_RELAYING, 0);
    session->to_server.to = &session->server_channel;
    flow_start(&session->to_client, &to_client_callbacks, &session->server_channel, &session->client_channel);
    flow_release(&session->to_server);
}
