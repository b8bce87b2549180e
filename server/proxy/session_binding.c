// Passwords that are bound to a certificate (SCRAM-SHA-256-PLUS). The server binds them to its own TLS connection,
// which the client does not see.
#include "server/proxy/session_internal.h"

#include "observability/log/log.h"
#include "server/proxy/sasl.h"
#include "server/proxy/tls.h"

size_t session_hide_binding(struct session *session, char *message, size_t length) {
    if (session->server_channel.tls == NULL || session->client_channel.tls != NULL) {
        return 0; // the client sees what the server sees: no TLS, or TLS
    }
    size_t removed = sasl_remove_binding(message, length);
    if (removed > 0) {
        log_write(LOG_LEVEL_DEBUG, NULL,
                  "session %llu: SCRAM-SHA-256-PLUS is not offered to the client, because only the server has TLS",
                  session_number(session));
    }
    return removed;
}

static void on_server_shut(uv_shutdown_t *request, int status) {
    (void)request;
    (void)status; // the server may have closed meanwhile
}

bool session_binding_fails(struct session *session, const struct wire_message *message) {
    static const char words[] =
        "the password is bound to the server's certificate (SCRAM-SHA-256-PLUS), and the proxy shows another: set "
        "channel_binding=disable, or give the proxy the server's own certificate and key";
    const struct tls *to_client = session->client_channel.tls;
    const struct tls *to_server = session->server_channel.tls;
    if (session->dialogue.key_length > 0 || !sasl_chooses_binding(message->body) || to_client == NULL ||
        to_server == NULL || tls_shows_certificate_of(to_client, to_server)) {
        return false;
    }
    log_write(LOG_LEVEL_WARN, NULL, "session %llu: %s", session_number(session), words);
    struct text error = {0};
    wire_append_fatal(&error, "28000", words);
    session->dialogue.had_fatal = true;
    flow_append(&session->to_client, text_slice(&error));
    text_free(&error);
    flow_discard(&session->to_server);
    channel_shutdown(&session->server_channel, &session->shutdown, on_server_shut);
    return true;
}
