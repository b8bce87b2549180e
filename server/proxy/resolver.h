// Finds the addresses of the servers, for each connection anew: a name may change. Loop thread.
//
// The lookup of a name has a thread of its own (db_lookup_new), so a name server that does not answer delays only the
// connections that need it. They share one lookup.
#ifndef SERVER_PROXY_RESOLVER_H
#define SERVER_PROXY_RESOLVER_H

#include "workers/database/database.h"

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

struct resolver;
struct resolver_query;
struct resolver_lookup;

// The callback owns `addresses`. NULL: `problem` says why there are none.
typedef void resolver_done(struct resolver_query *query, struct db_addresses *addresses, const char *problem);

// One question. The caller embeds it.
struct resolver_query {
    TAILQ_ENTRY(resolver_query) link;
    struct resolver_lookup *lookup; // the lookup that it waits for; NULL: none
    resolver_done *done;
};

MUST_CHECK struct resolver *resolver_new(uv_loop_t *loop, const struct db_servers *servers);
// `done` is called before the return if the server has no name, else later.
void resolver_ask(struct resolver *resolver, size_t server, struct resolver_query *query, resolver_done *done);
MUST_CHECK bool resolver_is_asked(const struct resolver_query *query);
void resolver_forget(struct resolver_query *query); // `done` will not be called
void resolver_close(struct resolver *resolver);     // leaves the loop; no query is open
void resolver_free(struct resolver *resolver);      // after the loop has ended

#endif
