// A failed check writes one line that names its place to standard error, then calls abort() for a core dump.
// Any thread. This file uses neither the log nor the heap, because either may be broken when a check fails.
#include "observability/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_SIZE 512

static _Noreturn void stop(const char *line, int length) {
    size_t size = length < 0 ? 0 : (size_t)length;
    if (size > LINE_SIZE - 1) {
        size = LINE_SIZE - 1;
    }
    ssize_t ignored = write(STDERR_FILENO, line, size);
    (void)ignored;
    abort();
}

_Noreturn void check_failed(const char *condition, const char *file, int line) {
    char text[LINE_SIZE];
    stop(text, snprintf(text, sizeof text, "%s:%d: CHECK failed: %s\n", file, line, condition));
}

static _Noreturn void out_of_memory(size_t size) {
    char text[LINE_SIZE];
    stop(text, snprintf(text, sizeof text, "out of memory: %zu bytes asked for\n", size));
}

// malloc(0) may return NULL, which would look like a failure.
static size_t at_least_one(size_t size) {
    return size == 0 ? 1 : size;
}

void *memory_allocate(size_t size) {
    void *memory = malloc(at_least_one(size));
    if (memory == NULL) {
        out_of_memory(size);
    }
    return memory;
}

void *memory_allocate_zeroed(size_t size) {
    void *memory = calloc(1, at_least_one(size));
    if (memory == NULL) {
        out_of_memory(size);
    }
    return memory;
}

void *memory_resize(void *old, size_t size) {
    void *memory = realloc(old, at_least_one(size));
    if (memory == NULL) {
        out_of_memory(size);
    }
    return memory;
}
