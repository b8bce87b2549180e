// Opens a connection while the loop runs, so that a signal ends the wait for a server that does not answer.
//
// Each round polls the socket of the connection together with the descriptor of the loop. libpq may change the socket
// in each round, so it is no handle of the loop. libpq would resolve names itself, in a call that blocks, so it gets
// addresses.
#include "workers/database/db_async_internal.h"

#include "workers/database/db_address.h"

#include <netdb.h>
#include <poll.h>
#include <stdlib.h>

void db_async_run_loop(uv_loop_t *loop, int descriptor, short events, int milliseconds) {
    (void)uv_run(loop, UV_RUN_NOWAIT); // also puts new handles under the loop's descriptor
    int timer = uv_backend_timeout(loop);
    struct pollfd polled[] = {{.fd = uv_backend_fd(loop), .events = POLLIN}, {.fd = descriptor, .events = events}};
    (void)poll(polled, descriptor < 0 ? 1 : 2, timer >= 0 && timer < milliseconds ? timer : milliseconds);
    (void)uv_run(loop, UV_RUN_NOWAIT);
}

// libpq's own time limit holds only for its blocking functions. 0: there is none.
static uint64_t time_limit_ns(PGconn *connection) {
    PQconninfoOption *options = PQconninfo(connection);
    uint64_t seconds = 0;
    uint64_t hosts = 1;
    for (PQconninfoOption *each = options; each != NULL && each->keyword != NULL; each++) {
        const char *value = each->val == NULL ? "" : each->val;
        if (strcmp(each->keyword, "connect_timeout") == 0) {
            long given = strtol(value, NULL, 10);
            seconds = given <= 0 ? 0 : (uint64_t)MAX(given, 2L); // as libpq
        } else if (strcmp(each->keyword, "host") == 0) {
            for (const char *comma = value; (comma = strchr(comma, ',')) != NULL; comma++) {
                hosts++;
            }
        }
    }
    PQconninfoFree(options);
    return seconds * hosts * 1000000000;
}

static bool finish(uv_loop_t *loop, PGconn *connection, const bool *is_stopped, struct text *problem) {
    uint64_t began_ns = clock_monotonic_ns();
    uint64_t limit_ns = time_limit_ns(connection);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(connection) != CONNECTION_BAD && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
        if (is_stopped != NULL && *is_stopped) {
            text_append_string(problem, "interrupted");
            return false;
        }
        if (limit_ns > 0 && clock_monotonic_ns() - began_ns > limit_ns) {
            text_append_string(problem, "the server did not answer within connect_timeout");
            return false;
        }
        short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        db_async_run_loop(loop, PQsocket(connection), events, 200);
        struct pollfd ready = {.fd = PQsocket(connection), .events = events};
        if (poll(&ready, 1, 0) != 0) {
            next = PQconnectPoll(connection);
        }
    }
    return PQstatus(connection) == CONNECTION_OK && PQsetnonblocking(connection, 1) == 0;
}

// --- Names ---

// libpq's lists of servers. A server with several addresses is in them several times.
struct server_lists {
    struct text hosts, addresses, ports;
};

static void add_server(struct server_lists *out, const struct db_servers *servers, size_t server,
                       const struct db_addresses *addresses) {
    const char *host = db_server_host(servers, server);
    for (size_t i = 0; i < addresses->count; i++) {
        const struct sockaddr_storage *address = &addresses->list[i].address;
        char numbers[NI_MAXHOST] = "";
        if (address->ss_family != AF_UNIX) {
            (void)getnameinfo((const struct sockaddr *)address, sizeof *address, numbers, sizeof numbers, NULL, 0,
                              NI_NUMERICHOST);
        }
        const char *comma = out->ports.length == 0 ? "" : ",";
        text_append_format(&out->hosts, "%s%s", comma, host == NULL ? "" : host);
        text_append_format(&out->addresses, "%s%s", comma, numbers);
        text_append_format(&out->ports, "%s%s", comma, db_server_port(servers, server));
    }
}

