// Converts times of the database's clock to the program's monotonic clock. The clocks of the two machines may differ,
// and either may be set while the program runs. Any thread.
#ifndef WORKERS_DATABASE_DATABASE_CLOCK_H
#define WORKERS_DATABASE_DATABASE_CLOCK_H

#include "observability/base/base.h"

#include <stdint.h>

// One moment on both clocks of the program: when a transfer arrived. `realtime_us` is microseconds since 1970.
struct clock_anchor {
    int64_t realtime_us;
    uint64_t monotonic_ns;
};

// Notes that the database's clock showed `database_us` between two moments of the monotonic clock: when a statement was
// sent, and when its answer arrived.
void database_clock_observe(int64_t database_us, uint64_t sent_ns, uint64_t answered_ns);

// Microseconds that the database's clock is ahead of the program's clock; 0 if both may show the same time.
MUST_CHECK int64_t database_clock_ahead_us(struct clock_anchor anchor);
// The largest difference that is possible; 0 likewise. A moment that is converted by it is never later than the truth,
// so a statement that converts a moment itself cannot place it behind its own answer.
MUST_CHECK int64_t database_clock_most_ahead_us(struct clock_anchor anchor);

// Observes, and converts `database_us` to the monotonic clock. The result is never outside the two moments.
MUST_CHECK uint64_t database_clock_moment_ns(struct clock_anchor anchor, int64_t database_us, uint64_t sent_ns,
                                             uint64_t answered_ns);

#endif
