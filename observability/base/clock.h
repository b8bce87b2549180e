// Two clocks: monotonic nanoseconds measure durations; realtime microseconds since 1970 become timestamps. Any thread.
#ifndef OBSERVABILITY_BASE_CLOCK_H
#define OBSERVABILITY_BASE_CLOCK_H

#include <stdint.h>

#define NANOSECONDS_PER_SECOND UINT64_C(1000000000)
#define NANOSECONDS_PER_MILLISECOND UINT64_C(1000000)
#define NANOSECONDS_PER_MICROSECOND UINT64_C(1000)

uint64_t clock_monotonic_ns(void);
int64_t clock_realtime_us(void);

// "2026-01-31T12:34:56.789012Z" with its NUL. A year that is not 0 .. 9999 becomes the first or last timestamp of
// that range.
#define CLOCK_TIMESTAMP_LENGTH 28
void clock_format_timestamp(int64_t realtime_us, char out[static CLOCK_TIMESTAMP_LENGTH]);

#endif
