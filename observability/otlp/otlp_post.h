// One envelope to one collector: gzip, POST, and what the answer means. The only module that knows libcurl.
// Exporter's thread, but for otlp_post_stop_at().
#ifndef OBSERVABILITY_OTLP_OTLP_POST_H
#define OBSERVABILITY_OTLP_OTLP_POST_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum otlp_answer_kind {
    OTLP_TAKEN,   // 2xx
    OTLP_LATER,   // 429, 502, 503, 504, or no answer: worth another attempt
    OTLP_REFUSED, // anything else: never again
};

struct otlp_answer {
    enum otlp_answer_kind kind;
    uint64_t rejected;       // spans of a taken envelope that it rejected after all
    uint64_t retry_after_ms; // 0: it did not say; an hour at most
};

// Where envelopes go, and how. The strings belong to the environment.
struct otlp_destination {
    const char *endpoint;           // such as http://localhost:4318
    bool endpoint_is_whole;         // nothing is added to it; else /v1/traces is
    const char *headers;            // "name=value,name=value", percent-encoded, or NULL
    const char *certificate;        // PEM file of the authority that signed the collector's certificate, or NULL
    const char *client_certificate; // PEM files of our own, both or neither (NULL)
    const char *client_key;
    bool gzip;
    unsigned timeout_ms; // for one request
};

// An absolute http or https URL with a host and nothing behind its path.
MUST_CHECK bool otlp_endpoint_is_usable(const char *endpoint);
// Names that are tokens and none of our own, values of visible characters, blanks and tabs.
MUST_CHECK bool otlp_headers_are_usable(const char *headers);

struct otlp_post;

MUST_CHECK struct otlp_post *otlp_post_new(const struct otlp_destination *destination);
void otlp_post_free(struct otlp_post *post);

// Waits at most `timeout_ms`, or the destination's own timeout if that is shorter.
MUST_CHECK struct otlp_answer otlp_post_send(struct otlp_post *post, struct slice envelope, uint64_t timeout_ms);
// What went wrong last, in words; valid until the next send.
MUST_CHECK const char *otlp_post_problem(struct otlp_post *post);

// From this moment of the monotonic clock on, requests under way are broken off and new ones fail. Any thread.
void otlp_post_stop_at(struct otlp_post *post, uint64_t monotonic_ns);

#endif
