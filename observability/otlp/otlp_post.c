// libcurl and zlib. Exporter's thread.
#include "observability/otlp/otlp_post.h"

#include "observability/base/base.h"
#include "observability/otlp/otlp_json.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ANSWER_MAX (64 * 1024) // more of an answer is not read
#define RETRY_AFTER_MAX_S 3600 // of what a collector asks for
#define GZIP_WINDOW (15 + 16)  // zlib's way to ask for the gzip format
#define GZIP_MEMORY 8          // zlib's default

struct otlp_post {
    CURL *curl;
    struct curl_slist *headers;
    bool gzip;
    unsigned timeout_ms;
    struct text compressed;
    struct text answer;
    struct text problem;
    _Atomic uint64_t stop_at_ns; // 0: not stopping
};

static bool is_over(struct otlp_post *post) {
    uint64_t stop_at_ns = atomic_load(&post->stop_at_ns);
    return stop_at_ns != 0 && clock_monotonic_ns() >= stop_at_ns;
}

static size_t take_answer(char *data, size_t size, size_t count, void *argument) {
    struct text *answer = argument;
    size_t length = size * count;
    size_t room = ANSWER_MAX - answer->length;
    text_append(answer, data, length < room ? length : room);
    return length;
}

// curl asks about once a second, also while nothing moves.
static int on_progress(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a, (void)b, (void)c, (void)d;
    return is_over(argument) ? 1 : 0;
}

// The part is in the URL. `is`: with this value, or with any when it is NULL.
static bool url_has(CURLU *url, CURLUPart part, const char *is) {
    char *value = NULL;
    bool has = curl_url_get(url, part, &value, 0) == CURLUE_OK && (is == NULL || strcmp(value, is) == 0);
    curl_free(value);
    return has;
}

bool otlp_endpoint_is_usable(const char *endpoint) {
    CURLU *url = curl_url();
    CHECK(url != NULL);
    const char *host = strstr(endpoint, "://"); // curl takes "http:/host" and "http:///host" too
    bool good = host != NULL && host[3] != '/' && curl_url_set(url, CURLUPART_URL, endpoint, 0) == CURLUE_OK &&
                (url_has(url, CURLUPART_SCHEME, "http") || url_has(url, CURLUPART_SCHEME, "https")) &&
                !url_has(url, CURLUPART_USER, NULL) && !url_has(url, CURLUPART_PASSWORD, NULL) &&
                !url_has(url, CURLUPART_QUERY, NULL) && !url_has(url, CURLUPART_FRAGMENT, NULL) &&
                !url_has(url, CURLUPART_PORT, "0") && strpbrk(endpoint, "?#@") == NULL;
    curl_url_cleanup(url);
    return good;
}

// RFC 9110 section 5.6.2.
static bool is_token(struct slice name) {
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return name.length > 0;
}

