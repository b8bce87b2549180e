// Decrypts and encrypts: on_raw_read() > step() > shake(), then deliver() for the reader of the channel. OpenSSL reads
// by bio_read() and writes by bio_write(). on_idle() delivers what was left when a reader had stopped.
#include "server/proxy/tls_internal.h"

#include "server/proxy/channel.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdlib.h>

enum { CHUNK = 16 * 1024 };

// Encrypted bytes that libuv writes.
struct output {
    uv_write_t write;
    struct tls *tls;
    size_t length;
    char bytes[];
};

struct tls {
    struct tls_context *context;
    struct channel *channel;
    SSL *ssl;
    tls_handshaken *handshaken;
    bool needs_protocol;
    bool is_open; // the handshake has succeeded
    bool is_over; // nothing more is read
    bool is_raw_reading;
    struct slice input; // received and not read by OpenSSL
    struct text rest;   // holds `input` while no read of the stream is being handled
    size_t queued;      // bytes of unfinished outputs
    int write_error;
    uv_write_t *waiting; // a write that waits until the output is empty; NULL: none
    uv_write_cb waiting_done;
    uv_buf_t waiting_bytes;
    bool is_ready; // it is in the context's list
    TAILQ_ENTRY(tls) link;
};

// All connections share it: its bytes are decrypted or copied before the next read.
static char shared[CHUNK];

static bool is_closing(const struct tls *tls) {
    return uv_is_closing((const uv_handle_t *)tls->channel->stream) != 0;
}

// --- OpenSSL's input and output ---

static int bio_read(BIO *bio, char *out, int length) {
    struct tls *tls = BIO_get_data(bio);
    size_t taken = MIN((size_t)length, tls->input.length);
    BIO_clear_retry_flags(bio);
    if (taken == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, tls->input.data, taken);
    tls->input = (struct slice){tls->input.data + taken, tls->input.length - taken};
    return (int)taken;
}

static void continue_writing(struct tls *tls);

static void on_output_written(uv_write_t *write, int status) {
    struct output *output = CONTAINER_OF(write, struct output, write);
    struct tls *tls = output->tls;
    tls->queued -= output->length;
    tls->write_error = status == 0 ? tls->write_error : status;
    free(output);
    if (status != UV_ECANCELED && tls->queued == 0) { // cancelled: the stream closes
        continue_writing(tls);
    }
}

static void queue_output(struct tls *tls, const char *data, size_t length) {
    struct output *output = memory_allocate(sizeof *output + length);
    output->tls = tls;
    output->length = length;
    memcpy(output->bytes, data, length);
    tls->queued += length;
    uv_buf_t buffer = uv_buf_init(output->bytes, (unsigned)length);
    CHECK(uv_write(&output->write, tls->channel->stream, &buffer, 1, on_output_written) == 0);
}

// Takes all bytes. An error of the stream is found by tls_try_write().
static int bio_write(BIO *bio, const char *data, int length) {
    struct tls *tls = BIO_get_data(bio);
    int written = 0;
    BIO_clear_retry_flags(bio);
    if (tls->write_error != 0 || is_closing(tls)) {
        return length;
    }
    if (tls->queued == 0) {
        uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data, (unsigned)length);
        written = uv_try_write(tls->channel->stream, &buffer, 1);
        if (written < 0 && written != UV_EAGAIN) {
            tls->write_error = written;
            return length;
        }
        written = MAX(written, 0);
    }
    if (written < length) {
        queue_output(tls, data + written, (size_t)(length - written));
    }
    return length;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *new_bio(struct tls *tls) {
    static BIO_METHOD *method; // freed with the process
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
        CHECK(method != NULL && BIO_meth_set_read(method, bio_read) == 1);
        CHECK(BIO_meth_set_write(method, bio_write) == 1 && BIO_meth_set_ctrl(method, bio_control) == 1);
    }
    BIO *bio = BIO_new(method);
    CHECK(bio != NULL);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

// --- The handshake ---

