// Connects a session to its server: session_connect() > connect_next() > on_connected() > on_negotiated() >
// session_relay().
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"

#include <sys/un.h>

static void connect_next(struct session *session);

static void refuse_unreachable(struct session *session) {
    struct text message = {0};
    bool has_words = session->connect_problem.length > 0;
    text_append_format(&message, "the proxy cannot connect to the server at %s: %s",
                       session->context->upstream->list[0].name,
                       has_words ? text_terminated(&session->connect_problem) : uv_strerror(session->connect_error));
    session_refuse(session, "08001", text_terminated(&message));
    text_free(&message);
}

static void on_attempt_closed(uv_handle_t *handle) {
    struct session *session = CONTAINER_OF(handle, struct session, server);
    bool is_closing = session->state == SESSION_CLOSING;
    channel_free(&session->server_channel);
    session_handle_closed(session);
    if (!is_closing) {
        connect_next(session);
    }
}

// Closes the connection that is not ready, and tries the next address.
static void close_attempt(struct session *session) {
    if (session->has_server) {
        session->has_server = false;
        uv_close(&session->server.handle, on_attempt_closed);
    }
}

static void on_negotiated(struct session *session, const char *problem) {
    if (problem == NULL) {
        session_relay(session);
        return;
    }
    if (session->context->server_tls_mode == DB_TLS_PREFER && session->server_channel.tls != NULL) {
        log_write(LOG_LEVEL_DEBUG, NULL, "session %llu: plain text to the server: %s", session_number(session),
                  problem);
        session->is_plain = true; // as libpq: the same address, without TLS
        session->address--;
    } else {
        text_clear(&session->connect_problem);
        text_append_string(&session->connect_problem, problem);
        session->address = session->context->upstream->count;
    }
    close_attempt(session);
}

static void on_connected(uv_connect_t *connect, int status) {
    struct session *session = CONTAINER_OF(connect, struct session, connect);
    if (session->state != SESSION_CONNECTING) {
        return; // the session closes
    }
    if (status != 0) {
        session->connect_error = status == UV_ECANCELED ? UV_ETIMEDOUT : status;
        close_attempt(session);
        return;
    }
    if (session->server.handle.type == UV_TCP) {
        (void)uv_tcp_nodelay(&session->server.tcp, 1);
        (void)uv_tcp_keepalive(&session->server.tcp, 1, 60);
    }
    channel_init(&session->server_channel, &session->server.stream);
    session_negotiate(session, on_negotiated);
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
    session->connect_error = UV_ETIMEDOUT;
    close_attempt(session);
}
