// Reads the two clocks and formats UTC timestamps. Any thread; there is no state.
#include "observability/base/clock.h"

#include "observability/base/check.h"

#include <time.h>

#define MICROSECONDS_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)

// The range with four digits of year: 0000-01-01T00:00:00 .. 9999-12-31T23:59:59.999999, in microseconds since 1970.
#define TIMESTAMP_LEAST INT64_C(-62167219200000000)
#define TIMESTAMP_GREATEST INT64_C(253402300799999999)

struct civil_date {
    unsigned year;
    unsigned month;
    unsigned day;
};

static struct timespec clock_read(clockid_t clock) {
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return now;
}

uint64_t clock_monotonic_ns(void) {
    struct timespec now = clock_read(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

int64_t clock_realtime_us(void) {
    struct timespec now = clock_read(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * MICROSECONDS_PER_SECOND + (int64_t)now.tv_nsec / (int64_t)NANOSECONDS_PER_MICROSECOND;
}

// Algorithm: civil_from_days of Howard Hinnant, https://howardhinnant.github.io/date_algorithms.html. We do not use
// gmtime_r, because it takes a lock of libc that all threads share. Years start in March here, so the leap day is the
// last day of a year. An era is 400 years.
static struct civil_date civil_from_days(int64_t days_since_1970) {
    const int64_t days_per_era = 146097;
    // Days are counted from 0000-03-01. One more era keeps the count positive in January and February of the year 0.
    uint64_t days = (uint64_t)(days_since_1970 + 719468 + days_per_era);
    unsigned era = (unsigned)(days / (uint64_t)days_per_era);
    unsigned day_of_era = (unsigned)(days % (uint64_t)days_per_era);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;

    struct civil_date date;
    date.day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    date.month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    date.year = year_of_era + 400 * era + (date.month <= 2) - 400;
    return date;
}

static char *write_digits(char *out, unsigned value, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

static char *write_digits_and(char *out, unsigned value, int digits, char behind) {
    out = write_digits(out, value, digits);
    *out = behind;
    return out + 1;
}

void clock_format_timestamp(int64_t realtime_us, char out[static CLOCK_TIMESTAMP_LENGTH]) {
    if (realtime_us < TIMESTAMP_LEAST) {
        realtime_us = TIMESTAMP_LEAST;
    }
    if (realtime_us > TIMESTAMP_GREATEST) {
        realtime_us = TIMESTAMP_GREATEST;
    }

    // Times are counted from the first timestamp, so they are never negative. C's division would round a negative
    // time up, to the wrong second.
    int64_t since_year_0 = realtime_us - TIMESTAMP_LEAST;
    unsigned microseconds = (unsigned)(since_year_0 % MICROSECONDS_PER_SECOND);
    int64_t seconds = since_year_0 / MICROSECONDS_PER_SECOND;
    unsigned second_of_day = (unsigned)(seconds % SECONDS_PER_DAY);
    int64_t first_day = TIMESTAMP_LEAST / (MICROSECONDS_PER_SECOND * SECONDS_PER_DAY);
    struct civil_date date = civil_from_days(seconds / SECONDS_PER_DAY + first_day);

    out = write_digits_and(out, date.year, 4, '-');
    out = write_digits_and(out, date.month, 2, '-');
    out = write_digits_and(out, date.day, 2, 'T');
    out = write_digits_and(out, second_of_day / 3600, 2, ':');
    out = write_digits_and(out, second_of_day / 60 % 60, 2, ':');
    out = write_digits_and(out, second_of_day % 60, 2, '.');
    out = write_digits_and(out, microseconds, 6, 'Z');
    *out = '\0';
}
