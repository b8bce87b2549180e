// Makes OpenSSL's settings: the certificate that clients see, and libpq's parameters for the server.
#include "server/proxy/tls_internal.h"

#include <openssl/err.h>
#include <stdlib.h>

void tls_append_reason(struct text *out) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    text_append_string(out, reason == NULL ? "the other side has ended it" : reason);
}

static void refuse_file(struct text *problem, const char *what, const char *file) {
    text_append_format(problem, "%s %s cannot be used: ", what, file);
    tls_append_reason(problem);
}

// --- Begin and end ---

void tls_context_close(struct tls_context *context) {
    if (context != NULL) {
        uv_close((uv_handle_t *)&context->idle, NULL);
    }
}

void tls_context_free(struct tls_context *context) {
    if (context != NULL) {
        SSL_CTX_free(context->ssl);
        free(context);
    }
}

// --- Both sides ---

static SSL_CTX *new_settings(const SSL_METHOD *method) {
    SSL_CTX *ssl = SSL_CTX_new(method);
    CHECK(ssl != NULL && SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return ssl;
}

static struct tls_context *new_context(uv_loop_t *loop, SSL_CTX *ssl) {
    struct tls_context *context = memory_allocate_zeroed(sizeof *context);
    context->ssl = ssl;
    TAILQ_INIT(&context->ready);
    CHECK(uv_idle_init(loop, &context->idle) == 0);
    return context;
}

static int on_password(char *out, int size, int writes, void *user) {
    (void)writes;
    const char *password = user;
    size_t length = password == NULL ? 0 : strlen(password);
    if (length > (size_t)size) {
        return 0;
    }
    memcpy(out, password == NULL ? "" : password, length);
    return (int)length;
}

// `password` decrypts the key; NULL: it has none. OpenSSL would else ask on the terminal.
static bool use_certificate(SSL_CTX *ssl, const char *certificate, const char *key, const char *password,
                            struct text *problem) {
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(ssl, on_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)(uintptr_t)password);
    if (SSL_CTX_use_certificate_chain_file(ssl, certificate) != 1) {
        refuse_file(problem, "the certificate", certificate);
        return false;
    }
    bool has_key = SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) == 1;
    if (!has_key || SSL_CTX_check_private_key(ssl) != 1) {
        refuse_file(problem, "the key", key);
    }
    return problem->length == 0;
}

// --- To the clients ---

// As PostgreSQL 17 does: a client that names protocols must name this one.
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *offered,
                        unsigned length, void *user) {
    (void)ssl;
    (void)user;
    static const unsigned char own[] = TLS_PROTOCOL;
    unsigned char *chosen = NULL;
    int found = SSL_select_next_proto(&chosen, out_length, own, sizeof own - 1, offered, length);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct tls_context *tls_context_for_clients(uv_loop_t *loop, const char *certificate, const char *key,
                                            struct text *problem) {
    SSL_CTX *ssl = new_settings(TLS_server_method());
    CHECK(SSL_CTX_set_num_tickets(ssl, 0) == 1);
    SSL_CTX_set_alpn_select_cb(ssl, on_protocols, NULL);
    if (!use_certificate(ssl, certificate, key, NULL, problem)) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    return new_context(loop, ssl);
}

// --- To the server ---

// As libpq: a root certificate that is there is used in every mode.
static bool use_roots(SSL_CTX *ssl, const struct db_tls *options, struct text *problem) {
    if (options->root == NULL) {
        return true;
    }
    bool is_good = strcmp(options->root, "system") == 0 ? SSL_CTX_set_default_verify_paths(ssl) == 1
                                                        : SSL_CTX_load_verify_file(ssl, options->root) == 1;
    if (!is_good) {
        refuse_file(problem, "sslrootcert", options->root);
        return false;
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    if (options->revoked == NULL) {
        return true;
    }
    if (X509_STORE_load_file(store, options->revoked) != 1) {
        refuse_file(problem, "sslcrl", options->revoked);
        return false;
    }
    return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1;
}

// The older versions that libpq knows are not used, whatever the parameters say.
static int version_of(const char *name, int otherwise) {
    if (name == NULL || name[0] == '\0') {
        return otherwise;
    }
    return strcmp(name, "TLSv1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

struct tls_context *tls_context_for_server(uv_loop_t *loop, const struct db_tls *options, struct text *problem) {
    static const unsigned char own[] = TLS_PROTOCOL;
    ERR_clear_error();
    SSL_CTX *ssl = new_settings(TLS_client_method());
    CHECK(SSL_CTX_set_min_proto_version(ssl, version_of(options->least_version, TLS1_2_VERSION)) == 1);
    CHECK(SSL_CTX_set_max_proto_version(ssl, version_of(options->most_version, 0)) == 1);
    CHECK(SSL_CTX_set_alpn_protos(ssl, own, sizeof own - 1) == 0);
    bool has_certificate = options->certificate != NULL;
    if (!use_roots(ssl, options, problem) ||
        (has_certificate &&
         !use_certificate(ssl, options->certificate, options->key, options->key_password, problem))) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    struct tls_context *context = new_context(loop, ssl);
    context->verifies_host = options->mode == DB_TLS_VERIFY_FULL;
    context->sends_name = options->sends_name;
    return context;
}
