// resolver_ask() > start(), or it joins the running lookup > on_done() > the callback of each query.
#include "server/proxy/resolver.h"

#include <stdlib.h>

struct resolver_lookup {
    uv_poll_t poll; // watches the descriptor of the lookup
    struct resolver *resolver;
    size_t server;
    struct db_lookup *lookup;
    TAILQ_HEAD(, resolver_query) queries;
};

struct resolver {
    uv_loop_t *loop;
    const struct db_servers *servers;
    struct resolver_lookup **running; // one for each server; NULL: none
};

struct resolver *resolver_new(uv_loop_t *loop, const struct db_servers *servers) {
    struct resolver *resolver = memory_allocate_zeroed(sizeof *resolver);
    resolver->loop = loop;
    resolver->servers = servers;
    resolver->running = memory_allocate_zeroed(db_servers_count(servers) * sizeof(struct resolver_lookup *));
    return resolver;
}

static void answer(const struct resolver *resolver, size_t server, const struct db_lookup *lookup,
                   struct resolver_query *query) {
    struct text problem = {0};
    query->lookup = NULL;
    query->done(query, db_server_addresses(resolver->servers, server, lookup, &problem), text_terminated(&problem));
    text_free(&problem);
}

static void on_closed(uv_handle_t *handle) {
    struct resolver_lookup *running = CONTAINER_OF((uv_poll_t *)handle, struct resolver_lookup, poll);
    db_lookup_release(running->lookup);
    free(running);
}

// Later queries begin a lookup of their own.
static void detach(struct resolver_lookup *running) {
    running->resolver->running[running->server] = NULL;
    uv_close((uv_handle_t *)&running->poll, on_closed);
}

static void on_done(uv_poll_t *poll, int status, int events) {
    struct resolver_lookup *running = CONTAINER_OF(poll, struct resolver_lookup, poll);
    (void)events;
    if (status == 0 && !db_lookup_is_done(running->lookup)) {
        return;
    }
    detach(running);
    struct resolver_query *query;
    while ((query = TAILQ_FIRST(&running->queries)) != NULL) {
        TAILQ_REMOVE(&running->queries, query, link);
        answer(running->resolver, running->server, status == 0 ? running->lookup : NULL, query);
    }
}

// NULL: no thread or descriptor is left.
static struct resolver_lookup *start(struct resolver *resolver, size_t server) {
    struct db_lookup *lookup = db_lookup_new(db_server_host(resolver->servers, server));
    if (lookup == NULL) {
        return NULL;
    }
    struct resolver_lookup *running = memory_allocate_zeroed(sizeof *running);
    *running = (struct resolver_lookup){.resolver = resolver, .server = server, .lookup = lookup};
    TAILQ_INIT(&running->queries);
    CHECK(uv_poll_init(resolver->loop, &running->poll, db_lookup_descriptor(lookup)) == 0);
    CHECK(uv_poll_start(&running->poll, UV_READABLE, on_done) == 0);
    return running;
}

void resolver_ask(struct resolver *resolver, size_t server, struct resolver_query *query, resolver_done *done) {
    query->done = done;
    struct resolver_lookup **running = &resolver->running[server];
    if (*running == NULL && db_server_has_name(resolver->servers, server)) {
        *running = start(resolver, server);
    }
    if (*running == NULL) {
        answer(resolver, server, NULL, query);
        return;
    }
    query->lookup = *running;
    TAILQ_INSERT_TAIL(&(*running)->queries, query, link);
}

bool resolver_is_asked(const struct resolver_query *query) {
    return query->lookup != NULL;
}

void resolver_forget(struct resolver_query *query) {
    if (query->lookup != NULL) {
        TAILQ_REMOVE(&query->lookup->queries, query, link);
        query->lookup = NULL;
    }
}

// A thread that still waits for a name server is not waited for.
void resolver_close(struct resolver *resolver) {
    for (size_t i = 0; i < db_servers_count(resolver->servers); i++) {
        if (resolver->running[i] != NULL) {
            CHECK(TAILQ_EMPTY(&resolver->running[i]->queries));
            detach(resolver->running[i]);
        }
    }
}

void resolver_free(struct resolver *resolver) {
    free(resolver->running);
    free(resolver);
}
