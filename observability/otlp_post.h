// One envelope to one collector: gzip, POST, and what the answer means. The only module that knows libcurl.
// Exporter's thread, but for otlp_post_stop_at().
#ifndef OBSERVABILITY_OTLP_POST_H
#define OBSERVABILITY_OTLP_POST_H

#include "check.h"
#include "text.h"

#include <stdint.h>

enum otlp_answer_kind {
    OTLP_TAKEN,   // 2xx
    OTLP_LATER,   // 429, 502, 503, 504, or no answer: worth another attempt
    OTLP_REFUSED, // anything else: never again
};

struct otlp_answer {
    enum otlp_answer_kind kind;
    uint64_t rejected;       // spans of a taken envelope that it rejected after all
    uint64_t retry_after_ms; // 0: it did not say
};

struct otlp_post;

MUST_CHECK struct otlp_post *otlp_post_new(const char *endpoint, unsigned timeout_ms);
void otlp_post_free(struct otlp_post *post);

MUST_CHECK struct otlp_answer otlp_post_send(struct otlp_post *post, struct slice envelope);
// What went wrong last, in words; valid until the next send.
MUST_CHECK const char *otlp_post_problem(struct otlp_post *post);

// From this moment of the monotonic clock on, requests under way are broken off and new ones fail. Any thread.
void otlp_post_stop_at(struct otlp_post *post, uint64_t monotonic_ns);

#endif