// One wait for the addresses of all servers.
struct lookup_wait {
    const bool *is_stopped; // may be NULL
    uint64_t began_ns, limit_ns;
};

// False: `problem` says why the wait is over.
static bool await_lookup(uv_loop_t *loop, const struct db_lookup *lookup, const struct lookup_wait *limits,
                         struct text *problem) {
    while (lookup != NULL && !db_lookup_is_done(lookup)) {
        if (limits->is_stopped != NULL && *limits->is_stopped) {
            text_append_string(problem, "interrupted");
            return false;
        }
        if (limits->limit_ns > 0 && clock_monotonic_ns() - limits->began_ns > limits->limit_ns) {
            text_append_string(problem, "the name server did not answer within connect_timeout");
            return false;
        }
        db_async_run_loop(loop, db_lookup_descriptor(lookup), POLLIN, 200);
    }
    return true;
}

// A server that has no address now is left out. False: there is none that has, and `problem` says why.
static bool list_servers(uv_loop_t *loop, const struct db_servers *servers, const bool *is_stopped,
                         struct server_lists *out, struct text *problem) {
    struct lookup_wait limits = {is_stopped, clock_monotonic_ns(), db_servers_timeout_ns(servers)};
    struct text words = {0};
    bool continues = true;
    for (size_t i = 0; i < db_servers_count(servers) && continues; i++) {
        struct db_lookup *lookup = db_server_has_name(servers, i) ? db_lookup_new(db_server_host(servers, i)) : NULL;
        continues = await_lookup(loop, lookup, &limits, problem);
        if (continues) {
            text_append_string(&words, words.length == 0 ? "" : "; ");
            struct db_addresses *addresses = db_server_addresses(servers, i, lookup, &words);
            if (addresses != NULL) {
                add_server(out, servers, i, addresses);
            }
            free(addresses);
        }
        db_lookup_release(lookup);
    }
    bool has_one = continues && out->ports.length > 0;
    if (continues && !has_one) {
        text_append_slice(problem, text_slice(&words));
    }
    text_free(&words);
    return has_one;
}

static bool have_names(const struct db_servers *servers) {
    for (size_t i = 0; i < db_servers_count(servers); i++) {
        if (db_server_has_name(servers, i)) {
            return true;
        }
    }
    return false;
}

// NULL: `problem` says why.
static PGconn *start(uv_loop_t *loop, const char *conninfo, const bool *is_stopped, struct text *problem) {
    struct text refused = {0};
    struct db_servers *servers = db_servers_read(conninfo[0] == '\0' ? NULL : conninfo, &refused);
    text_free(&refused);
    if (servers == NULL || !have_names(servers)) { // libpq says what is wrong
        db_servers_free(servers);
        return PQconnectStart(conninfo);
    }
    struct server_lists lists = {0};
    PGconn *connection = NULL;
    if (list_servers(loop, servers, is_stopped, &lists, problem)) {
        const char *keywords[] = {"dbname", "host", "hostaddr", "port", NULL};
        const char *values[] = {conninfo, text_terminated(&lists.hosts), text_terminated(&lists.addresses),
                                text_terminated(&lists.ports), NULL};
        connection = PQconnectStartParams(keywords, values, 1);
    }
    text_free(&lists.hosts);
    text_free(&lists.addresses);
    text_free(&lists.ports);
    db_servers_free(servers);
    return connection;
}

PGconn *db_async_connect(uv_loop_t *loop, const char *conninfo, const bool *is_stopped, struct text *problem) {
    PGconn *connection = start(loop, conninfo, is_stopped, problem);
    if (connection == NULL) {
        return NULL;
    }
    size_t before = problem->length;
    if (finish(loop, connection, is_stopped, problem)) {
        return connection;
    }
    struct slice words = slice_of(problem->length > before ? "" : PQerrorMessage(connection));
    for (size_t i = 0; i < words.length; i++) {
        char byte = words.data[i] == '\n' ? ' ' : words.data[i];
        text_append(problem, &byte, i + 1 == words.length && byte == ' ' ? 0 : 1);
    }
    PQfinish(connection);
    return NULL;
}
