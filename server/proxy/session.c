// The client's side of a session: session_accept() > on_kept() > read_startup() > session_connect(), and from then on
// inspect_client() for each chunk. https://www.postgresql.org/docs/current/protocol-flow.html
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"
#include "server/proxy/startup.h"

// --- The client ---

// Returns the session that a CancelRequest means, or NULL.
static struct session *find_session(struct session_context *context, struct slice key) {
    struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        if (dialogue_has_key(&session->dialogue, key)) {
            return session;
        }
    }
    return NULL;
}

// A CancelRequest of a held session would do nothing, because its server is idle. So that session continues, and the
// request follows later, when the server runs the statement.
static void cancel(struct session *session, const struct startup *startup) {
    struct session *meant = find_session(session->context, startup->key);
    if (meant != NULL) {
        session_aim_at(session, meant);
    }
    if (meant == NULL || meant->held.round == NULL) {
        session_connect(session, true, session->to_server.length);
        return;
    }
    session->is_opaque = true;
    session->deadline_ms = uv_now(session->context->loop) + SESSION_LATE_CANCEL_MS;
    hold_leave(session->context->hold, &meant->held, HOLD_CANCELLED);
}

// Answers SSLRequest or GSSENCRequest. PostgreSQL accepts each of them once.
static bool answer(struct session *session, bool *had_before, size_t length, bool is_yes) {
    if (*had_before) {
        session_refuse(session, "0A000", "unsupported frontend protocol: the same encryption was requested twice");
        return false;
    }
    *had_before = true;
    flow_drop(&session->to_server, length);
    if (is_yes) {
        return session_answer_tls_request(session);
    }
    char no[] = "N";
    uv_buf_t buffer = uv_buf_init(no, 1);
    if (channel_try_write(&session->client_channel, &buffer) == 1) {
        return true;
    }
    session_close(session);
    return false;
}

static void learn_names(struct session *session, const struct startup *startup) {
    struct slice database = startup->database.length == 0 ? startup->user : startup->database;
    size_t length = MIN(database.length, sizeof session->database - 1);
    memcpy(session->database, database.data, length);
    log_write(LOG_LEVEL_DEBUG, NULL, "session %llu: user %.*s, database %.*s, protocol %u.%u", session_number(session),
              (int)startup->user.length, startup->user.data, (int)database.length, database.data,
              (unsigned)(startup->version >> 16), (unsigned)(startup->version & 0xFFFF));
}

static void read_startup(struct session *session) {
    struct flow *flow = &session->to_server;
    bool has_tls = session->context->client_tls != NULL;
    struct startup startup;
    bool continues = true;
    while (continues && session->state == SESSION_STARTUP && flow->length > 0) {
        switch (startup_read((struct slice){flow->kept, flow->length}, &startup)) {
        case STARTUP_INCOMPLETE: return;
        case STARTUP_TLS_REQUEST:
            continues = answer(session, &session->had_tls_request, startup.length, has_tls);
            break;
        case STARTUP_GSS_REQUEST: continues = answer(session, &session->had_gss_request, startup.length, false); break;
        case STARTUP_TLS_HELLO: session_begin_tls(session); return;
        case STARTUP_CANCEL_REQUEST: cancel(session, &startup); return;
        case STARTUP_MESSAGE:
            learn_names(session, &startup);
            session_connect(session, false, startup.length);
            return;
        case STARTUP_UNKNOWN: session_connect(session, true, flow->length); return;
        }
    }
}

static size_t inspect_client(struct flow *flow, struct flow_chunk *chunk) {
    struct session *session = CONTAINER_OF(flow, struct session, to_server);
    struct slice bytes = {chunk->data, chunk->length};
    struct wire_message message;
    bool was_broken = session->client_wire.is_broken;
    if (session->is_opaque) {
        chunk->parsed = bytes.length;
    }
    while (chunk->parsed < bytes.length && wire_next(&session->client_wire, bytes, &chunk->parsed, &message)) {
        if (message.type == 'p' && session_binding_fails(session, &message)) {
            return 0;
        }
        if (session_client_message(session, &message)) {
            flow->is_held = true;
            return message.begin;
        }
    }
    if (session->client_wire.is_broken && !was_broken) {
        session_log_broken(session, "client");
    }
    return bytes.length;
}

