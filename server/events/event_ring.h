// The last events, encoded as the subscribers of GET /events receive them, in one ring of bytes. A position counts the
// bytes of all events since the start of the program, so positions only grow. Loop thread.
#ifndef SERVER_EVENTS_EVENT_RING_H
#define SERVER_EVENTS_EVENT_RING_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_RING_BYTES (1024 * 1024)
#define EVENT_BYTES_MAX (64 * 1024) // bytes of data of one event
#define EVENT_ID_LENGTH 32          // with its NUL

struct event_ring;

// The answer to the id of the last event that a subscriber has received.
enum event_resume {
    EVENT_RESUMES,   // the ring has all events after it
    EVENT_RESTARTED, // the id is not from this start of the program
    EVENT_TOO_OLD,   // events after it were overwritten
};

MUST_CHECK struct event_ring *event_ring_new(void);
void event_ring_free(struct event_ring *ring);

// Returns the boot id, eight random hexadecimal digits that identify this start of the program. It is the first part of
// every event id.
MUST_CHECK const char *event_ring_boot(const struct event_ring *ring);
// Writes the id of the newest event, "<boot>-<number>". The number is 0 if there was no event.
void event_ring_newest_id(const struct event_ring *ring, char out[static EVENT_ID_LENGTH]);

// Encodes an event and appends it; it overwrites the oldest events. `data` is one line.
void event_ring_append(struct event_ring *ring, const char *name, struct slice data);
// Appending an event with this data may overwrite everything below the returned position.
MUST_CHECK uint64_t event_ring_evict_limit(const struct event_ring *ring, struct slice data);

// Returns the position behind the newest event.
MUST_CHECK uint64_t event_ring_end(const struct event_ring *ring);
// `last_id` is the id of the last event that a subscriber has received. If the result is EVENT_RESUMES, `position`
// becomes the position behind that event.
MUST_CHECK enum event_resume event_ring_find(const struct event_ring *ring, struct slice last_id, uint64_t *position);
// Returns the first position at or behind `position` where an event begins, or the end of the ring.
MUST_CHECK uint64_t event_ring_boundary(const struct event_ring *ring, uint64_t position);

// Sets `out` to the bytes between two positions that are in the ring. Returns the number of pieces: 0, 1 or 2. They are
// valid until the next append.
MUST_CHECK size_t event_ring_bytes(const struct event_ring *ring, uint64_t from, uint64_t to,
                                   struct slice out[static 2]);

#endif
