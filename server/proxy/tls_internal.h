// The struct and the functions that tls.c and tls_context.c share.
#ifndef SERVER_PROXY_TLS_INTERNAL_H
#define SERVER_PROXY_TLS_INTERNAL_H

#include "server/proxy/tls.h"

#include <openssl/ssl.h>
#include <sys/queue.h>

struct tls_context {
    SSL_CTX *ssl;
    bool verifies_host;      // sslmode=verify-full
    bool sends_name;         // SNI
    uv_idle_t idle;          // runs while `ready` has elements
    TAILQ_HEAD(, tls) ready; // connections with decrypted bytes for a reader that has come back
};

// The protocol's name in ALPN, as a list of one.
#define TLS_PROTOCOL "\x0apostgresql"

// Appends the reason of the last error of OpenSSL.
void tls_append_reason(struct text *out);

#endif
