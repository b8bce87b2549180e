// The memory of a list of cases: one list of pieces, freed at once.
#include "workers/case/case_memory.h"

#include <stdlib.h>

struct case_memory {
    struct arena arena;
};

struct case_memory *case_memory_new(void) {
    return memory_allocate_zeroed(sizeof(struct case_memory));
}

void case_memory_free(struct case_memory *memory) {
    if (memory != NULL) {
        arena_free(&memory->arena);
        free(memory);
    }
}

void *case_allocate(struct case_memory *memory, size_t size) {
    return arena_allocate(&memory->arena, size);
}

char *case_copy(struct case_memory *memory, struct slice text) {
    return arena_copy(&memory->arena, text);
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
