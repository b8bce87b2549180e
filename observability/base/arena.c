// An arena is a list of chunks; a piece is the next part of the newest chunk.
#include "observability/base/arena.h"

#include "observability/base/base.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 4096 }; // a run of ten steps needs about 2 kB

struct arena_chunk {
    struct arena_chunk *older;
    size_t used, size;
    max_align_t bytes[];
};

void *arena_allocate(struct arena *arena, size_t size) {
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct arena_chunk *chunk = arena->newest;
    if (chunk == NULL || chunk->size - chunk->used < rounded) {
        size_t room = MAX((size_t)CHUNK_BYTES, rounded);
        chunk = memory_allocate_zeroed(sizeof *chunk + room);
        chunk->size = room;
        chunk->older = arena->newest;
        arena->newest = chunk;
    }
    void *piece = (char *)chunk->bytes + chunk->used;
    chunk->used += rounded;
    return piece;
}

char *arena_copy(struct arena *arena, struct slice text) {
    char *copy = arena_allocate(arena, text.length + 1);
    if (text.length > 0) {
        memcpy(copy, text.data, text.length);
    }
    return copy;
}

void arena_free(struct arena *arena) {
    while (arena->newest != NULL) {
        struct arena_chunk *older = arena->newest->older;
        free(arena->newest);
        arena->newest = older;
    }
}