static void fail(struct tls *tls, const char *words) {
    struct text problem = {0};
    long verified = SSL_get_verify_result(tls->ssl);
    if (words != NULL) {
        text_append_string(&problem, words);
    } else if (verified != X509_V_OK) {
        text_append_format(&problem, "the certificate of the other side is refused: %s",
                           X509_verify_cert_error_string(verified));
    } else {
        tls_append_reason(&problem);
    }
    tls->is_over = true;
    tls->handshaken(tls->channel, text_terminated(&problem));
    text_free(&problem);
}

static bool named_protocol(const struct tls *tls) {
    const unsigned char *name;
    unsigned length;
    SSL_get0_alpn_selected(tls->ssl, &name, &length);
    return length > 0;
}

static void shake(struct tls *tls) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1 && tls->needs_protocol && !named_protocol(tls)) {
        fail(tls, "a client that begins with TLS must name the protocol \"postgresql\" (ALPN)");
    } else if (result == 1) {
        tls->is_open = true;
        tls->handshaken(tls->channel, NULL);
    } else if (SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ) {
        fail(tls, NULL);
    } else if (tls->write_error != 0) {
        fail(tls, uv_strerror(tls->write_error));
    }
}

// --- Reading ---

static void give(struct tls *tls, ssize_t length) {
    uv_buf_t none = uv_buf_init(NULL, 0);
    tls->is_over = true; // nothing more is read
    tls->channel->read(tls->channel->stream, length, &none);
}

// Gives the reader what is decrypted. SSL_peek() decrypts a record before the reader has to find memory for it.
static void deliver(struct tls *tls) {
    struct channel *channel = tls->channel;
    while (channel->is_reading && !tls->is_over && !is_closing(tls)) {
        char first;
        ERR_clear_error();
        int result = SSL_peek(tls->ssl, &first, 1);
        if (result > 0) {
            uv_buf_t buffer = uv_buf_init(NULL, 0);
            channel->alloc((uv_handle_t *)channel->stream, CHUNK, &buffer);
            result = SSL_read(tls->ssl, buffer.base, (int)buffer.len);
            CHECK(result > 0);
            channel->read(channel->stream, result, &buffer);
            continue;
        }
        switch (SSL_get_error(tls->ssl, result)) {
        case SSL_ERROR_WANT_READ: return;
        case SSL_ERROR_ZERO_RETURN: give(tls, UV_EOF); return;
        default: give(tls, UV_EPROTO); return;
        }
    }
}

static void on_raw_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(shared, sizeof shared);
}

static void on_raw_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

// Reads from the stream, or stops to read, as the reader of the channel wants it.
static void adjust(struct tls *tls) {
    bool wants = !tls->is_over && (!tls->is_open || (tls->channel->is_reading && tls->input.length == 0));
    if (wants && !tls->is_raw_reading) {
        CHECK(uv_read_start(tls->channel->stream, on_raw_alloc, on_raw_read) == 0);
    } else if (!wants && tls->is_raw_reading) {
        (void)uv_read_stop(tls->channel->stream);
    }
    tls->is_raw_reading = wants;
}

static void keep_rest(struct tls *tls) {
    struct text rest = {0};
    text_append_slice(&rest, tls->input);
    text_free(&tls->rest);
    tls->rest = rest;
    tls->input = text_slice(&tls->rest);
}

// Uses the input as far as the reader takes it.
static void step(struct tls *tls) {
    if (!tls->is_open) {
        shake(tls);
    }
    if (tls->is_open) {
        deliver(tls);
    }
    if (!is_closing(tls)) {
        keep_rest(tls);
        adjust(tls);
    }
}

static void on_raw_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct tls *tls = ((struct channel *)stream->data)->tls;
    if (length > 0) {
        tls->input = (struct slice){buffer->base, (size_t)length};
        step(tls);
    } else if (length < 0 && !tls->is_open) {
        fail(tls, length == UV_EOF ? "the other side has closed the connection" : uv_strerror((int)length));
    } else if (length < 0 && tls->channel->is_reading) {
        give(tls, length);
    }
}

// --- For the channel ---

static void on_idle(uv_idle_t *idle) {
    struct tls_context *context = CONTAINER_OF(idle, struct tls_context, idle);
    TAILQ_HEAD(, tls) now = TAILQ_HEAD_INITIALIZER(now);
    TAILQ_CONCAT(&now, &context->ready, link);
    while (!TAILQ_EMPTY(&now)) {
        struct tls *tls = TAILQ_FIRST(&now);
        TAILQ_REMOVE(&now, tls, link);
        tls->is_ready = false;
        if (!is_closing(tls) && !tls->is_over) {
            step(tls);
        }
    }
    if (TAILQ_EMPTY(&context->ready)) {
        (void)uv_idle_stop(idle);
    }
}

