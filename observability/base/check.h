// CHECK: for our own bugs, always on. MUST_CHECK: for every function whose answer may be a failure.
// Includable by every module on every thread.
#ifndef OBSERVABILITY_BASE_CHECK_H
#define OBSERVABILITY_BASE_CHECK_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

// Ends the process with a line that names the place when `condition` does not hold.
#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

// For the end of a function whose switch answers for every member of an enum.
#define UNREACHABLE(what) check_failed("unreachable: " what, __FILE__, __LINE__)

_Noreturn void check_failed(const char *condition, const char *file, int line);

// malloc/calloc/realloc that end the process when memory is gone: the lab's allocations are small and
// bounded by its limits, so a failure here is not a state to be served from.
MUST_CHECK void *memory_allocate(size_t size) __attribute__((malloc));
MUST_CHECK void *memory_allocate_zeroed(size_t size) __attribute__((malloc));
MUST_CHECK void *memory_resize(void *old, size_t size);

#endif
