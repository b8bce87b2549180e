// The server's side of a session: session_connect() > connect_next() > on_connected() > inspect_server() for each chunk
// > on_server_ended().
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"

#include <sys/un.h>

// --- The server's messages ---

static const char terminate[] = {'X', 0, 0, 0, 4};

// Closes the session as a server does that is shut down.
void session_stop_if_idle(struct session *session) {
    if (session->state == SESSION_STARTUP) {
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
    (void)uv_try_write(&session->server.stream, &buffer, 1);
    struct text error = {0};
    wire_append_fatal(&error, "57P01", "terminating connection because the proxy stops");
    flow_append(&session->to_client, text_slice(&error));
    text_free(&error);
}

static void on_server_message(struct session *session, const struct wire_message *message) {
    const struct observer *observer = session->context->observer;
    if (session->observed != NULL) {
        observer->server_message(session->observed, message->type, message->body, clock_monotonic_ns());
    }
    bool is_idle = dialogue_server(&session->dialogue, message);
    if (message->type == 'K') {
        session->held.backend = dialogue_backend(&session->dialogue);
        if (observer != NULL && session->observed == NULL) {
            session->observed = observer->began(observer->owner, session->number, slice_of(session->database),
                                                session->held.backend);
        }
    }
    hold_answered(&session->held, message);
    if (is_idle) {
        hold_idle(&session->held);
    }
}

static size_t inspect_server(struct flow *flow, struct slice bytes, size_t *parsed) {
    struct session *session = CONTAINER_OF(flow, struct session, to_client);
    struct wire_message message;
    if (session->is_opaque) {
        *parsed = bytes.length;
    }
    while (*parsed < bytes.length && wire_next(&session->server_wire, bytes, parsed, &message)) {
        on_server_message(session, &message);
    }
    return bytes.length;
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

// --- The connection ---

static void connect_next(struct session *session);

static void refuse_unreachable(struct session *session) {
    struct text message = {0};
    text_append_format(&message, "the proxy cannot connect to the server at %s: %s",
                       session->context->upstream->list[0].name, uv_strerror(session->connect_error));
    session_refuse(session, "08001", text_terminated(&message));
    text_free(&message);
}

static void on_attempt_closed(uv_handle_t *handle) {
    struct session *session = CONTAINER_OF(handle, struct session, server);
    bool is_closing = session->state == SESSION_CLOSING;
    session_handle_closed(session);
    if (!is_closing) {
        connect_next(session);
    }
}

static void on_connected(uv_connect_t *connect, int status) {
    struct session *session = CONTAINER_OF(connect, struct session, connect);
    if (session->state != SESSION_CONNECTING) {
        return; // the session closes
    }
    if (status != 0) {
        session->connect_error = status == UV_ECANCELED ? UV_ETIMEDOUT : status;
        if (session->has_server) {
            session->has_server = false;
            uv_close(&session->server.handle, on_attempt_closed);
        }
        return;
    }
    if (session->server.handle.type == UV_TCP) {
        (void)uv_tcp_nodelay(&session->server.tcp, 1);
        (void)uv_tcp_keepalive(&session->server.tcp, 1, 60);
    }
    session_move(session, SESSION_RELAYING, 0);
    session->to_server.to = &session->server.stream;
    flow_start(&session->to_client, &to_client_callbacks, &session->server.stream, (uv_stream_t *)&session->client);
    flow_release(&session->to_server);
}

// Tries the next address of the server. The callback of the attempt comes later, also if it fails at once.
static void connect_next(struct session *session) {
    const struct db_addresses *upstream = session->context->upstream;
    if (session->address == upstream->count || uv_now(session->context->loop) >= session->deadline_ms) {
        refuse_unreachable(session);
        return;
    }
    const struct db_address *address = &upstream->list[session->address++];
    const struct sockaddr *socket_address = (const struct sockaddr *)&address->address;
    session->open_handles++;
    session->has_server = true;
    if (socket_address->sa_family == AF_UNIX) {
        const struct sockaddr_un *path = (const struct sockaddr_un *)(const void *)socket_address;
        CHECK(uv_pipe_init(session->context->loop, &session->server.pipe, 0) == 0);
        uv_pipe_connect(&session->connect, &session->server.pipe, path->sun_path, on_connected);
        return;
    }
    CHECK(uv_tcp_init(session->context->loop, &session->server.tcp) == 0);
    int status = uv_tcp_connect(&session->connect, &session->server.tcp, socket_address, on_connected);
    if (status != 0) {
        on_connected(&session->connect, status);
    }
}

void session_connect(struct session *session, bool is_opaque, size_t parsed) {
    session->is_opaque = is_opaque;
    session->to_server.parsed = parsed;
    session_move(session, SESSION_CONNECTING, SESSION_CONNECT_MS);
    connect_next(session);
}

void session_connect_is_late(struct session *session) {
    if (session->has_server) {
        session->connect_error = UV_ETIMEDOUT;
        session->has_server = false;
        uv_close(&session->server.handle, on_attempt_closed);
    }
}
