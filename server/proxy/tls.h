// TLS between a channel and its stream, by OpenSSL. Loop thread.
//
// OpenSSL reads the received bytes from memory, and its output is written to the stream at once. A connection keeps at
// most one read of the stream that is not decrypted yet, and the TLS records of one write of the relay.
#ifndef SERVER_PROXY_TLS_H
#define SERVER_PROXY_TLS_H

#include "observability/base/base.h"
#include "workers/database/database.h"

#include <uv.h>

struct channel;
struct tls;
struct tls_context;

// The certificates and settings of one side. NULL: `problem` says which file or parameter cannot be used.
MUST_CHECK struct tls_context *tls_context_for_clients(uv_loop_t *loop, const char *certificate, const char *key,
                                                       struct text *problem);
MUST_CHECK struct tls_context *tls_context_for_server(uv_loop_t *loop, const struct db_tls *options,
                                                      struct text *problem);
void tls_context_close(struct tls_context *context); // leaves the loop; may be NULL
void tls_context_free(struct tls_context *context);  // after the loop has ended; may be NULL

// The handshake has ended. `problem` is NULL if it succeeded. The user is the channel's.
typedef void tls_handshaken(struct channel *channel, const char *problem);

struct tls_start {
    struct tls_context *context;
    tls_handshaken *handshaken;
    const char *host;    // the server's name or address, for its certificate; NULL for a client
    struct slice begin;  // bytes that the client has sent already
    bool needs_protocol; // the client has begun without an SSLRequest, so it must name the protocol (ALPN)
};

// From now on the channel speaks TLS. A reader that is there goes on, with what is decrypted.
void tls_start(struct channel *channel, const struct tls_start *start);
// The version, such as "TLSv1.3". Valid as long as the program runs.
MUST_CHECK const char *tls_version(const struct tls *tls);
// True if the proxy shows its client the very certificate that the server shows the proxy. Then a client that binds its
// password to the certificate (SCRAM-SHA-256-PLUS) gets the server's consent.
MUST_CHECK bool tls_shows_certificate_of(const struct tls *to_client, const struct tls *to_server);

// For channel.c.
void tls_reading_changed(struct tls *tls);
MUST_CHECK int tls_try_write(struct tls *tls, const uv_buf_t *buffer);
void tls_write(struct tls *tls, uv_write_t *write, const uv_buf_t *buffer, uv_write_cb done);
void tls_end(struct tls *tls); // sends close_notify
void tls_free(struct tls *tls);

#endif
