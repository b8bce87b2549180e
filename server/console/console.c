// Makes the parts of the console, and passes on what the relay reports.
#include "server/console/console_internal.h"

#include "observability/log/log.h"

#include <netdb.h>
#include <stdlib.h>

static void on_unit_began(void *owner, struct unit *unit) {
    console_spans_began(owner, unit);
}

static void on_unit_ended(void *owner, const struct unit *unit) {
    console_spans_ended(owner, unit);
}

static void on_statement(void *owner) {
    struct console *console = owner;
    metric_add(console->metrics.statements, 1);
}

static const struct record_callbacks record_callbacks = {
    .began = on_unit_began,
    .ended = on_unit_ended,
    .statement = on_statement,
};

// --- The HTTP server ---

static void on_request(struct conn *conn, const struct http_request *request) {
    console_http_request(conn->context->user_data, conn, request);
}

static void on_request_ended(struct conn *conn, int status, uint64_t duration_ns) {
    (void)conn;
    (void)status;
    (void)duration_ns; // the requests of people and of Prometheus are not counted
}

static void on_nothing(struct conn *conn) {
    (void)conn; // there are no jobs and no subscribers
}

static void on_conn_closed(struct conn_context *context) {
    (void)context; // the loop ends by itself when the last connection has closed
}

static const struct conn_callbacks conn_callbacks = {
    .request = on_request,
    .request_ended = on_request_ended,
    .abandoned = on_nothing,
    .unsubscribed = on_nothing,
    .closed = on_conn_closed,
};

static void on_sweep(uv_timer_t *timer) {
    struct console *console = CONTAINER_OF(timer, struct console, sweep);
    record_sweep(&console->record, clock_monotonic_ns());
    conn_context_sweep(&console->connections);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct console *console = CONTAINER_OF(listener, struct console, listener);
    if (status == 0) {
        conn_accept(&console->connections, listener);
    }
}

static unsigned bound_port(struct console *console) {
    struct sockaddr_storage address;
    int size = sizeof address;
    CHECK(uv_tcp_getsockname(&console->listener, (struct sockaddr *)&address, &size) == 0);
    const void *bytes = &address;
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)bytes)->sin6_port
                                               : ((const struct sockaddr_in *)bytes)->sin_port);
}

int console_listen(struct console *console) {
    const char *host = console->options.host;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, console->options.port, &hints, &found) != 0) {
        return UV_EAI_NONAME;
    }
    int descriptor = listen_socket(found);
    freeaddrinfo(found);
    if (descriptor < 0) {
        return descriptor;
    }
    CHECK(uv_tcp_init(console->options.loop, &console->listener) == 0);
    CHECK(uv_tcp_open(&console->listener, descriptor) == 0);
    console->is_listening = true;
    int status = uv_listen((uv_stream_t *)&console->listener, LISTEN_BACKLOG, on_connection);
    if (status == 0) {
        bool is_6 = strchr(host, ':') != NULL;
        log_event(LOG_LEVEL_INFO, "console", NULL, "The page, /findings and /metrics are at http://%s%s%s:%u/",
                  is_6 ? "[" : "", host, is_6 ? "]" : "", bound_port(console));
    }
    return status;
}

// --- Begin and end ---

struct console *console_new(const struct console_options *options) {
    struct console *console = memory_allocate_zeroed(sizeof *console);
    console->options = *options;
    console->guard = (struct guard){.bind_host = options->host, .allowed_hosts = options->allowed_hosts};
    record_init(&console->record, &record_callbacks, console);
    console_metrics_init(console);
    console_spans_init(console);
    conn_context_init(&console->connections, options->loop, &conn_callbacks, console, CONSOLE_CONNECTIONS_MAX);
    CHECK(uv_timer_init(options->loop, &console->sweep) == 0);
    CHECK(uv_timer_start(&console->sweep, on_sweep, CONSOLE_SWEEP_MS, CONSOLE_SWEEP_MS) == 0);
    return console;
}

static bool is_any(const struct conn *conn) {
    (void)conn;
    return true;
}

void console_close(struct console *console) {
    if (console->is_listening) {
        uv_close((uv_handle_t *)&console->listener, NULL);
    }
    conn_context_close(&console->connections, is_any);
    uv_close((uv_handle_t *)&console->sweep, NULL);
}

void console_free(struct console *console) {
    record_free(&console->record);
    console_spans_free(console);
    console_metrics_free(console);
    conn_context_free(&console->connections);
    free(console);
}

// --- The reports of the relay ---

struct console_session *console_session_began(struct console *console, uint64_t number, struct slice database,
                                              uint32_t backend) {
    struct console_session *session = memory_allocate_zeroed(sizeof *session);
    session->console = console;
    session->record.number = number;
    session->record.backend = backend;
    memcpy(session->record.database, database.data, MIN(database.length, sizeof session->record.database - 1));
    record_open(&console->record, &session->record);
    return session;
}

void console_session_ended(struct console_session *session) {
    record_close(&session->record, clock_monotonic_ns());
    free(session);
}

void console_client_message(struct console_session *session, char type, struct slice body, const char *summary,
                            uint64_t now_ns) {
    record_client_message(&session->record, type, body, summary, now_ns);
}

void console_server_message(struct console_session *session, char type, struct slice body, uint64_t now_ns) {
    record_server_message(&session->record, type, body, now_ns);
}

void console_held(struct console_session *session, const char *place, uint64_t now_ns) {
    session->console->held++;
    session->held_ns = now_ns;
    record_held(&session->record, place, now_ns);
}

void console_let_go(struct console_session *session, const char *ending, uint64_t now_ns) {
    session->console->held--;
    record_let_go(&session->record, ending, now_ns);
    console_metrics_let_go(session->console, ending, now_ns - session->held_ns);
}

void console_waits(struct console_session *holder, uint32_t waiter) {
    record_waits(&holder->console->record, holder->record.number, waiter);
}

void console_finding(struct console *console, const struct sight_finding *finding) {
    const char *kind = sight_kind_name(finding->kind);
    const char *level = sight_level_name(finding->level);
    const struct found_side sides[] = {
        {finding->first.backend_pid, finding->first.read_ns, finding->first.write_ns},
        {finding->second.unit == 0 ? 0 : finding->second.backend_pid, finding->second.read_ns,
         finding->second.write_ns},
    };
    (void)record_find_units(&console->record, finding->id, kind, level, sides);
    console_metrics_finding(console, kind, level);
}
