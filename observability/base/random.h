// Random bits for ids and for the jitter of pauses. Any thread.
#ifndef OBSERVABILITY_BASE_RANDOM_H
#define OBSERVABILITY_BASE_RANDOM_H

#include <stdint.h>

// arc4random(3) of glibc 2.36 and later: the kernel's generator, never exhausted, no seed to keep.
uint64_t random_bits(void);

#endif