static bool is_header(struct slice name, struct slice value) {
    static const struct slice ours[] = {
        SLICE_INITIALIZER("Content-Type"), SLICE_INITIALIZER("Content-Encoding"),  SLICE_INITIALIZER("Content-Length"),
        SLICE_INITIALIZER("Expect"),       SLICE_INITIALIZER("Transfer-Encoding"), SLICE_INITIALIZER("User-Agent"),
    };
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (slice_equals_ignoring_case(name, ours[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7F) {
            return false;
        }
    }
    return is_token(name);
}

// Appends them to `list`, if that is not NULL. False: they cannot be used.
static bool read_headers(const char *headers, struct curl_slist **list) {
    struct slice rest = slice_of(headers);
    struct text name = {0};
    struct text value = {0};
    struct text line = {0};
    bool good = true;
    while (good && rest.length > 0) {
        good = pair_list_take(&rest, &name, &value) && is_header(text_slice(&name), text_slice(&value));
        if (good && list != NULL) {
            text_clear(&line);
            text_append_slice(&line, text_slice(&name));
            text_append_string(&line, value.length == 0 ? ";" : ": "); // curl's way to send an empty one
            text_append_slice(&line, text_slice(&value));
            *list = curl_slist_append(*list, text_terminated(&line));
        }
    }
    text_free(&name);
    text_free(&value);
    text_free(&line);
    return good;
}

bool otlp_headers_are_usable(const char *headers) {
    return read_headers(headers, NULL);
}

static void set_file(CURL *curl, CURLoption option, const char *file) {
    if (file != NULL) {
        (void)curl_easy_setopt(curl, option, file);
    }
}

struct otlp_post *otlp_post_new(const struct otlp_destination *destination) {
    struct otlp_post *post = memory_allocate_zeroed(sizeof *post);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    post->curl = curl_easy_init();
    CHECK(post->curl != NULL);
    post->gzip = destination->gzip;
    post->timeout_ms = destination->timeout_ms;
    struct text url = {0};
    struct slice endpoint = slice_of(destination->endpoint);
    if (!destination->endpoint_is_whole && slice_ends_with(endpoint, SLICE_LITERAL("/"))) {
        endpoint.length--;
    }
    text_append_slice(&url, endpoint);
    text_append_string(&url, destination->endpoint_is_whole ? "" : "/v1/traces");
    post->headers = curl_slist_append(NULL, "Content-Type: application/json");
    post->headers = curl_slist_append(post->headers, "Expect:");
    if (destination->gzip) {
        post->headers = curl_slist_append(post->headers, "Content-Encoding: gzip");
    }
    CHECK(destination->headers == NULL || read_headers(destination->headers, &post->headers));
    set_file(post->curl, CURLOPT_CAINFO, destination->certificate);
    set_file(post->curl, CURLOPT_SSLCERT, destination->client_certificate);
    set_file(post->curl, CURLOPT_SSLKEY, destination->client_key);
    (void)curl_easy_setopt(post->curl, CURLOPT_URL, text_terminated(&url));
    (void)curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, post->headers);
    (void)curl_easy_setopt(post->curl, CURLOPT_USERAGENT, "bank-api");
    (void)curl_easy_setopt(post->curl, CURLOPT_NOSIGNAL, 1L);
    // curl resolves names in a thread of its own. At the end it would wait for that thread, which waits for a silent
    // name server as long as the system says.
    (void)curl_easy_setopt(post->curl, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(post->curl, CURLOPT_WRITEFUNCTION, take_answer);
    (void)curl_easy_setopt(post->curl, CURLOPT_WRITEDATA, &post->answer);
    (void)curl_easy_setopt(post->curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(post->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(post->curl, CURLOPT_XFERINFODATA, post);
    text_free(&url);
    return post;
}

void otlp_post_free(struct otlp_post *post) {
    curl_easy_cleanup(post->curl);
    curl_slist_free_all(post->headers);
    curl_global_cleanup();
    text_free(&post->compressed);
    text_free(&post->answer);
    text_free(&post->problem);
    free(post);
}

void otlp_post_stop_at(struct otlp_post *post, uint64_t monotonic_ns) {
    atomic_store(&post->stop_at_ns, monotonic_ns);
}

const char *otlp_post_problem(struct otlp_post *post) {
    return text_terminated(&post->problem);
}

static void compress_envelope(struct slice envelope, struct text *out) {
    z_stream stream = {0};
    CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK);
    text_clear(out);
    text_reserve(out, deflateBound(&stream, (uLong)envelope.length));
    stream.next_in = (Bytef *)(uintptr_t)envelope.data; // zlib only reads it
    stream.avail_in = (uInt)envelope.length;
    stream.next_out = (Bytef *)out->data;
    stream.avail_out = (uInt)out->capacity;
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out->length = out->capacity - stream.avail_out;
    CHECK(deflateEnd(&stream) == Z_OK);
}

static struct otlp_answer answer_of_status(struct otlp_post *post, long status) {
    struct otlp_answer answer = {.kind = OTLP_REFUSED};
    if (status >= 200 && status < 300) {
        answer.kind = OTLP_TAKEN;
        text_clear(&post->problem);
        answer.rejected = otlp_read_rejected(text_slice(&post->answer), &post->problem);
        return answer;
    }
    text_append_format(&post->problem, "the collector answered %ld", status);
    if (status == 429 || status == 502 || status == 503 || status == 504) {
        answer.kind = OTLP_LATER;
        curl_off_t seconds = 0;
        (void)curl_easy_getinfo(post->curl, CURLINFO_RETRY_AFTER, &seconds);
        if (seconds > 0) {
            seconds = MIN(seconds, RETRY_AFTER_MAX_S);
            answer.retry_after_ms = (uint64_t)seconds * 1000;
            text_append_format(&post->problem, " and asks to wait %" PRIu64 " s", (uint64_t)seconds);
        }
    }
    return answer;
}

struct otlp_answer otlp_post_send(struct otlp_post *post, struct slice envelope, uint64_t timeout_ms) {
    text_clear(&post->problem);
    text_clear(&post->answer);
    if (is_over(post)) {
        text_append_string(&post->problem, "the program stopped first");
        return (struct otlp_answer){.kind = OTLP_REFUSED};
    }
    struct slice body = envelope;
    if (post->gzip) {
        compress_envelope(envelope, &post->compressed);
        body = text_slice(&post->compressed);
    }
    (void)curl_easy_setopt(post->curl, CURLOPT_TIMEOUT_MS, (long)MIN(timeout_ms, post->timeout_ms));
    (void)curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
    (void)curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, body.data);
    CURLcode code = curl_easy_perform(post->curl);
    if (code != CURLE_OK) {
        text_append_format(&post->problem, "no answer from the collector: %s", curl_easy_strerror(code));
        return (struct otlp_answer){.kind = is_over(post) ? OTLP_REFUSED : OTLP_LATER};
    }
    long status = 0;
    (void)curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &status);
    return answer_of_status(post, status);
}