static void make_ready(struct tls *tls) {
    if (!tls->is_ready) {
        tls->is_ready = true;
        TAILQ_INSERT_TAIL(&tls->context->ready, tls, link);
        CHECK(uv_idle_start(&tls->context->idle, on_idle) == 0);
    }
}

void tls_reading_changed(struct tls *tls) {
    if (is_closing(tls)) {
        return;
    }
    if (tls->is_open && tls->channel->is_reading && (tls->input.length > 0 || SSL_pending(tls->ssl) > 0)) {
        make_ready(tls);
    } else {
        adjust(tls);
    }
}

int tls_try_write(struct tls *tls, const uv_buf_t *buffer) {
    if (tls->write_error == 0 && (!tls->is_open || tls->queued > 0)) {
        return UV_EAGAIN;
    }
    ERR_clear_error();
    int written = tls->write_error == 0 ? SSL_write(tls->ssl, buffer->base, (int)buffer->len) : 0;
    if (tls->write_error != 0) {
        return tls->write_error;
    }
    return written > 0 ? written : UV_EPROTO;
}

static void continue_writing(struct tls *tls) {
    uv_write_t *write = tls->waiting;
    if (write != NULL && !is_closing(tls)) {
        int written = tls_try_write(tls, &tls->waiting_bytes);
        tls->waiting = NULL;
        tls->waiting_done(write, MIN(written, 0));
    }
}

void tls_write(struct tls *tls, uv_write_t *write, const uv_buf_t *buffer, uv_write_cb done) {
    CHECK(tls->waiting == NULL && tls->queued > 0);
    tls->waiting = write;
    tls->waiting_done = done;
    tls->waiting_bytes = *buffer;
}

void tls_end(struct tls *tls) {
    if (tls->is_open) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl);
    }
}

// --- Begin and end ---

// The certificate of a server must name this host. OpenSSL compares an address with the addresses in the certificate.
static void expect_host(struct tls *tls, const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (tls->context->sends_name && !is_address) {
        CHECK(SSL_set_tlsext_host_name(tls->ssl, (char *)(uintptr_t)host) == 1); // the macro casts the const away
    }
    if (tls->context->verifies_host) {
        X509_VERIFY_PARAM *parameters = SSL_get0_param(tls->ssl);
        CHECK((is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, host)
                          : X509_VERIFY_PARAM_set1_host(parameters, host, 0)) == 1);
    }
}

void tls_start(struct channel *channel, const struct tls_start *start) {
    struct tls *tls = memory_allocate_zeroed(sizeof *tls);
    tls->context = start->context;
    tls->channel = channel;
    tls->handshaken = start->handshaken;
    tls->needs_protocol = start->needs_protocol;
    tls->ssl = SSL_new(start->context->ssl);
    CHECK(tls->ssl != NULL);
    BIO *bio = new_bio(tls);
    SSL_set_bio(tls->ssl, bio, bio);
    if (start->host == NULL) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
        expect_host(tls, start->host);
    }
    tls->input = start->begin;
    keep_rest(tls);
    (void)uv_read_stop(channel->stream);
    channel->tls = tls;
    make_ready(tls);
}

const char *tls_version(const struct tls *tls) {
    return SSL_get_version(tls->ssl);
}

bool tls_shows_certificate_of(const struct tls *to_client, const struct tls *to_server) {
    const X509 *own = SSL_get_certificate(to_client->ssl);
    X509 *other = SSL_get1_peer_certificate(to_server->ssl);
    bool is_same = own != NULL && other != NULL && X509_cmp(own, other) == 0;
    X509_free(other);
    return is_same;
}

void tls_free(struct tls *tls) {
    if (tls == NULL) {
        return;
    }
    if (tls->is_ready) {
        TAILQ_REMOVE(&tls->context->ready, tls, link);
    }
    SSL_free(tls->ssl);
    text_free(&tls->rest);
    free(tls);
}
