// libcurl and zlib. Exporter's thread.
#include "otlp_post.h"

#include "clock.h"
#include "log.h"
#include "otlp_json.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ANSWER_MAX (64 * 1024) // more of an answer is not read
#define GZIP_WINDOW (15 + 16)  // zlib's way to ask for the gzip format
#define GZIP_MEMORY 8          // zlib's default

struct otlp_post {
    CURL *curl;
    struct curl_slist *headers;
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

struct otlp_post *otlp_post_new(const char *endpoint, unsigned timeout_ms) {
    struct otlp_post *post = memory_allocate_zeroed(sizeof *post);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    post->curl = curl_easy_init();
    CHECK(post->curl != NULL);
    struct text url = {0};
    size_t length = strlen(endpoint);
    text_append(&url, endpoint, length > 0 && endpoint[length - 1] == '/' ? length - 1 : length);
    text_append_string(&url, "/v1/traces");
    post->headers = curl_slist_append(NULL, "Content-Type: application/json");
    post->headers = curl_slist_append(post->headers, "Content-Encoding: gzip");
    post->headers = curl_slist_append(post->headers, "Expect:");
    (void)curl_easy_setopt(post->curl, CURLOPT_URL, text_terminated(&url));
    (void)curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, post->headers);
    (void)curl_easy_setopt(post->curl, CURLOPT_USERAGENT, "bank-api");
    (void)curl_easy_setopt(post->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(post->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
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
        answer.rejected = otlp_read_rejected((struct slice){post->answer.data, post->answer.length}, &post->problem);
        if (answer.rejected > 0) {
            log_write(LOG_LEVEL_WARN, NULL, "The collector rejected %lu spans: %s", (unsigned long)answer.rejected,
                      otlp_post_problem(post));
        }
        return answer;
    }
    text_append_format(&post->problem, "the collector answered %ld", status);
    if (status == 429 || status == 502 || status == 503 || status == 504) {
        answer.kind = OTLP_LATER;
        curl_off_t seconds = 0;
        (void)curl_easy_getinfo(post->curl, CURLINFO_RETRY_AFTER, &seconds);
        answer.retry_after_ms = seconds > 0 ? (uint64_t)seconds * 1000 : 0;
    }
    return answer;
}

struct otlp_answer otlp_post_send(struct otlp_post *post, struct slice envelope) {
    text_clear(&post->problem);
    text_clear(&post->answer);
    if (is_over(post)) {
        text_append_string(&post->problem, "the program stopped first");
        return (struct otlp_answer){.kind = OTLP_REFUSED};
    }
    compress_envelope(envelope, &post->compressed);
    (void)curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->compressed.length);
    (void)curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, post->compressed.data);
    CURLcode code = curl_easy_perform(post->curl);
    if (code != CURLE_OK) {
        text_append_format(&post->problem, "no answer from the collector: %s", curl_easy_strerror(code));
        return (struct otlp_answer){.kind = is_over(post) ? OTLP_REFUSED : OTLP_LATER};
    }
    long status = 0;
    (void)curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &status);
    return answer_of_status(post, status);
}
