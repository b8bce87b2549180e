// The barrier of all replicas: reports the waiters of this program, and releases them when the last one has arrived
// somewhere. The gate calls on_arrived() and on_left() on worker threads; everything else runs on the link's thread.
//
// The names of the waiters whose statements are on their way are found again by their flags.
#include "workers/limits.h"
#include "workers/replicas/replicas_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void wake_link(struct replicas *replicas) {
    if (replicas->has_wake) {
        (void)uv_async_send(&replicas->wake);
    }
}

static void on_arrived(void *user, const char *name, uint64_t version) {
    struct replicas *replicas = user;
    struct shared_waiter *waiter = memory_allocate_zeroed(sizeof *waiter);
    (void)snprintf(waiter->name, sizeof waiter->name, "%s", name);
    waiter->version = version;
    uv_mutex_lock(&replicas->mutex);
    STAILQ_INSERT_TAIL(&replicas->waiters, waiter, next);
    wake_link(replicas);
    uv_mutex_unlock(&replicas->mutex);
}

static struct shared_waiter *find(struct replicas *replicas, const char *name) {
    struct shared_waiter *each;
    STAILQ_FOREACH(each, &replicas->waiters, next) {
        if (strcmp(each->name, name) == 0) {
            return each;
        }
    }
    return NULL;
}

static void on_left(void *user, const char *name) {
    struct replicas *replicas = user;
    uv_mutex_lock(&replicas->mutex);
    struct shared_waiter *waiter = find(replicas, name);
    if (waiter != NULL) { // else it was released a moment ago
        waiter->leaves = true;
        wake_link(replicas);
    }
    uv_mutex_unlock(&replicas->mutex);
}

void barrier_use_outside(struct replicas *replicas) {
    replicas->outside = (struct gate_outside){.user = replicas, .arrived = on_arrived, .left = on_left};
    gate_use_outside(replicas->options.gate, &replicas->outside);
}

static void forget(struct replicas *replicas, struct shared_waiter *waiter) {
    STAILQ_REMOVE(&replicas->waiters, waiter, shared_waiter, next);
    free(waiter);
}

// --- Arrivals ---

// Takes the new waiters of one version of the gates. The others follow with the next statements.
static uint64_t take_arrivals(struct replicas *replicas, struct sql_array *names) {
    uint64_t version = 0;
    struct shared_waiter *each;
    uv_mutex_lock(&replicas->mutex);
    STAILQ_FOREACH(each, &replicas->waiters, next) {
        if (!each->was_sent && !each->leaves && (version == 0 || each->version == version)) {
            version = each->version;
            each->was_sent = true;
            sql_array_add(names, each->name);
        }
    }
    uv_mutex_unlock(&replicas->mutex);
    return version;
}

bool barrier_send_arrivals(struct replicas *replicas) {
    struct sql_array names = {0};
    uint64_t version = take_arrivals(replicas, &names);
    if (version > 0) {
        char gates[24];
        (void)snprintf(gates, sizeof gates, "%" PRIu64, version);
        const char *values[] = {replicas->options.name, sql_array_end(&names), gates};
        link_send(replicas, ERRAND_ARRIVALS,
                  (const struct db_async_call[]){{sql_replicas[REPLICAS_LOCK_BARRIER], NULL, 0},
                                                 {sql_replicas[REPLICAS_ARRIVE], values, 3},
                                                 {sql_replicas[REPLICAS_CLOSE_ROUNDS], NULL, 0}},
                  3);
    }
    text_free(&names.text);
    return version > 0;
}

// --- Waiters that leave ---

