// Random bits for ids, for the jitter of retry pauses and for shuffles. Any thread.
#ifndef OBSERVABILITY_BASE_RANDOM_H
#define OBSERVABILITY_BASE_RANDOM_H

#include <stdint.h>

// Calls arc4random_buf(3), which glibc has since 2.36. It reads the kernel's generator, so there is no seed to keep.
uint64_t random_bits(void);

#endif
