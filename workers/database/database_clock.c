// Keeps bounds of the difference between the database's clock and the program's monotonic clock, as in Cristian's
// algorithm (https://en.wikipedia.org/wiki/Cristian%27s_algorithm). The times of sending and of the answer bound the
// difference, and the bounds of several exchanges intersect. If an exchange contradicts the bounds, a clock was set or
// has drifted; then its bounds replace the old ones.
#include "workers/database/database_clock.h"

#include "observability/base/base.h"

#include <pthread.h>
#include <stdbool.h>

#define MICROSECONDS(ns) ((int64_t)((ns) / NANOSECONDS_PER_MICROSECOND))

static pthread_mutex_t bounds_mutex = PTHREAD_MUTEX_INITIALIZER;
// The bounds of (database's clock - monotonic clock), in microseconds; unlimited before the first exchange.
static int64_t least_us = INT64_MIN;
static int64_t greatest_us = INT64_MAX;

void database_clock_observe(int64_t database_us, uint64_t sent_ns, uint64_t answered_ns) {
    int64_t least = database_us - MICROSECONDS(answered_ns) - 1; // whole microseconds, rounded outwards
    int64_t greatest = database_us - MICROSECONDS(sent_ns) + 1;
    CHECK(pthread_mutex_lock(&bounds_mutex) == 0);
    bool contradicts = greatest < least_us || least > greatest_us;
    least_us = contradicts ? least : MAX(least, least_us);
    greatest_us = contradicts ? greatest : MIN(greatest, greatest_us);
    CHECK(pthread_mutex_unlock(&bounds_mutex) == 0);
}

// The bounds of the difference, and the difference that the clocks have if they show the same time.
struct difference {
    int64_t least_us, greatest_us, same_us;
};

static struct difference difference_at(struct clock_anchor anchor) {
    struct difference difference = {.same_us = anchor.realtime_us - MICROSECONDS(anchor.monotonic_ns)};
    CHECK(pthread_mutex_lock(&bounds_mutex) == 0);
    difference.least_us = least_us;
    difference.greatest_us = greatest_us;
    CHECK(pthread_mutex_unlock(&bounds_mutex) == 0);
    return difference;
}

static bool may_agree(const struct difference *difference) {
    return difference->same_us >= difference->least_us && difference->same_us <= difference->greatest_us;
}

int64_t database_clock_ahead_us(struct clock_anchor anchor) {
    struct difference difference = difference_at(anchor);
    if (may_agree(&difference)) { // also before the first exchange: then there is no middle
        return 0;
    }
    return difference.least_us + (difference.greatest_us - difference.least_us) / 2 - difference.same_us;
}

int64_t database_clock_most_ahead_us(struct clock_anchor anchor) {
    struct difference difference = difference_at(anchor);
    return may_agree(&difference) ? 0 : difference.greatest_us - difference.same_us;
}

uint64_t database_clock_moment_ns(struct clock_anchor anchor, int64_t database_us, uint64_t sent_ns,
                                  uint64_t answered_ns) {
    database_clock_observe(database_us, sent_ns, answered_ns);
    int64_t since_us = database_us - database_clock_ahead_us(anchor) - anchor.realtime_us;
    int64_t moment_us = MICROSECONDS(anchor.monotonic_ns) + since_us;
    if (moment_us <= MICROSECONDS(sent_ns)) {
        return sent_ns;
    }
    uint64_t moment_ns = (uint64_t)moment_us * NANOSECONDS_PER_MICROSECOND;
    return MIN(moment_ns, answered_ns);
}