void barrier_dismiss_leaving(struct replicas *replicas) {
    struct shared_waiter_list leaving = STAILQ_HEAD_INITIALIZER(leaving);
    uv_mutex_lock(&replicas->mutex);
    struct shared_waiter *each = STAILQ_FIRST(&replicas->waiters);
    while (each != NULL) {
        struct shared_waiter *next = STAILQ_NEXT(each, next);
        bool is_counted = replicas->link.is_registered && each->was_sent;
        if (each->leaves && !is_counted) {
            STAILQ_REMOVE(&replicas->waiters, each, shared_waiter, next);
            STAILQ_INSERT_TAIL(&leaving, each, next);
        }
        each = next;
    }
    uv_mutex_unlock(&replicas->mutex);
    while ((each = STAILQ_FIRST(&leaving)) != NULL) {
        STAILQ_REMOVE_HEAD(&leaving, next);
        gate_dismiss(replicas->options.gate, each->name);
        free(each);
    }
}

bool barrier_send_withdrawals(struct replicas *replicas) {
    struct sql_array names = {0};
    bool has_one = false;
    struct shared_waiter *each;
    uv_mutex_lock(&replicas->mutex);
    STAILQ_FOREACH(each, &replicas->waiters, next) {
        if (each->leaves && each->was_sent && !each->is_withdrawing) {
            has_one = each->is_withdrawing = true;
            sql_array_add(&names, each->name);
        }
    }
    uv_mutex_unlock(&replicas->mutex);
    if (has_one) {
        const char *values[] = {replicas->options.name, sql_array_end(&names)};
        link_send(replicas, ERRAND_WITHDRAWAL,
                  (const struct db_async_call[]){{sql_replicas[REPLICAS_WITHDRAW], values, 2},
                                                 {sql_replicas[REPLICAS_CLOSED_OF], values, 2}},
                  2);
    }
    text_free(&names.text);
    return has_one;
}

static bool is_in(const struct db_async_answer *answer, const char *name) {
    for (int row = 0; row < db_async_rows(answer); row++) {
        if (strcmp(db_async_value(answer, row, 0), name) == 0) {
            return true;
        }
    }
    return false;
}

// A waiter whose round is closed stays: the notification of the round is on its way to this session.
void barrier_take_withdrawals(struct replicas *replicas) {
    const struct db_async_answer *closed = db_async_last_answer(replicas->link.session);
    struct shared_waiter *each;
    uv_mutex_lock(&replicas->mutex);
    STAILQ_FOREACH(each, &replicas->waiters, next) {
        if (each->is_withdrawing && !is_in(closed, each->name)) {
            each->was_sent = false; // barrier_dismiss_leaving() finds it
        }
    }
    uv_mutex_unlock(&replicas->mutex);
    barrier_dismiss_leaving(replicas);
}

// --- Releases ---

void barrier_release(struct replicas *replicas, const char *names, enum gate_release release) {
    char released[WORKER_THREADS_MAX][BARRIER_NAME_MAX + 1];
    uint32_t count = 0;
    uv_mutex_lock(&replicas->mutex);
    while (*names != '\0' && count < WORKER_THREADS_MAX) {
        size_t length = strcspn(names, " ");
        (void)snprintf(released[count], sizeof released[count], "%.*s", (int)length, names);
        struct shared_waiter *waiter = find(replicas, released[count++]);
        if (waiter != NULL) {
            forget(replicas, waiter);
        }
        names += length;
        names += *names == ' ';
    }
    uv_mutex_unlock(&replicas->mutex);
    gate_release_together(replicas->options.gate, released, count, release);
}

void barrier_forget_arrivals(struct replicas *replicas) {
    struct shared_waiter *each;
    uv_mutex_lock(&replicas->mutex);
    STAILQ_FOREACH(each, &replicas->waiters, next) {
        each->was_sent = each->is_withdrawing = false;
    }
    uv_mutex_unlock(&replicas->mutex);
}

void barrier_list_waiters(struct replicas *replicas, struct sql_array *names) {
    struct shared_waiter *each;
    uv_mutex_lock(&replicas->mutex);
    STAILQ_FOREACH(each, &replicas->waiters, next) {
        sql_array_add(names, each->name);
    }
    uv_mutex_unlock(&replicas->mutex);
}
