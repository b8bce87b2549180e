// Accepts connections and watches over their deadlines. Loop thread.
#include "server/server_internal.h"

#include "observability/base/clock.h"
#include "observability/log/log.h"
#include "server/events/events.h"
#include "server/http/conn.h"
#include "server/http/listen_socket.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WRITE_BUFFER_KEPT (64 * 1024) // an answer larger than this gives its memory back

// As many connections as the limits allow, after raising the soft limit on descriptors as far as it goes.
static unsigned connection_limit(unsigned sessions) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t wanted = CONNECTIONS_MAX + DESCRIPTORS_RESERVED + sessions;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    rlim_t reserved = DESCRIPTORS_RESERVED + sessions;
    rlim_t left = limit.rlim_cur > reserved + 1 ? limit.rlim_cur - reserved : 1;
    return left < CONNECTIONS_MAX ? (unsigned)left : CONNECTIONS_MAX;
}

static void on_signal(uv_signal_t *signal, int number) {
    log_write(LOG_LEVEL_INFO, NULL, "Stopping on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    server_stop(signal->data);
}

// Again and again, because somebody may set the clock.
static void learn_realtime(struct server *server) {
    server->realtime_offset_ms = clock_realtime_us() / 1000 - (int64_t)uv_now(server->loop);
}

static void on_sweep(uv_timer_t *timer) {
    struct server *server = CONTAINER_OF(timer, struct server, sweep);
    uint64_t now_ms = uv_now(server->loop);
    learn_realtime(server);
    struct conn *next;
    for (struct conn *conn = server->connections; conn != NULL; conn = next) {
        next = conn->next;
        conn_check_deadline(conn, now_ms);
    }
    events_sweep(server->api->events);
}

struct server *server_new(uv_loop_t *loop, struct bank_api *api) {
    static const int numbers[] = {SIGTERM, SIGINT};
    struct server *server = memory_allocate_zeroed(sizeof *server);
    server->loop = loop;
    server->api = api;
    server->connection_limit = connection_limit(pool_sessions(api->pool));
    uv_update_time(loop);
    learn_realtime(server);
    CHECK(uv_tcp_init(loop, &server->listener) == 0);
    CHECK(uv_timer_init(loop, &server->sweep) == 0);
    CHECK(uv_timer_init(loop, &server->stop_timer) == 0);
    CHECK(uv_timer_start(&server->sweep, on_sweep, SWEEP_INTERVAL_MS, SWEEP_INTERVAL_MS) == 0);
    for (size_t i = 0; i < 2; i++) {
        server->signals[i].data = server;
        CHECK(uv_signal_init(loop, &server->signals[i]) == 0);
        CHECK(uv_signal_start(&server->signals[i], on_signal, numbers[i]) == 0);
    }
    return server;
}

void server_free(struct server *server) {
    CHECK(server->connections == NULL);
    text_free(&server->write_buffer);
    free(server);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct server *server = CONTAINER_OF(listener, struct server, listener);
    if (status == 0) {
        conn_accept(server, listener);
    } else {
        log_write(LOG_LEVEL_WARN, NULL, "A connection could not be accepted: %s", uv_strerror(status));
    }
}

static int listen_on(struct server *server, const char *host, uint16_t port) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return UV_EAI_NONAME;
    }
    int descriptor = listen_socket(found);
    freeaddrinfo(found);
    if (descriptor < 0) {
        return descriptor;
    }
    CHECK(uv_tcp_open(&server->listener, descriptor) == 0);
    return uv_listen((uv_stream_t *)&server->listener, LISTEN_BACKLOG, on_connection);
}

static uint16_t bound_port(struct server *server) {
    struct sockaddr_storage address;
    int size = sizeof address;
    CHECK(uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &size) == 0);
    in_port_t port = address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                   : ((struct sockaddr_in *)&address)->sin_port;
    return ntohs(port);
}

bool server_listen(struct server *server, struct text *problem) {
    const struct config *config = &server->api->config;
    int status = listen_on(server, config->host, config->port);
    if (status == UV_EADDRINUSE) {
        text_append_format(problem, "port %u on %s is taken: stop what listens there, or set BANK_API_PORT",
                           config->port, config->host);
    } else if (status != 0) {
        text_append_format(problem, "cannot listen on BANK_API_HOST=\"%s\" port %u: %s", config->host, config->port,
                           uv_strerror(status));
    } else {
        log_write(LOG_LEVEL_INFO, NULL, "Listening on http://%s:%u (%u workers, %u transfers at once)", config->host,
                  bound_port(server), pool_threads(server->api->pool), pool_transfer_slots(server->api->pool));
    }
    return status == 0;
}

bool server_is_stopping(const struct server *server) {
    return server->stage != STOP_NOT;
}

struct bank_api *server_api(struct server *server) {
    return server->api;
}

uv_buf_t server_read_buffer(struct server *server) {
    return uv_buf_init(server->read_buffer, sizeof server->read_buffer);
}

struct text *server_write_buffer(struct server *server) {
    if (server->write_buffer.capacity > WRITE_BUFFER_KEPT) {
        text_free(&server->write_buffer);
    } else {
        text_clear(&server->write_buffer);
    }
    return &server->write_buffer;
}

int64_t server_now_s(struct server *server) {
    return ((int64_t)uv_now(server->loop) + server->realtime_offset_ms) / 1000;
}

void server_add(struct server *server, struct conn *conn) {
    conn->previous = NULL;
    conn->next = server->connections;
    if (conn->next != NULL) {
        conn->next->previous = conn;
    }
    server->connections = conn;
    server->connection_count++;
}

void server_remove(struct server *server, struct conn *conn) {
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        server->connections = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    server->connection_count--;
}

bool server_is_full(const struct server *server) {
    return server->connection_count > server->connection_limit;
}