static void on_kept(struct flow *flow) {
    struct session *session = CONTAINER_OF(flow, struct session, to_server);
    if (session->state == SESSION_STARTUP && !session->is_opaque) {
        read_startup(session);
    }
}

static void on_client_ended(struct flow *flow, int error) {
    struct session *session = CONTAINER_OF(flow, struct session, to_server);
    (void)error; // a reset is an end as well: the server gets what the client has sent
    bool is_unconnected = session->state == SESSION_STARTUP || session->state == SESSION_CONNECTING;
    if (is_unconnected && !session->is_opaque) {
        session_log_refused_tls(session);
        session_close(session);
        return;
    }
    hold_leave(session->context->hold, &session->held, HOLD_LEFT);
}

static void on_server_refused(struct flow *flow, int error) {
    (void)flow;
    (void)error; // the server has closed: what it sent before is still to be read, and ends with on_server_ended()
}

static void on_to_server_shut(struct flow *flow) {
    session_close_if_over(CONTAINER_OF(flow, struct session, to_server));
}

static const struct flow_callbacks to_server_callbacks = {
    .inspect = inspect_client,
    .kept = on_kept,
    .ended = on_client_ended,
    .refused = on_server_refused,
    .shut = on_to_server_shut,
};

void session_accept(struct session_context *context, uv_stream_t *listener) {
    struct session *session = memory_allocate_zeroed(sizeof *session);
    session->context = context;
    session->number = session->held.number = ++context->last_number;
    session->client_wire.wanted = DIALOGUE_CLIENT_WANTED;
    session->server_wire.wanted = DIALOGUE_SERVER_WANTED;
    if (context->console != NULL) {
        session->client_wire.wanted = CONSOLE_CLIENT_WANTED;
        session->server_wire.wanted = CONSOLE_SERVER_WANTED;
    }
    if (context->observer != NULL) { // wants at least what the console wants
        session->client_wire.wanted = context->observer->client_wanted;
        session->server_wire.wanted = context->observer->server_wanted;
    }
    dialogue_init(&session->dialogue, context->reads_sql);
    CHECK(uv_tcp_init(context->loop, &session->client) == 0);
    session->open_handles = 1;
    session->deadline_ms = uv_now(context->loop) + SESSION_STARTUP_MS;
    TAILQ_INSERT_TAIL(&context->sessions, session, link);
    context->count++;
    if (uv_accept(listener, (uv_stream_t *)&session->client) != 0) {
        session_close(session);
        return;
    }
    (void)uv_tcp_nodelay(&session->client, 1);
    (void)uv_tcp_keepalive(&session->client, 1, 60);
    channel_init(&session->client_channel, (uv_stream_t *)&session->client);
    flow_start(&session->to_server, &to_server_callbacks, &session->client_channel, NULL);
}

// --- All sessions ---

void session_context_init(struct session_context *context) {
    TAILQ_INIT(&context->sessions);
}

static void check_deadline(struct session *session) {
    if (session->deadline_ms == 0 || uv_now(session->context->loop) < session->deadline_ms) {
        return;
    }
    if (session->state == SESSION_STARTUP && session->is_opaque) {
        session_connect(session, true, session->to_server.length);
    } else if (session->state == SESSION_CONNECTING) {
        session_connect_is_late(session);
    } else {
        session_close(session);
    }
}

void session_context_sweep(struct session_context *context) {
    struct session *next;
    for (struct session *session = TAILQ_FIRST(&context->sessions); session != NULL; session = next) {
        next = TAILQ_NEXT(session, link);
        check_deadline(session);
        if (context->is_stopping) {
            session_stop_if_idle(session);
        }
    }
}

void session_context_stop(struct session_context *context) {
    context->is_stopping = true;
    session_context_sweep(context);
}

bool session_context_is_busy(const struct session_context *context) {
    const struct session *session;
    TAILQ_FOREACH(session, &context->sessions, link) {
        bool works = session->state == SESSION_RELAYING && !session->is_opaque && dialogue_is_busy(&session->dialogue);
        if (works || session->held.round != NULL || session->state == SESSION_CONNECTING) {
            return true;
        }
    }
    return false;
}

void session_context_close(struct session_context *context) {
    struct session *next;
    for (struct session *session = TAILQ_FIRST(&context->sessions); session != NULL; session = next) {
        next = TAILQ_NEXT(session, link);
        session_close(session);
    }
}
