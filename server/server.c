// Accepts connections, enforces their deadlines with a timer, and shuts down in stages. Loop thread.
//
//   server_stop()   opens the gates, answers queued transfers with 503, closes the listener
//   grace           idle connections are read a moment longer, because a request may be on its way
//   draining        event streams end; a connection closes once it is idle, or after its answer
//   forced          the timeout has passed: jobs stop waiting for the database, and their clients get a last answer
//   closing         no connection and no job is left: the last handles close, and so the loop ends
#include "server/server.h"

#include "observability/base/base.h"
#include "observability/log/log.h"
#include "server/events/events.h"
#include "server/http/http.h"
#include "server/lesson/lesson.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum stop_stage {
    STOP_NOT,      // the server runs
    STOP_GRACE,    // the listener is closed; idle connections are read a moment longer
    STOP_DRAINING, // idle connections are closed; running requests may finish
    STOP_FORCED,   // the timeout has passed and the jobs were aborted
    STOP_CLOSING,  // no connection and no job is left; the last handles close
};

struct server {
    uv_loop_t *loop;
    struct bank_api *api;
    uv_tcp_t listener;
    uv_timer_t sweep;
    uv_timer_t stop_timer;
    uv_signal_t signals[2];
    enum stop_stage stage;
    struct conn_context connections;
};

// Raises the soft limit of descriptors as far as needed and allowed. Returns how many connections fit the limit.
static unsigned connection_limit(unsigned sessions) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t wanted = CONNECTIONS_MAX + DESCRIPTORS_RESERVED + sessions;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = MIN(limit.rlim_max, wanted);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    rlim_t reserved = DESCRIPTORS_RESERVED + sessions;
    rlim_t left = limit.rlim_cur > reserved + 1 ? limit.rlim_cur - reserved : 1;
    return left < CONNECTIONS_MAX ? (unsigned)left : CONNECTIONS_MAX;
}

// Stages only move forward; a stage may be skipped.
static void enter_stage(struct server *server, enum stop_stage stage) {
    CHECK(stage > server->stage);
    server->stage = stage;
    server->connections.is_stopping = true;
    server->connections.is_draining = stage >= STOP_DRAINING;
}

static void stop_after(struct server *server, uint64_t delay_ms, uv_timer_cb next) {
    CHECK(uv_timer_start(&server->stop_timer, next, delay_ms, 0) == 0);
}

static bool is_any(const struct conn *conn) {
    (void)conn;
    return true;
}

