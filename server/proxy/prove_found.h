// The verdict of race-explore on the recorded sessions. Pure, but for the reading of its two files.
//
// A recorded program goes on as it did when it ran alone. If an order shows it something else, it would perhaps have
// gone another way. So an anomaly is proved only if every session was answered what it is answered when it runs first.
#ifndef SERVER_PROXY_PROVE_FOUND_H
#define SERVER_PROXY_PROVE_FOUND_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum { FOUND_NAMES_MAX = 8 };

struct found {
    bool is_there; // race-explore has ended with a result
    bool is_complete;
    struct text level, because; // because: why it is not complete
    uint64_t orders;
    uint64_t proved, possible, errors;  // orders with an anomaly, and orders with an error that is new
    struct text names[FOUND_NAMES_MAX]; // the proved anomalies
    uint64_t counts[FOUND_NAMES_MAX];
    size_t name_count;
    struct text order; // the smallest one that is proved: "A1 B1 ..."
    struct text fix;   // the first change that ends it at this level; empty: none
    struct text story; // the text that race-explore has printed
};

// False: `problem` says why, or there is no result.
MUST_CHECK bool found_read(struct found *found, const char *json_path, const char *text_path, struct text *problem);
// One sentence.
void found_append(const struct found *found, struct text *out);
void found_free(struct found *found);

#endif
