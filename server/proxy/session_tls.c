// TLS of a session. To the client: session_answer_tls_request() or session_begin_tls() > on_client_handshaken(). To the
// server: session_negotiate() > on_answer() > on_server_handshaken().
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"
#include "server/proxy/tls.h"

// --- The client ---

static void on_client_handshaken(struct channel *channel, const char *problem) {
    struct session *session = CONTAINER_OF(channel, struct session, client_channel);
    if (problem != NULL) {
        log_write(LOG_LEVEL_WARN, NULL, "session %llu: TLS with the client has failed: %s", session_number(session),
                  problem);
        session_close(session);
        return;
    }
    session->had_gss_request = true; // PostgreSQL accepts none inside of TLS
    log_write(LOG_LEVEL_DEBUG, NULL, "session %llu: %s with the client", session_number(session),
              tls_version(channel->tls));
}

static void start_with_client(struct session *session, struct slice begin, bool needs_protocol) {
    session->had_tls_request = true;
    tls_start(&session->client_channel, &(struct tls_start){
                                            .context = session->context->client_tls,
                                            .handshaken = on_client_handshaken,
                                            .begin = begin,
                                            .needs_protocol = needs_protocol,
                                        });
}

bool session_answer_tls_request(struct session *session) {
    if (session->to_server.length > 0) { // somebody between has put them there (CVE-2021-23214)
        session_refuse(session, "08P01", "received unencrypted data after SSL request");
        return false;
    }
    char yes[] = "S";
    uv_buf_t buffer = uv_buf_init(yes, 1);
    if (channel_try_write(&session->client_channel, &buffer) != 1) {
        session_close(session);
        return false;
    }
    start_with_client(session, SLICE_LITERAL(""), false);
    return true;
}

void session_begin_tls(struct session *session) {
    if (session->context->client_tls == NULL || session->had_tls_request) {
        log_write(LOG_LEVEL_WARN, NULL,
                  "session %llu: the client begins with TLS, and the proxy has no certificate: give it one with "
                  "--tls-cert and --tls-key, or leave sslnegotiation=direct out of the client's URL",
                  session_number(session));
        session_close(session);
        return;
    }
    struct flow *flow = &session->to_server;
    start_with_client(session, (struct slice){flow->kept, flow->length}, true);
    flow_drop(flow, flow->length);
}

void session_log_refused_tls(const struct session *session) {
    if (session->state == SESSION_STARTUP && session->had_tls_request && session->client_channel.tls == NULL) {
        log_write(LOG_LEVEL_WARN, NULL,
                  "session %llu: the client wants TLS, and the proxy has no certificate: give it one with --tls-cert "
                  "and --tls-key, or set sslmode=disable or prefer in the client's URL",
                  session_number(session));
    }
}

// --- The server ---

static void on_server_handshaken(struct channel *channel, const char *problem) {
    struct session *session = CONTAINER_OF(channel, struct session, server_channel);
    if (problem != NULL) {
        struct text words = {0};
        text_append_format(&words, "TLS has failed: %s", problem);
        session->negotiated(session, text_terminated(&words));
        text_free(&words);
        return;
    }
    log_write(LOG_LEVEL_DEBUG, NULL, "session %llu: %s with the server", session_number(session),
              tls_version(channel->tls));
    session->negotiated(session, NULL);
}

// One byte, so that nothing that comes behind it is taken for an answer inside of TLS (CVE-2021-23222).
static void on_answer_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    struct session *session = CONTAINER_OF(handle->data, struct session, server_channel);
    *buffer = uv_buf_init(&session->tls_answer, 1);
}

static void on_answer(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    (void)buffer;
    struct session *session = CONTAINER_OF(stream->data, struct session, server_channel);
    if (length == 0) {
        return;
    }
    (void)uv_read_stop(stream);
    if (length < 0) {
        session->negotiated(session, "the server has closed the connection when it was asked for TLS");
    } else if (session->tls_answer == 'S') {
        tls_start(&session->server_channel,
                  &(struct tls_start){
                      .context = session->context->server_tls,
                      .handshaken = on_server_handshaken,
                      .host = db_server_host(session->context->upstream, session->next_server - 1),
                      .begin = {"", 0},
                  });
    } else if (session->tls_answer != 'N') {
        session->negotiated(session, "the server does not answer as PostgreSQL does when it is asked for TLS");
    } else if (session->context->server_tls_mode == DB_TLS_PREFER) {
        session->negotiated(session, NULL);
    } else {
        struct text words = {0};
        text_append_format(&words, "it has no TLS, but sslmode=%s needs it",
                           db_tls_mode_name(session->context->server_tls_mode));
        session->negotiated(session, text_terminated(&words));
        text_free(&words);
    }
}

void session_negotiate(struct session *session, session_negotiated *negotiated) {
    static const unsigned char request[] = {0, 0, 0, 8, 4, 210, 22, 47}; // SSLRequest
    bool is_unix = session->server.handle.type != UV_TCP;
    session->negotiated = negotiated;
    if (session->context->server_tls == NULL || session->is_plain || is_unix) {
        session->negotiated(session, NULL);
        return;
    }
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)request, sizeof request);
    if (uv_try_write(&session->server.stream, &buffer, 1) != (int)sizeof request) {
        session->negotiated(session, "the server has closed the connection");
        return;
    }
    CHECK(uv_read_start(&session->server.stream, on_answer_alloc, on_answer) == 0);
}
