// Memory that is freed at once: many small pieces with one lifetime. One thread at a time uses an arena.
#ifndef OBSERVABILITY_BASE_ARENA_H
#define OBSERVABILITY_BASE_ARENA_H

#include "observability/base/check.h"
#include "observability/base/text.h"

#include <stddef.h>

struct arena_chunk;

// Starts as zeroes. The owner frees it with arena_free().
struct arena {
    struct arena_chunk *newest;
};

// Zeroed, aligned for any type.
MUST_CHECK void *arena_allocate(struct arena *arena, size_t size);
// A NUL-terminated copy.
MUST_CHECK char *arena_copy(struct arena *arena, struct slice text);
void arena_free(struct arena *arena); // frees all pieces; the arena can be used again

#endif
