// Takes random bits from libc. Any thread.
#include "observability/base/random.h"

#include <stdlib.h>

uint64_t random_bits(void) {
    uint64_t bits;
    arc4random_buf(&bits, sizeof bits);
    return bits;
}
