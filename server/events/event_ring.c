// A ring of bytes with the encoded events, and a ring of the positions where they begin. Loop thread.
#include "server/events/event_ring.h"

#include "observability/trace/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// An encoded event has at least EVENT_BYTES_MIN bytes, so the ring never holds more than EVENTS_MAX events.
#define EVENT_BYTES_MIN 32
#define EVENTS_MAX (EVENT_RING_BYTES / EVENT_BYTES_MIN)

struct event_ring {
    char boot[9];
    uint64_t newest;             // number of the newest event; 0 if there was none
    uint64_t oldest;             // number of the oldest event of which no byte is overwritten
    uint64_t end;                // position behind the newest event
    struct text encoded;         // the event that is being appended
    uint64_t starts[EVENTS_MAX]; // the start of event n is at index n modulo EVENTS_MAX
    char bytes[EVENT_RING_BYTES];
};

struct event_ring *event_ring_new(void) {
    struct event_ring *ring = memory_allocate_zeroed(sizeof *ring);
    (void)snprintf(ring->boot, sizeof ring->boot, "%08" PRIx32, (uint32_t)random_bits());
    ring->oldest = 1;
    return ring;
}

void event_ring_free(struct event_ring *ring) {
    text_free(&ring->encoded);
    free(ring);
}

const char *event_ring_boot(const struct event_ring *ring) {
    return ring->boot;
}

void event_ring_newest_id(const struct event_ring *ring, char out[static EVENT_ID_LENGTH]) {
    (void)snprintf(out, EVENT_ID_LENGTH, "%s-%" PRIu64, ring->boot, ring->newest);
}

static void copy_in(struct event_ring *ring, const struct text *encoded) {
    size_t place = ring->end % EVENT_RING_BYTES;
    size_t first = EVENT_RING_BYTES - place;
    first = MIN(first, encoded->length);
    memcpy(ring->bytes + place, encoded->data, first);
    memcpy(ring->bytes, encoded->data + first, encoded->length - first);
}

static uint64_t start_of(const struct event_ring *ring, uint64_t number) {
    return ring->starts[number % EVENTS_MAX];
}

void event_ring_append(struct event_ring *ring, const char *name, struct slice data) {
    CHECK(data.length <= EVENT_BYTES_MAX);
    struct text *encoded = &ring->encoded;
    text_clear(encoded);
    text_append_format(encoded, "id: %s-%" PRIu64 "\nevent: %s\ndata: ", ring->boot, ring->newest + 1, name);
    text_append_slice(encoded, data);
    text_append_string(encoded, "\n\n");
    copy_in(ring, encoded);
    ring->newest++;
    ring->starts[ring->newest % EVENTS_MAX] = ring->end;
    ring->end += encoded->length;
    while (start_of(ring, ring->oldest) + EVENT_RING_BYTES < ring->end) {
        ring->oldest++;
    }
}

uint64_t event_ring_evict_limit(const struct event_ring *ring, struct slice data) {
    uint64_t most = ring->end + data.length + EVENT_ID_LENGTH +
                    EVENT_RING_BYTES / 8; // includes room for the field names
    return most < EVENT_RING_BYTES ? 0 : most - EVENT_RING_BYTES;
}

uint64_t event_ring_end(const struct event_ring *ring) {
    return ring->end;
}

// Reads the number behind the dash. Returns false if this start of the program has not made the id.
static bool parse_id(const struct event_ring *ring, struct slice id, uint64_t *number) {
    size_t prefix = sizeof ring->boot; // the boot id and the dash
    if (id.length <= prefix || id.length >= EVENT_ID_LENGTH || memcmp(id.data, ring->boot, prefix - 1) != 0 ||
        id.data[prefix - 1] != '-') {
        return false;
    }
    *number = 0;
    for (size_t i = prefix; i < id.length; i++) {
        if (id.data[i] < '0' || id.data[i] > '9' || *number > ring->newest) {
            return false;
        }
        *number = *number * 10 + (uint64_t)(id.data[i] - '0');
    }
    return *number <= ring->newest;
}

enum event_resume event_ring_find(const struct event_ring *ring, struct slice last_id, uint64_t *position) {
    uint64_t number;
    if (!parse_id(ring, last_id, &number)) {
        return EVENT_RESTARTED;
    }
    if (number + 1 < ring->oldest) {
        return EVENT_TOO_OLD;
    }
    *position = number == ring->newest ? ring->end : start_of(ring, number + 1);
    return EVENT_RESUMES;
}

uint64_t event_ring_boundary(const struct event_ring *ring, uint64_t position) {
    uint64_t low = ring->oldest;
    uint64_t high = ring->newest + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (start_of(ring, middle) < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > ring->newest ? ring->end : start_of(ring, low);
}

size_t event_ring_bytes(const struct event_ring *ring, uint64_t from, uint64_t to, struct slice out[static 2]) {
    CHECK(from <= to && to <= ring->end && ring->end - from <= EVENT_RING_BYTES);
    size_t place = from % EVENT_RING_BYTES;
    size_t length = to - from;
    size_t first = EVENT_RING_BYTES - place;
    out[0] = (struct slice){ring->bytes + place, first < length ? first : length};
    out[1] = (struct slice){ring->bytes, length - out[0].length};
    return length == 0 ? 0 : out[1].length == 0 ? 1 : 2;
}
