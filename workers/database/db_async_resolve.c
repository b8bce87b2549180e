// Resolves the host names of connection parameters while the loop runs: PQconnectStart() would block while a name
// server does not answer.
//
// getaddrinfo() cannot be interrupted, so a detached thread calls it. The thread ends by itself, and the last holder
// frees the lookup.
#include "workers/database/database_internal.h"
#include "workers/database/db_async_internal.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOKUP_STACK_SIZE (256 * 1024)

struct lookup {
    struct db_parameters parameters;
    int done_fd; // readable when the thread has finished
    _Atomic unsigned holders;
    struct db_async_hosts hosts; // the thread writes this and `problem` before `done_fd`
    struct text problem;         // the first name that is not found
};

void db_async_hosts_free(struct db_async_hosts *hosts) {
    text_free(&hosts->names);
    text_free(&hosts->addresses);
    text_free(&hosts->ports);
}

static void release(struct lookup *lookup) {
    if (atomic_fetch_sub(&lookup->holders, 1) > 1) {
        return;
    }
    db_parameters_free(&lookup->parameters);
    db_async_hosts_free(&lookup->hosts);
    text_free(&lookup->problem);
    (void)close(lookup->done_fd);
    free(lookup);
}

static void add(struct db_async_hosts *hosts, const struct db_endpoint *endpoint, const char *address) {
    const char *comma = hosts->count++ == 0 ? "" : ",";
    text_append_format(&hosts->names, "%s%s", comma, endpoint->host == NULL ? "" : endpoint->host);
    text_append_format(&hosts->addresses, "%s%s", comma, address == NULL ? "" : address);
    text_append_format(&hosts->ports, "%s%s", comma, endpoint->port == NULL ? "" : endpoint->port);
}

static bool is_name(const struct db_endpoint *endpoint) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return endpoint->hostaddr == NULL && endpoint->host != NULL && endpoint->host[0] != '/' &&
           endpoint->host[0] != '@' && inet_pton(AF_INET, endpoint->host, bytes) != 1 &&
           inet_pton(AF_INET6, endpoint->host, bytes) != 1;
}

static void add_addresses(struct lookup *lookup, const struct db_endpoint *endpoint) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(endpoint->host, NULL, &hints, &found);
    if (error != 0) {
        if (lookup->problem.length == 0) {
            text_append_format(&lookup->problem, "could not translate host name \"%s\" to address: %s", endpoint->host,
                               gai_strerror(error));
        }
        return;
    }
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        char address[NI_MAXHOST];
        if (getnameinfo(each->ai_addr, each->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) == 0) {
            add(&lookup->hosts, endpoint, address);
        }
    }
    freeaddrinfo(found);
}

static void *run(void *argument) {
    struct lookup *lookup = argument;
    for (size_t i = 0; i < lookup->parameters.endpoint_count; i++) {
        const struct db_endpoint *endpoint = &lookup->parameters.endpoints[i];
        if (is_name(endpoint)) {
            add_addresses(lookup, endpoint);
        } else {
            add(&lookup->hosts, endpoint, endpoint->hostaddr);
        }
    }
    uint64_t one = 1;
    CHECK(write(lookup->done_fd, &one, sizeof one) == (ssize_t)sizeof one);
    release(lookup);
    return NULL;
}

static bool start_thread(struct lookup *lookup) {
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    CHECK(pthread_attr_init(&attributes) == 0 && sigfillset(&all) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, LOOKUP_STACK_SIZE) == 0);
    // The new thread inherits the mask: only the loop handles signals.
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    pthread_t thread;
    bool started = pthread_create(&thread, &attributes, run, lookup) == 0;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0 && pthread_attr_destroy(&attributes) == 0);
    return started;
}

static bool has_names(const struct db_parameters *parameters) {
    bool found = false;
    for (size_t i = 0; i < parameters->endpoint_count; i++) {
        found |= is_name(&parameters->endpoints[i]);
    }
    return found;
}

static bool is_done(const struct lookup *lookup) {
    struct pollfd polled = {.fd = lookup->done_fd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

static bool await(uv_loop_t *loop, const struct lookup *lookup, const bool *is_stopped, struct text *problem) {
    uint64_t began_ns = clock_monotonic_ns();
    uint64_t limit_ns = lookup->parameters.connect_timeout_ns * lookup->parameters.endpoint_count;
    while (!is_done(lookup)) {
        if (is_stopped != NULL && *is_stopped) {
            text_append_string(problem, "interrupted");
            return false;
        }
        if (limit_ns > 0 && clock_monotonic_ns() - began_ns > limit_ns) {
            text_append_string(problem, "the name server did not answer within connect_timeout");
            return false;
        }
        db_async_run_loop(loop, lookup->done_fd, POLLIN, 200);
    }
    return true;
}

bool db_async_resolve(uv_loop_t *loop, const char *conninfo, const bool *is_stopped, struct db_async_hosts *hosts,
                      struct text *problem) {
    *hosts = (struct db_async_hosts){0};
    struct lookup *lookup = memory_allocate_zeroed(sizeof *lookup);
    struct text ignored = {0};
    bool is_read = db_parameters_read(conninfo, &lookup->parameters, &ignored);
    text_free(&ignored);
    lookup->done_fd = is_read && has_names(&lookup->parameters) ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (lookup->done_fd < 0) { // there is nothing to resolve, or libpq names the mistake
        db_parameters_free(&lookup->parameters);
        free(lookup);
        return true;
    }
    atomic_init(&lookup->holders, 2); // the caller and the thread
    if (!start_thread(lookup)) {
        atomic_store(&lookup->holders, 1);
        release(lookup);
        return true; // libpq resolves
    }
    bool good = await(loop, lookup, is_stopped, problem);
    if (good && lookup->hosts.count == 0) {
        text_append_slice(problem, text_slice(&lookup->problem));
        good = false;
    } else if (good) {
        *hosts = lookup->hosts;
        lookup->hosts = (struct db_async_hosts){0};
    }
    release(lookup);
    return good;
}
