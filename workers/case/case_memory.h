// The memory of a list of cases: everything that the cases point to is freed at once, with the list.
#ifndef WORKERS_CASE_CASE_MEMORY_H
#define WORKERS_CASE_CASE_MEMORY_H

#include "observability/base/base.h"

struct case_memory;

MUST_CHECK struct case_memory *case_memory_new(void);
void case_memory_free(struct case_memory *memory);
MUST_CHECK void *case_allocate(struct case_memory *memory, size_t size);   // zeroed
MUST_CHECK char *case_copy(struct case_memory *memory, struct slice text); // NUL-terminated
MUST_CHECK char *case_format(struct case_memory *memory, const char *format, ...) PRINTF_LIKE(2, 3);

// Returns room for one more item behind `count` items of `size` bytes, in memory that doubles as it fills. The new item
// is zeroed. `items` is the address of the array's pointer.
MUST_CHECK void *case_append(struct case_memory *memory, void *items, size_t *count, size_t size);

#endif
