// Opens a connection while the loop runs, so that a signal ends the wait for a server that does not answer.
//
// Each round polls the socket of the connection together with the descriptor of the loop. libpq may change the socket
// in each round, so it is no handle of the loop.
#include "workers/database/db_async_internal.h"

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

// Later parameters replace those of `conninfo`. TLS and the password file still use the names.
static PGconn *start(const char *conninfo, struct db_async_hosts *hosts) {
    if (hosts->count == 0) {
        return PQconnectStart(conninfo);
    }
    const char *keywords[] = {"dbname", "host", "hostaddr", "port", NULL};
    const char *values[] = {conninfo, text_terminated(&hosts->names), text_terminated(&hosts->addresses),
                            text_terminated(&hosts->ports), NULL};
    return PQconnectStartParams(keywords, values, 1);
}

PGconn *db_async_connect(uv_loop_t *loop, const char *conninfo, struct db_async_hosts *hosts, const bool *is_stopped,
                         struct text *problem) {
    PGconn *connection = start(conninfo, hosts);
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