static void close_handle(uv_handle_t *handle) {
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

// Enters the last stage once no connection, no job and no lesson is left. Called whenever one of them ends.
static void continue_stopping(struct server *server) {
    if (server->stage == STOP_NOT || server->stage == STOP_CLOSING || server->connections.count > 0 ||
        !pool_is_idle(server->api->pool) || !lesson_has_ended(server->api->lesson)) {
        return;
    }
    enter_stage(server, STOP_CLOSING);
    pool_leave_loop(server->api->pool);
    events_leave_loop(server->api->events);
    if (server->api->replicas != NULL) {
        replicas_leave_loop(server->api->replicas);
    }
    close_handle((uv_handle_t *)&server->listener);
    close_handle((uv_handle_t *)&server->sweep);
    close_handle((uv_handle_t *)&server->stop_timer);
    for (size_t i = 0; i < 2; i++) {
        close_handle((uv_handle_t *)&server->signals[i]);
    }
}

// A job has finished, or the watch has stopped.
static void on_progress(void *owner) {
    continue_stopping(owner);
}

static void on_force_over(uv_timer_t *timer) {
    struct server *server = CONTAINER_OF(timer, struct server, stop_timer);
    conn_context_close(&server->connections, is_any);
    continue_stopping(server);
}

// Aborts the jobs and closes the connections that wait for a request. Called after the timeout, or at a second signal.
static void force(struct server *server) {
    if (server->stage == STOP_FORCED || server->stage == STOP_CLOSING) {
        return;
    }
    enter_stage(server, STOP_FORCED);
    log_write(LOG_LEVEL_WARN, NULL, "Shutdown: aborting the running jobs, %u connections are open",
              server->connections.count);
    pool_abort(server->api->pool);
    lesson_kill(server->api->lesson);
    events_end(server->api->events);
    conn_context_close(&server->connections, conn_is_reading);
    stop_after(server, SHUTDOWN_FORCE_MS, on_force_over);
}

static void on_drain_over(uv_timer_t *timer) {
    force(CONTAINER_OF(timer, struct server, stop_timer));
}

static void on_grace_over(uv_timer_t *timer) {
    struct server *server = CONTAINER_OF(timer, struct server, stop_timer);
    enter_stage(server, STOP_DRAINING);
    // Not earlier, so that subscribers see the transfers that the opened gates released.
    events_end(server->api->events);
    conn_context_close(&server->connections, conn_is_idle);
    stop_after(server, server->api->config.shutdown_timeout_ms - SHUTDOWN_GRACE_MS, on_drain_over);
    continue_stopping(server);
}

void server_stop(struct server *server) {
    if (server->stage != STOP_NOT) {
        force(server);
        return;
    }
    enter_stage(server, STOP_GRACE);
    close_handle((uv_handle_t *)&server->listener);
    pool_on_finished(server->api->pool, on_progress, server);
    database_watch_stop(&server->api->watch, on_progress, server);
    pool_close(server->api->pool);
    lesson_close(server->api->lesson, on_progress, server);
    stop_after(server, SHUTDOWN_GRACE_MS, on_grace_over);
}

// --- The connections ---

static void on_request(struct conn *conn, const struct http_request *request) {
    request_dispatch(api_of(conn), conn, request);
}

static void on_request_ended(struct conn *conn, int status, uint64_t duration_ns) {
    http_metrics_publish(api_of(conn)->http_metrics, conn->route, conn->method, status, duration_ns);
}

static void on_unsubscribed(struct conn *conn) {
    event_stream_remove(conn->subscriber);
}

static void on_closed(struct conn_context *context) {
    continue_stopping(CONTAINER_OF(context, struct server, connections));
}

static const struct conn_callbacks callbacks = {
    .request = on_request,
    .request_ended = on_request_ended,
    .abandoned = conn_abandon_job,
    .unsubscribed = on_unsubscribed,
    .closed = on_closed,
};

// --- The start ---

static void on_signal(uv_signal_t *signal, int number) {
    log_event(LOG_LEVEL_INFO, "stopping", NULL, "Stopping on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    server_stop(signal->data);
}

static void on_sweep(uv_timer_t *timer) {
    struct server *server = CONTAINER_OF(timer, struct server, sweep);
    conn_context_sweep(&server->connections);
    events_sweep(server->api->events);
}

struct server *server_new(uv_loop_t *loop, struct bank_api *api) {
    static const int numbers[] = {SIGTERM, SIGINT};
    struct server *server = memory_allocate_zeroed(sizeof *server);
    server->loop = loop;
    server->api = api;
    conn_context_init(&server->connections, loop, &callbacks, api, connection_limit(pool_sessions(api->pool)));
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
    conn_context_free(&server->connections);
    free(server);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct server *server = CONTAINER_OF(listener, struct server, listener);
    if (status == 0) {
        conn_accept(&server->connections, listener);
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

uint16_t server_port(const struct server *server) {
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
        log_event(LOG_LEVEL_INFO, "listening", NULL, "Listening on http://%s:%u (%u workers, %u transfers at once)",
                  config->host, server_port(server), pool_threads(server->api->pool),
                  pool_transfer_slots(server->api->pool));
    }
    return status == 0;
}

bool server_is_stopping(const struct server *server) {
    return server->stage != STOP_NOT;
}
