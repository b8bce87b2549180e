// Sends one envelope to one collector: gzip, POST, and the meaning of the answer. Only this module uses libcurl.
// Exporter thread, except for otlp_post_stop_at().
#ifndef OBSERVABILITY_OTLP_OTLP_POST_H
#define OBSERVABILITY_OTLP_OTLP_POST_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum otlp_answer_kind {
    OTLP_TAKEN,   // 2xx
    OTLP_LATER,   // 429, 502, 503, 504, or no answer: another attempt may succeed
    OTLP_REFUSED, // any other status, or the program stops: the envelope is not sent again
};

struct otlp_answer {
    enum otlp_answer_kind kind;
    uint64_t rejected;       // OTLP_TAKEN: spans of the envelope that the collector rejected all the same
    uint64_t retry_after_ms; // the Retry-After of the answer, at most an hour; 0 if it has none
};

// The collector and how to reach it. The environment owns the strings.
struct otlp_destination {
    const char *endpoint;           // such as http://localhost:4318
    bool endpoint_is_whole;         // false: "/v1/traces" is appended to the endpoint
    const char *headers;            // "name=value,name=value", percent-encoded, or NULL
    const char *certificate;        // PEM file of the authority that signed the certificate of the collector, or NULL
    const char *client_certificate; // PEM file of our own certificate; NULL if client_key is NULL
    const char *client_key;         // PEM file of its key; NULL if client_certificate is NULL
    bool gzip;
    unsigned timeout_ms; // for one request
};

// True for an absolute http or https URL with a host, without user, query and fragment. Any thread.
MUST_CHECK bool otlp_endpoint_is_usable(const char *endpoint);
// True if each header name is a token that this module does not send itself, and no value has control characters other
// than tabs. Any thread.
MUST_CHECK bool otlp_headers_are_usable(const char *headers);

struct otlp_post;

// The destination must be usable as the two functions above say.
MUST_CHECK struct otlp_post *otlp_post_new(const struct otlp_destination *destination);
void otlp_post_free(struct otlp_post *post);

// Sends the envelope and waits for the answer, at most `timeout_ms` or the timeout of the destination if that is less.
MUST_CHECK struct otlp_answer otlp_post_send(struct otlp_post *post, struct slice envelope, uint64_t timeout_ms);
// Returns an error text for the last answer, or "" if there was no error. Valid until the next send.
MUST_CHECK const char *otlp_post_problem(struct otlp_post *post);

// From the time `monotonic_ns` on, a running request is aborted and new requests fail. Any thread.
void otlp_post_stop_at(struct otlp_post *post, uint64_t monotonic_ns);

#endif
