// The memory of a list of cases: one list of pieces, freed at once.
#include "workers/case/case_memory.h"

#include <stdlib.h>
#include <sys/queue.h>

struct piece {
    SLIST_ENTRY(piece) next;
    max_align_t bytes[];
};

struct case_memory {
    SLIST_HEAD(, piece) pieces;
};

struct case_memory *case_memory_new(void) {
    struct case_memory *memory = memory_allocate(sizeof *memory);
    SLIST_INIT(&memory->pieces);
    return memory;
}

void case_memory_free(struct case_memory *memory) {
    if (memory == NULL) {
        return;
    }
    struct piece *piece;
    while ((piece = SLIST_FIRST(&memory->pieces)) != NULL) {
        SLIST_REMOVE_HEAD(&memory->pieces, next);
        free(piece);
    }
    free(memory);
}

void *case_allocate(struct case_memory *memory, size_t size) {
    struct piece *piece = memory_allocate_zeroed(sizeof *piece + size);
    SLIST_INSERT_HEAD(&memory->pieces, piece, next);
    return piece->bytes;
}

char *case_copy(struct case_memory *memory, struct slice text) {
    char *copy = case_allocate(memory, text.length + 1);
    if (text.length > 0) {
        memcpy(copy, text.data, text.length);
    }
    return copy;
}

char *case_format(struct case_memory *memory, const char *format, ...) {
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_append_format_list(&text, format, arguments);
    va_end(arguments);
    char *copy = case_copy(memory, text_slice(&text));
    text_free(&text);
    return copy;
}

// The array's room is the next power of two of its count, so no capacity is kept.
void *case_append(struct case_memory *memory, void *items, size_t *count, size_t size) {
    void *array;
    memcpy(&array, items, sizeof array);
    if ((*count & (*count - 1)) == 0) {
        void *larger = case_allocate(memory, size * (*count == 0 ? 1 : *count * 2));
        if (*count > 0) {
            memcpy(larger, array, *count * size);
        }
        memcpy(items, &larger, sizeof larger);
        array = larger;
    }
    return (char *)array + size * (*count)++;
}
