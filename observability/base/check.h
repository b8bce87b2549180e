// CHECK() ends the process at a bug of our own; it is on in every build. MUST_CHECK marks functions whose result the
// caller must use. An answer of a database, a client or a file is never CHECKed. Any thread.
#ifndef OBSERVABILITY_BASE_CHECK_H
#define OBSERVABILITY_BASE_CHECK_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

// Writes a line that names the place, and aborts, if `condition` is false.
#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

// Stands at the end of a function whose switch returns for every member of an enum.
#define UNREACHABLE(what) check_failed("unreachable: " what, __FILE__, __LINE__)

_Noreturn void check_failed(const char *condition, const char *file, int line);

// malloc, calloc and realloc that end the process if there is no memory. Each allocation is small and bounded by the
// program's limits, so no caller could do better. The caller frees the memory with free().
MUST_CHECK void *memory_allocate(size_t size) __attribute__((malloc));
MUST_CHECK void *memory_allocate_zeroed(size_t size) __attribute__((malloc));
MUST_CHECK void *memory_resize(void *old, size_t size);

#endif
