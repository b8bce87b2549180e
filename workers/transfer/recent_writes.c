// A ring of the newest writes to balances, behind a mutex. Any thread.
#include "workers/transfer/recent_writes.h"

#include "observability/base/base.h"
#include "observability/log/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WRITES_KEPT 256
#define FIND_TRIES 20
#define FIND_PAUSE_US 100

enum write_state { WRITE_NONE, WRITE_SENT, WRITE_DONE };

struct recent_write {
    uint64_t number;
    enum write_state state;
    char account[ACCOUNT_ID_MAX + 1];
    char transfer_id[TRANSFER_ID_LENGTH + 1];
    int64_t balance;
    int64_t version;
    uint64_t answered_ns; // monotonic
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct recent_write writes[WRITES_KEPT];
static uint64_t last_number; // 0: no write yet

uint64_t recent_writes_begin(const char *account, const char *transfer_id) {
    if (!log_shows_fields(LOG_LEVEL_WARN)) {
        return 0;
    }
    CHECK(pthread_mutex_lock(&mutex) == 0);
    uint64_t number = ++last_number;
    struct recent_write *write = &writes[number % WRITES_KEPT];
    *write = (struct recent_write){.number = number, .state = WRITE_SENT};
    (void)snprintf(write->account, sizeof write->account, "%s", account);
    (void)snprintf(write->transfer_id, sizeof write->transfer_id, "%s", transfer_id);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return number;
}

void recent_writes_end(uint64_t number, bool written, int64_t balance, int64_t version) {
    if (number == 0) {
        return;
    }
    CHECK(pthread_mutex_lock(&mutex) == 0);
    struct recent_write *write = &writes[number % WRITES_KEPT];
    if (write->number == number) { // else it was overwritten by a newer write
        write->state = written ? WRITE_DONE : WRITE_NONE;
        write->balance = balance;
        write->version = version;
        write->answered_ns = clock_monotonic_ns();
    }
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

struct wanted {
    const struct transfer_request *raced;
    const char *account;
    int64_t balance;
    int64_t version;
};

// An older write that left the same balance is not the one: the raced transfer has read it.
static bool is_wanted(const struct recent_write *write, const struct wanted *wanted) {
    bool has_versions = wanted->version != WRITE_VERSION_UNKNOWN && write->version != WRITE_VERSION_UNKNOWN;
    return write->state == WRITE_DONE && write->answered_ns > wanted->raced->received_ns &&
           (has_versions ? write->version == wanted->version : write->balance == wanted->balance);
}

// Returns the newest wanted write, or NULL. `is_pending` is set if the answer to one may be missing.
static const struct recent_write *search(const struct wanted *wanted, bool *is_pending) {
    *is_pending = false;
    uint64_t count = MIN(last_number, WRITES_KEPT);
    for (uint64_t i = 0; i < count; i++) {
        const struct recent_write *write = &writes[(last_number - i) % WRITES_KEPT];
        if (strcmp(write->account, wanted->account) != 0 || strcmp(write->transfer_id, wanted->raced->id) == 0) {
            continue;
        }
        if (is_wanted(write, wanted)) {
            return write;
        }
        *is_pending |= write->state == WRITE_SENT;
    }
    return NULL;
}

bool recent_writes_find(const struct transfer_request *raced, const char *account, int64_t balance, int64_t version,
                        char out[TRANSFER_ID_LENGTH + 1]) {
    struct wanted wanted = {raced, account, balance, version};
    bool found = false;
    bool is_pending = log_shows_fields(LOG_LEVEL_WARN);
    for (unsigned i = 0; i < FIND_TRIES && is_pending && !found; i++) {
        if (i > 0) {
            (void)usleep(FIND_PAUSE_US);
        }
        CHECK(pthread_mutex_lock(&mutex) == 0);
        const struct recent_write *write = search(&wanted, &is_pending);
        found = write != NULL;
        if (found) {
            (void)snprintf(out, TRANSFER_ID_LENGTH + 1, "%s", write->transfer_id);
        }
        CHECK(pthread_mutex_unlock(&mutex) == 0);
    }
    return found;
}
