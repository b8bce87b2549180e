// The end: nobody new, everybody under way to their answer, and then nothing left. Loop thread.
//
//   server_stop()   gates open, queued transfers get their 503, the listener closes
//   grace           idle connections are read a moment longer: their next request may be on the wire
//   draining        readers of events are told; idle connections close as they fall idle; the others end with their answer
//   forced          the time is over: jobs stop waiting for the database, and their clients get a last answer
//   closing         no connection, no job: the last handles close, and the loop ends by itself
#include "observability/log/log.h"
#include "server/events/events.h"
#include "server/http/conn.h"
#include "server/server_internal.h"

static void stop_after(struct server *server, uint64_t delay_ms, uv_timer_cb next) {
    CHECK(uv_timer_start(&server->stop_timer, next, delay_ms, 0) == 0);
}

static bool is_any(const struct conn *conn) {
    (void)conn;
    return true;
}

static void close_connections(struct server *server, bool (*which)(const struct conn *conn)) {
    struct conn *next;
    for (struct conn *conn = server->connections; conn != NULL; conn = next) {
        next = conn->next;
        if (which(conn)) {
            conn_close(conn);
        }
    }
}

static void close_handle(uv_handle_t *handle) {
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void server_continue_stopping(struct server *server) {
    if (server->stage == STOP_NOT || server->stage == STOP_CLOSING || server->connection_count > 0 ||
        !pool_is_idle(server->api->pool)) {
        return;
    }
    server->stage = STOP_CLOSING;
    pool_leave_loop(server->api->pool);
    events_leave_loop(server->api->events);
    close_handle((uv_handle_t *)&server->listener);
    close_handle((uv_handle_t *)&server->sweep);
    close_handle((uv_handle_t *)&server->stop_timer);
    for (size_t i = 0; i < 2; i++) {
        close_handle((uv_handle_t *)&server->signals[i]);
    }
}

bool server_is_draining(const struct server *server) {
    return server->stage >= STOP_DRAINING;
}

static void on_job_finished(void *owner) {
    server_continue_stopping(owner);
}

static void watch_stopped(void *owner) {
    server_continue_stopping(owner);
}

static void on_force_over(uv_timer_t *timer) {
    struct server *server = CONTAINER_OF(timer, struct server, stop_timer);
    close_connections(server, is_any);
    server_continue_stopping(server);
}

static void force(struct server *server) {
    if (server->stage == STOP_FORCED || server->stage == STOP_CLOSING) {
        return;
    }
    server->stage = STOP_FORCED;
    log_write(LOG_LEVEL_WARN, NULL, "Shutdown: time is over with %u connections open", server->connection_count);
    pool_abort(server->api->pool);
    events_end(server->api->events);
    close_connections(server, conn_is_reading);
    stop_after(server, SHUTDOWN_FORCE_MS, on_force_over);
}

static void on_drain_over(uv_timer_t *timer) {
    force(CONTAINER_OF(timer, struct server, stop_timer));
}

static void on_grace_over(uv_timer_t *timer) {
    struct server *server = CONTAINER_OF(timer, struct server, stop_timer);
    server->stage = STOP_DRAINING;
    events_end(server->api->events); // what the opened gates let go was told
    close_connections(server, conn_is_idle);
    stop_after(server, server->api->config.shutdown_timeout_ms - SHUTDOWN_GRACE_MS, on_drain_over);
    server_continue_stopping(server);
}

void server_stop(struct server *server) {
    if (server->stage != STOP_NOT) {
        force(server);
        return;
    }
    server->stage = STOP_GRACE;
    close_handle((uv_handle_t *)&server->listener);
    pool_on_finished(server->api->pool, on_job_finished, server);
    database_watch_stop(&server->api->watch, watch_stopped, server);
    pool_close(server->api->pool);
    stop_after(server, SHUTDOWN_GRACE_MS, on_grace_over);
}
