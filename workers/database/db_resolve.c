// Resolves the names of hosts. getaddrinfo() cannot be interrupted while it waits for a name server that does not
// answer. So a detached thread calls it, and a worker waits for that thread until its deadline or db_abort(); a loop
// watches the descriptor. The thread ends by itself, and the last holder frees the lookup. Any thread.
#include "workers/database/database_internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOKUP_STACK_SIZE (256 * 1024)

struct db_lookup {
    char *host;
    int done_fd; // readable when the thread has finished
    _Atomic bool is_done;
    _Atomic unsigned holders;
    int error; // result of getaddrinfo(); the thread writes this and `found` before `is_done`
    struct addrinfo *found;
};

void db_lookup_release(struct db_lookup *lookup) {
    if (lookup == NULL || atomic_fetch_sub(&lookup->holders, 1) > 1) {
        return;
    }
    if (lookup->found != NULL) {
        freeaddrinfo(lookup->found);
    }
    (void)close(lookup->done_fd);
    free(lookup->host);
    free(lookup);
}

static void *lookup_run(void *argument) {
    struct db_lookup *lookup = argument;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->error = getaddrinfo(lookup->host, NULL, &hints, &lookup->found);
    atomic_store(&lookup->is_done, true);
    uint64_t one = 1;
    CHECK(write(lookup->done_fd, &one, sizeof one) == (ssize_t)sizeof one);
    db_lookup_release(lookup);
    return NULL;
}

static bool start_thread(struct db_lookup *lookup) {
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    CHECK(pthread_attr_init(&attributes) == 0 && sigfillset(&all) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, LOOKUP_STACK_SIZE) == 0);
    // The new thread inherits the mask: only the loop handles signals.
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    pthread_t thread;
    bool started = pthread_create(&thread, &attributes, lookup_run, lookup) == 0;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0 && pthread_attr_destroy(&attributes) == 0);
    return started;
}

struct db_lookup *db_lookup_new(const char *host) {
    struct db_lookup *lookup = memory_allocate_zeroed(sizeof *lookup);
    lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lookup->done_fd < 0) {
        free(lookup);
        return NULL;
    }
    lookup->host = strdup(host);
    CHECK(lookup->host != NULL);
    atomic_init(&lookup->holders, 2); // the caller and the thread
    if (!start_thread(lookup)) {
        atomic_store(&lookup->holders, 1);
        db_lookup_release(lookup);
        return NULL;
    }
    return lookup;
}

struct db_lookup *db_lookup_begin(struct db *db, size_t endpoint) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    struct db_lookup **slot = &db->lookups[endpoint];
    if (*slot != NULL && !atomic_load(&(*slot)->is_done)) {
        atomic_fetch_add(&(*slot)->holders, 1);
    } else {
        db_lookup_release(*slot);
        *slot = db_lookup_new(db->parameters.endpoints[endpoint].host);
        if (*slot != NULL) {
            atomic_fetch_add(&(*slot)->holders, 1); // the slot and the caller
        }
    }
    struct db_lookup *lookup = *slot;
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    return lookup;
}

int db_lookup_descriptor(const struct db_lookup *lookup) {
    return lookup->done_fd;
}

bool db_lookup_is_done(const struct db_lookup *lookup) {
    return atomic_load(&lookup->is_done);
}

int db_lookup_result(const struct db_lookup *lookup, const struct addrinfo **found) {
    CHECK(db_lookup_is_done(lookup));
    *found = lookup->found;
    return lookup->error;
}

bool db_lookup_await(struct db *db, struct db_lookup *lookup, uint64_t deadline_ns, int *error,
                     const struct addrinfo **found) {
    if (!db_wait_for(db, lookup->done_fd, POLLIN, deadline_ns) || !db_lookup_is_done(lookup)) {
        return false;
    }
    *error = db_lookup_result(lookup, found);
    return true;
}
