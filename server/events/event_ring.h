// The last events, encoded as readers of GET /events get them: one ring of bytes for all, and where each event begins in
// it. Positions count the bytes of all events ever, so they only grow. Loop thread.
#ifndef SERVER_EVENTS_EVENT_RING_H
#define SERVER_EVENTS_EVENT_RING_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_RING_BYTES (1024 * 1024)
#define EVENT_BYTES_MAX (64 * 1024) // of one event's data
#define EVENT_ID_LENGTH 32          // with its NUL

struct event_ring;

enum event_resume {
    EVENT_RESUMES,   // what came after it is here
    EVENT_RESTARTED, // it is no event of this start of the program
    EVENT_TOO_OLD,   // what came after it is not here any more
};

MUST_CHECK struct event_ring *event_ring_new(void);
void event_ring_free(struct event_ring *ring);

// This start of the program: eight hexadecimal digits, the first part of every id.
MUST_CHECK const char *event_ring_boot(const struct event_ring *ring);
// "<boot>-<number>" of the newest event; number 0 before the first.
void event_ring_newest_id(const struct event_ring *ring, char out[static EVENT_ID_LENGTH]);

// Encodes an event and puts it in, over the oldest. `data` is one line.
void event_ring_append(struct event_ring *ring, const char *name, struct slice data);
// The position below which the next event of so much data may overwrite.
MUST_CHECK uint64_t event_ring_threatens(const struct event_ring *ring, struct slice data);

// Behind the newest event.
MUST_CHECK uint64_t event_ring_end(const struct event_ring *ring);
// The position behind the event that a reader had last, if it is known: then `position` is set.
MUST_CHECK enum event_resume event_ring_find(const struct event_ring *ring, struct slice last_id, uint64_t *position);
// The first position at or behind `position` where an event begins, or the end.
MUST_CHECK uint64_t event_ring_boundary(const struct event_ring *ring, uint64_t position);

// The bytes between two positions that are here, in one or two pieces; how many.
MUST_CHECK size_t event_ring_bytes(const struct event_ring *ring, uint64_t from, uint64_t to,
                                   struct slice out[static 2]);

#endif
