// Converts moments of the database's clock to the program's clock. The two machines' clocks may differ, and either may be
// set while the program runs. Any thread.
#ifndef WORKERS_DATABASE_DATABASE_CLOCK_H
#define WORKERS_DATABASE_DATABASE_CLOCK_H

#include "observability/base/base.h"

#include <stdint.h>

// Microseconds since 1970 by the program's clock at one moment of its monotonic clock: a transfer's arrival.
struct clock_anchor {
    int64_t realtime_us;
    uint64_t monotonic_ns;
};

// The database's clock showed `database_us` between two moments of the monotonic clock: a statement was sent, and its
// answer arrived.
void database_clock_observe(int64_t database_us, uint64_t sent_ns, uint64_t answered_ns);

// How far the database's clock is ahead of the program's, which is anchored; 0 if both may show the same time.
MUST_CHECK int64_t database_clock_ahead_us(struct clock_anchor anchor);

// Observes, and converts `database_us` to the monotonic clock; never outside of the two moments.
MUST_CHECK uint64_t database_clock_moment_ns(struct clock_anchor anchor, int64_t database_us, uint64_t sent_ns,
                                             uint64_t answered_ns);

#endif
