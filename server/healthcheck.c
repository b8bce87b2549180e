// Sends a blocking GET /health. Main thread of its own process.
#include "server/healthcheck.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define HEALTHCHECK_TIMEOUT_MS 3000L
#define BODY_KEPT 1000 // bytes of the answer that the error text may quote

// A server that listens on all addresses is reached on the loopback address.
static const char *reachable(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ? "localhost" : host;
}

static size_t take_body(char *data, size_t size, size_t count, void *user_data) {
    struct text *body = user_data;
    size_t length = size * count;
    size_t room = BODY_KEPT - body->length;
    text_append(body, data, length < room ? length : room);
    return length;
}

// Connects to the configured address, but sends "Host: localhost", which every server accepts.
static CURLcode get_health(const char *host, uint16_t port, long *status, struct text *body) {
    char url[64];
    struct text address = {0};
    const char *target = reachable(host);
    bool is_ipv6 = strchr(target, ':') != NULL;
    (void)snprintf(url, sizeof url, "http://localhost:%u/health", port);
    text_append_format(&address, is_ipv6 ? "::[%s]:%u" : "::%s:%u", target, port);
    CURL *curl = curl_easy_init();
    struct curl_slist *connect_to = curl_slist_append(NULL, text_terminated(&address));
    CHECK(curl != NULL && connect_to != NULL);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); // no proxy, even if the environment names one
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, HEALTHCHECK_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(connect_to);
    curl_easy_cleanup(curl);
    text_free(&address);
    return code;
}

bool healthcheck(const char *host, uint16_t port, struct text *problem) {
    long status = 0;
    struct text body = {0};
    CURLcode code = get_health(host, port, &status, &body);
    if (code != CURLE_OK) {
        text_append_format(problem, "no answer on port %u: %s", port, curl_easy_strerror(code));
    } else if (status != 200) {
        text_append_format(problem, "not healthy: GET /health answered %ld %s", status, text_terminated(&body));
    }
    text_free(&body);
    return code == CURLE_OK && status == 200;
}
