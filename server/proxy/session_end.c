// How a session ends: session_refuse() without a server, session_close_if_over() when both directions have ended, and
// session_close() in any state. The last close callback frees the memory.
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"

#include <stdlib.h>

#define TO(state) (1U << (state))
static const unsigned transitions[] = {
    [SESSION_STARTUP] = TO(SESSION_CONNECTING) | TO(SESSION_LINGERING) | TO(SESSION_CLOSING),
    [SESSION_CONNECTING] = TO(SESSION_RELAYING) | TO(SESSION_LINGERING) | TO(SESSION_CLOSING),
    [SESSION_RELAYING] = TO(SESSION_LINGERING) | TO(SESSION_CLOSING),
    [SESSION_LINGERING] = TO(SESSION_CLOSING),
    [SESSION_CLOSING] = 0,
};

void session_move(struct session *session, enum session_state state, uint64_t allowed_ms) {
    CHECK((transitions[session->state] & TO(state)) != 0);
    session->state = state;
    session->deadline_ms = allowed_ms == 0 ? 0 : uv_now(session->context->loop) + allowed_ms;
}

unsigned long long session_number(const struct session *session) {
    return session->number;
}

static void free_session(struct session *session) {
    struct session_context *context = session->context;
    TAILQ_REMOVE(&context->sessions, session, link);
    context->count--;
    context->bytes[CONSOLE_TO_SERVER] += session->to_server.received;
    context->bytes[CONSOLE_TO_CLIENT] += session->to_client.received;
    if (session->shown != NULL) {
        console_session_ended(session->shown);
    }
    if (session->observed != NULL) {
        context->observer->ended(session->observed);
    }
    wire_free(&session->client_wire);
    wire_free(&session->server_wire);
    dialogue_free(&session->dialogue);
    text_free(&session->held_message);
    text_free(&session->connect_problem);
    free(session->addresses);
    channel_free(&session->client_channel);
    channel_free(&session->server_channel);
    flow_free(&session->to_server);
    flow_free(&session->to_client);
    log_write(LOG_LEVEL_DEBUG, NULL, "session %llu has ended", session_number(session));
    free(session);
    context->closed(context);
}

void session_handle_closed(struct session *session) {
    session->open_handles--;
    if (session->open_handles == 0) {
        free_session(session);
    }
}

static void on_client_closed(uv_handle_t *handle) {
    session_handle_closed(CONTAINER_OF(handle, struct session, client));
}

static void on_server_closed(uv_handle_t *handle) {
    session_handle_closed(CONTAINER_OF(handle, struct session, server));
}

void session_close(struct session *session) {
    if (session->state == SESSION_CLOSING) {
        return;
    }
    session_move(session, SESSION_CLOSING, 0);
    resolver_forget(&session->query);
    flow_close(&session->to_server);
    flow_close(&session->to_client);
    hold_leave(session->context->hold, &session->held, HOLD_LEFT);
    uv_close((uv_handle_t *)&session->client, on_client_closed);
    if (session->has_server) {
        session->has_server = false;
        uv_close(&session->server.handle, on_server_closed);
    }
}

void session_close_if_over(struct session *session) {
    bool to_client_is_over = session->to_client.state == FLOW_SHUT || session->to_client.state == FLOW_OFF;
    if (session->to_server.state == FLOW_SHUT && to_client_is_over) {
        session_close(session);
    }
}

static void on_last_shut(uv_shutdown_t *request, int status) {
    (void)request;
    (void)status; // the client may have left
}

void session_log_broken(const struct session *session, const char *side) {
    log_write(LOG_LEVEL_WARN, NULL,
              "session %llu: the %s has sent bytes that are no message of PostgreSQL's protocol; from now on they are "
              "passed on unread",
              session_number(session), side);
}

// There is no server: sends the client an error, and waits until it closes.
void session_refuse(struct session *session, const char *sqlstate, const char *message) {
    log_write(LOG_LEVEL_WARN, NULL, "session %llu: %s", session_number(session), message);
    if (session->is_opaque) { // a CancelRequest gets no answer
        session_close(session);
        return;
    }
    struct text error = {0};
    wire_append_fatal(&error, sqlstate, message);
    uv_buf_t buffer = uv_buf_init(error.data, (unsigned)error.length);
    (void)channel_try_write(&session->client_channel, &buffer); // nothing was sent before, so there is room
    text_free(&error);
    channel_shutdown(&session->client_channel, &session->shutdown, on_last_shut);
    session_move(session, SESSION_LINGERING, SESSION_LINGER_MS);
    flow_discard(&session->to_server);
}
