// Connects a session to its server: session_connect() > connect_next() > on_connected() > on_negotiated() >
// session_relay(). connect_next() asks for the addresses of the next server when those of the last one are used up.
// Each server has an equal share of the time that is left, and so has each of its addresses.
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"

#include <stdlib.h>
#include <sys/un.h>

static void connect_next(struct session *session);

static void note_problem(struct session *session, const char *place, const char *words) {
    struct text *problem = &session->connect_problem;
    text_append_format(problem, "%sat %s: %s", problem->length == 0 ? "" : "; ", place, words);
}

static const char *server_name(const struct session *session) {
    return db_server_name(session->context->upstream, session->next_server - 1);
}

static const char *address_name(const struct session *session) {
    return session->addresses->list[session->next_address - 1].name;
}

static void refuse_unreachable(struct session *session) {
    struct text message = {0};
    text_append_string(&message, "the proxy cannot connect to the server ");
    text_append_slice(&message, text_slice(&session->connect_problem));
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
        free(session->addresses);
        session->addresses = NULL;
        text_free(&session->connect_problem);
        session_relay(session);
        return;
    }
    if (session->context->server_tls_mode == DB_TLS_PREFER && session->server_channel.tls != NULL) {
        log_write(LOG_LEVEL_DEBUG, NULL, "session %llu: plain text to the server: %s", session_number(session),
                  problem);
        session->is_plain = true; // as libpq: the same address, without TLS
        session->next_address--;
    } else {
        note_problem(session, address_name(session), problem);
        session->next_address = session->addresses->count;
        session->next_server = db_servers_count(session->context->upstream);
    }
    close_attempt(session);
}

static void on_connected(uv_connect_t *connect, int status) {
    struct session *session = CONTAINER_OF(connect, struct session, connect);
    if (session->state != SESSION_CONNECTING || status == UV_ECANCELED) {
        return; // the session or the attempt closes
    }
    if (status != 0) {
        note_problem(session, address_name(session), uv_strerror(status));
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

static void on_resolved(struct resolver_query *query, struct db_addresses *addresses, const char *problem) {
    struct session *session = CONTAINER_OF(query, struct session, query);
    session->addresses = addresses;
    if (addresses == NULL) {
        note_problem(session, server_name(session), problem);
    }
    connect_next(session);
}

// The time of one of `count` attempts, which all must end before `deadline_ms`.
static uint64_t share(const struct session *session, uint64_t deadline_ms, size_t count) {
    uint64_t now_ms = uv_now(session->context->loop);
    return now_ms >= deadline_ms ? now_ms : now_ms + (deadline_ms - now_ms) / count;
}

static void resolve_next(struct session *session) {
    size_t left = db_servers_count(session->context->upstream) - session->next_server;
    free(session->addresses);
    session->addresses = NULL;
    session->next_address = 0;
    if (left == 0) {
        refuse_unreachable(session);
        return;
    }
    session->server_deadline_ms = session->deadline_ms = share(session, session->connect_deadline_ms, left);
    resolver_ask(session->context->resolver, session->next_server++, &session->query, on_resolved);
}

// Tries the next address of the server. The callback of the attempt comes later, also if it fails at once.
static void connect_next(struct session *session) {
    if (uv_now(session->context->loop) >= session->connect_deadline_ms) {
        refuse_unreachable(session);
        return;
    }
    if (session->addresses == NULL || session->next_address == session->addresses->count) {
        resolve_next(session);
        return;
    }
    session->deadline_ms = share(session, session->server_deadline_ms,
                                 session->addresses->count - session->next_address);
    const struct sockaddr *address =
        (const struct sockaddr *)&session->addresses->list[session->next_address++].address;
    session->open_handles++;
    session->has_server = true;
    if (address->sa_family == AF_UNIX) {
        const struct sockaddr_un *path = (const struct sockaddr_un *)(const void *)address;
        CHECK(uv_pipe_init(session->context->loop, &session->server.pipe, 0) == 0);
        uv_pipe_connect(&session->connect, &session->server.pipe, path->sun_path, on_connected);
        return;
    }
    CHECK(uv_tcp_init(session->context->loop, &session->server.tcp) == 0);
    int status = uv_tcp_connect(&session->connect, &session->server.tcp, address, on_connected);
    if (status != 0) {
        on_connected(&session->connect, status);
    }
}

// False: its address is unknown.
static bool read_server_address(const struct session *session, struct db_address *out) {
    struct sockaddr *address = (struct sockaddr *)&out->address;
    if (session->server.handle.type == UV_TCP) {
        int length = sizeof out->address;
        return uv_tcp_getpeername(&session->server.tcp, address, &length) == 0 &&
               uv_ip_name(address, out->name, sizeof out->name) == 0;
    }
    struct sockaddr_un *path = (struct sockaddr_un *)(void *)address;
    size_t length = sizeof path->sun_path - 1;
    path->sun_family = AF_UNIX;
    bool is_known = uv_pipe_getpeername(&session->server.pipe, path->sun_path, &length) == 0;
    (void)strncpy(out->name, path->sun_path, sizeof out->name - 1);
    return is_known;
}

void session_aim_at(struct session *session, const struct session *other) {
    struct db_addresses *addresses = memory_allocate_zeroed(sizeof *addresses + sizeof addresses->list[0]);
    addresses->count = 1;
    if (!other->has_server || other->state != SESSION_RELAYING || !read_server_address(other, &addresses->list[0])) {
        free(addresses);
        return;
    }
    session->addresses = addresses;
    session->next_server = other->next_server;
}

void session_connect(struct session *session, bool is_opaque, size_t parsed) {
    session->is_opaque = is_opaque;
    session->to_server.parsed = parsed;
    session_move(session, SESSION_CONNECTING, SESSION_CONNECT_MS);
    session->connect_deadline_ms = session->server_deadline_ms = session->deadline_ms;
    connect_next(session);
}

void session_connect_is_late(struct session *session) {
    if (resolver_is_asked(&session->query)) {
        resolver_forget(&session->query);
        note_problem(session, server_name(session), "no name server has answered in time");
        connect_next(session);
    } else if (session->has_server) {
        note_problem(session, address_name(session), uv_strerror(UV_ETIMEDOUT));
        close_attempt(session);
    }
}
