// Listens, accepts, and stops: relay_run() > listen_on(), the loop, and stop() at the first signal.
//
//   running    on_connection() makes a session of each client
//   draining   no new client; held sessions are let go; a session closes as soon as it is idle
//   closing    no session is left, or the time is over, or a second signal came: the last handles close
#include "server/proxy/relay.h"

#include "observability/log/log.h"
#include "server/http/http.h"
#include "server/proxy/session.h"
#include "server/proxy/tls.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

enum relay_stage { RELAY_RUNNING, RELAY_DRAINING, RELAY_CLOSING };

enum { SIGNALS = 3 };

struct relay {
    uv_loop_t *loop;
    const struct proxy_options *options;
    enum relay_stage stage;
    bool is_stopped;  // for the wait of hold_connect()
    bool is_starting; // does not listen yet
    struct session_context sessions;
    const struct relay_driver *driver; // NULL: there is none
    struct insight *insight;           // NULL: races are not looked for
    uv_tcp_t listener;
    uv_timer_t sweep;
    uv_timer_t stop_timer;
    uv_signal_t signals[SIGNALS];
};

static void close_handle(uv_handle_t *handle) {
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void enter_stage(struct relay *relay, enum relay_stage stage) {
    CHECK(stage > relay->stage);
    relay->stage = stage;
}

// Closes the last handles once no session is left.
static void continue_stopping(struct relay *relay) {
    if (relay->stage != RELAY_DRAINING || relay->sessions.count > 0) {
        return;
    }
    enter_stage(relay, RELAY_CLOSING);
    hold_close(relay->sessions.hold);
    resolver_close(relay->sessions.resolver);
    tls_context_close(relay->sessions.client_tls);
    tls_context_close(relay->sessions.server_tls);
    if (relay->insight != NULL) {
        insight_close(relay->insight);
    }
    if (relay->sessions.console != NULL) {
        console_close(relay->sessions.console);
    }
    close_handle((uv_handle_t *)&relay->sweep);
    close_handle((uv_handle_t *)&relay->stop_timer);
    for (size_t i = 0; i < SIGNALS; i++) {
        close_handle((uv_handle_t *)&relay->signals[i]);
    }
}

static void on_session_closed(struct session_context *context) {
    continue_stopping(CONTAINER_OF(context, struct relay, sessions));
}

static void on_stop_over(uv_timer_t *timer) {
    struct relay *relay = CONTAINER_OF(timer, struct relay, stop_timer);
    log_write(LOG_LEVEL_WARN, NULL, "%u sessions are still in a transaction: they are closed", relay->sessions.count);
    session_context_close(&relay->sessions);
}

static void stop(struct relay *relay, bool was_signal) {
    if (relay->stage == RELAY_DRAINING) { // a second signal
        session_context_close(&relay->sessions);
    }
    if (relay->stage != RELAY_RUNNING) {
        return;
    }
    enter_stage(relay, RELAY_DRAINING);
    relay->is_stopped = true;
    close_handle((uv_handle_t *)&relay->listener);
    hold_open(relay->sessions.hold, HOLD_STOPPING);
    if (relay->driver != NULL) {
        relay->driver->stopping(relay->driver->owner, was_signal);
    }
    session_context_stop(&relay->sessions);
    CHECK(uv_timer_start(&relay->stop_timer, on_stop_over, RELAY_STOP_MS, 0) == 0);
    continue_stopping(relay);
}

static void on_signal(uv_signal_t *signal, int number) {
    struct relay *relay = signal->data;
    if (number == SIGUSR1) {
        hold_open(relay->sessions.hold, HOLD_OPENED);
        return;
    }
    log_event(LOG_LEVEL_INFO, "stopping", NULL, "Stopping on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    relay->is_stopped = true;
    if (!relay->is_starting) {
        stop(relay, true);
    }
}

static void on_sweep(uv_timer_t *timer) {
    session_context_sweep(&CONTAINER_OF(timer, struct relay, sweep)->sessions);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct relay *relay = CONTAINER_OF(listener, struct relay, listener);
    if (status == 0) {
        session_accept(&relay->sessions, listener);
    } else {
        log_write(LOG_LEVEL_WARN, NULL, "A connection could not be accepted: %s", uv_strerror(status));
    }
}

static int listen_on(struct relay *relay) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (getaddrinfo(relay->options->listen.host, relay->options->listen.port, &hints, &found) != 0) {
        return UV_EAI_NONAME;
    }
    int descriptor = listen_socket(found);
    freeaddrinfo(found);
    if (descriptor < 0) {
        return descriptor;
    }
    CHECK(uv_tcp_open(&relay->listener, descriptor) == 0);
    return uv_listen((uv_stream_t *)&relay->listener, RELAY_BACKLOG, on_connection);
}

static void append_refusal(struct text *out, const struct proxy_address *address, const char *option, int status) {
    text_append_format(out, "cannot listen on %s port %s: ", address->host, address->port);
    if (status == UV_EADDRINUSE) {
        text_append_format(out, "another program listens there: choose another with %s", option);
    } else {
        text_append_string(out, uv_strerror(status));
    }
}

static void on_finding(void *owner, const struct sight_finding *finding) {
    console_finding(owner, finding);
}

static unsigned bound_port(const struct relay *relay) {
    struct sockaddr_storage address;
    int size = sizeof address;
    CHECK(uv_tcp_getsockname(&relay->listener, (struct sockaddr *)&address, &size) == 0);
    const void *bytes = &address;
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)bytes)->sin6_port
                                               : ((const struct sockaddr_in *)bytes)->sin_port);
}

static void log_listening(struct relay *relay) {
    const struct proxy_options *options = relay->options;
    bool is_6 = strchr(options->listen.host, ':') != NULL;
    log_event(LOG_LEVEL_INFO, "listening", NULL, "Listening on %s%s%s:%u, for the PostgreSQL at %s; %u rule%s",
              is_6 ? "[" : "", options->listen.host, is_6 ? "]" : "", bound_port(relay),
              db_server_name(options->servers, 0), options->rule_count, options->rule_count == 1 ? "" : "s");
}

// Without a page and without spans nobody looks at the record, so there is none.
static void init_console(struct relay *relay) {
    const struct proxy_options *options = relay->options;
    if (options->http.port[0] == '\0' && options->tracing.destination.endpoint == NULL) {
        return;
    }
    relay->sessions.console = console_new(&(struct console_options){
        .loop = relay->loop,
        .callbacks = &session_console_callbacks,
        .owner = &relay->sessions,
        .host = options->http.host,
        .port = options->http.port,
        .endings = hold_end_names,
        .allowed_hosts = options->allowed_hosts,
        .tracing = &options->tracing,
        .sight = options->finds ? insight_sight(relay->insight) : NULL,
    });
    if (options->finds) {
        insight_on_finding(relay->insight, on_finding, relay->sessions.console);
    }
}

// True: the page is there, or the proxy may run without it. Its usual port may be taken by another proxy.
static bool listen_for_console(struct relay *relay, struct text *problem) {
    const struct proxy_options *options = relay->options;
    int status = options->http.port[0] == '\0' ? 0 : console_listen(relay->sessions.console);
    if (status == 0) {
        return true;
    }
    struct text words = {0};
    append_refusal(&words, &options->http, "--http", status);
    if (options->wants_http) {
        text_append_slice(problem, text_slice(&words));
    } else {
        log_write(LOG_LEVEL_WARN, NULL, "There is no page: %s", text_terminated(&words));
    }
    text_free(&words);
    return !options->wants_http;
}

static bool compares_rows(const struct proxy_options *options) {
    bool needs_read = false;
    for (unsigned i = 0; i < options->rule_count; i++) {
        needs_read = needs_read || options->rules[i].needs_read;
    }
    return needs_read && sight_has_grammar();
}

// Rules with if-read need to know the rows, too. Then nothing is reported.
static void init_insight(struct relay *relay) {
    const struct proxy_options *options = relay->options;
    if (!options->finds && !compares_rows(options)) {
        return;
    }
    relay->insight = insight_new(&(struct insight_options){
        .loop = relay->loop,
        .conninfo = options->upstream == NULL ? "" : options->upstream,
        .is_quiet = !options->finds,
        .path = options->findings,
        .listener = relay->driver == NULL ? NULL : relay->driver->listener,
    });
    relay->sessions.observer = insight_observer(relay->insight);
}

static void init(struct relay *relay, struct hold *hold) {
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGUSR1};
    relay->sessions.loop = relay->loop;
    relay->sessions.upstream = relay->options->servers;
    relay->sessions.resolver = resolver_new(relay->loop, relay->options->servers);
    relay->sessions.hold = hold;
    relay->sessions.closed = on_session_closed;
    init_insight(relay);
    init_console(relay);
    relay->sessions.reads_sql = relay->options->rule_count > 0 || relay->sessions.console != NULL;
    session_context_init(&relay->sessions);
    CHECK(uv_tcp_init(relay->loop, &relay->listener) == 0);
    CHECK(uv_timer_init(relay->loop, &relay->sweep) == 0);
    CHECK(uv_timer_init(relay->loop, &relay->stop_timer) == 0);
    CHECK(uv_timer_start(&relay->sweep, on_sweep, RELAY_SWEEP_MS, RELAY_SWEEP_MS) == 0);
    for (size_t i = 0; i < SIGNALS; i++) {
        relay->signals[i].data = relay;
        CHECK(uv_signal_init(relay->loop, &relay->signals[i]) == 0);
        CHECK(uv_signal_start(&relay->signals[i], on_signal, numbers[i]) == 0);
    }
}

// A session takes two descriptors.
static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static const struct hold_callbacks callbacks = {
    .released = session_released,
    .protected = session_round_protected,
    .meet = session_meet,
    .append_row = session_append_row,
    .session_of = session_number_of,
    .held = session_held,
    .let_go = session_let_go,
    .waits = session_waits,
};

// --- For the driver ---

unsigned relay_port(const struct relay *relay) {
    return bound_port(relay);
}

struct insight *relay_insight(const struct relay *relay) {
    return relay->insight;
}

bool relay_is_busy(const struct relay *relay) {
    return session_context_is_busy(&relay->sessions);
}

bool relay_sees_locks(const struct relay *relay) {
    return hold_is_connected(relay->sessions.hold);
}

void relay_stop(struct relay *relay) {
    stop(relay, false);
}

// Reads the catalogue of the upstream's own database before its first session comes, so that the rows of its first race
// are known.
static void expect_database(struct relay *relay) {
    struct db_identity identity = {0};
    struct text problem = {0};
    const char *conninfo = relay->options->upstream == NULL ? "" : relay->options->upstream;
    if (db_identity_read(conninfo, &identity, &problem)) {
        insight_expect(relay->insight, text_terminated(&identity.database));
    }
    db_identity_free(&identity);
    text_free(&problem);
}

// False: `problem` says which file cannot be used.
static bool load_tls(struct relay *relay, struct text *problem) {
    const struct proxy_options *options = relay->options;
    relay->sessions.server_tls_mode = options->tls.mode;
    if (options->tls_certificate != NULL) {
        relay->sessions.client_tls = tls_context_for_clients(relay->loop, options->tls_certificate, options->tls_key,
                                                             problem);
    }
    if (options->tls.mode != DB_TLS_DISABLE) {
        relay->sessions.server_tls = tls_context_for_server(relay->loop, &options->tls, problem);
    }
    return problem->length == 0;
}

static bool begin(struct relay *relay, struct text *problem) {
    const struct proxy_options *options = relay->options;
    if (!load_tls(relay, problem) || !listen_for_console(relay, problem)) {
        return false;
    }
    relay->is_starting = true;
    bool has_triggers = !options->is_exact || insight_use_triggers(relay->insight, &relay->is_stopped, problem);
    relay->is_starting = false;
    if (!has_triggers || relay->is_stopped) {
        return has_triggers;
    }
    int status = listen_on(relay);
    if (status != 0) {
        append_refusal(problem, &options->listen, "--listen", status);
    }
    return status == 0;
}

bool relay_run(uv_loop_t *loop, const struct proxy_options *options, const struct relay_driver *driver,
               struct text *problem) {
    struct relay relay = {.loop = loop, .options = options, .driver = driver};
    struct hold *hold = hold_new(&(struct hold_options){
        .loop = loop,
        .rules = options->rules,
        .rule_count = options->rule_count,
        .limit_ms = options->limit_ms,
        .conninfo = options->upstream == NULL ? "" : options->upstream,
        .callbacks = &callbacks,
        .owner = &relay.sessions,
        .on_notice = driver == NULL ? NULL : driver->on_notice,
        .listener = driver == NULL ? NULL : driver->owner,
    });
    raise_descriptors();
    init(&relay, hold);
    bool has_begun = begin(&relay, problem);
    if (!has_begun || relay.is_stopped) {
        stop(&relay, false);
    } else {
        log_listening(&relay);
        if (options->rule_count > 0) {
            hold_connect(hold, &relay.is_stopped);
        }
        if (relay.insight != NULL && !options->is_exact && driver == NULL) {
            expect_database(&relay);
        }
        if (driver != NULL && !relay.is_stopped) {
            driver->started(driver->owner, &relay);
        }
    }
    while (uv_run(loop, UV_RUN_DEFAULT) != 0) {
        if (hold_wants_connection(hold) && !relay.is_stopped) {
            hold_connect(hold, &relay.is_stopped);
        }
        if (relay.insight != NULL && insight_wants_connection(relay.insight) && !relay.is_stopped) {
            insight_connect(relay.insight, &relay.is_stopped);
        }
    }
    hold_free(hold);
    resolver_free(relay.sessions.resolver);
    if (relay.insight != NULL) {
        insight_free(relay.insight);
    }
    if (relay.sessions.console != NULL) {
        console_free(relay.sessions.console);
    }
    tls_context_free(relay.sessions.client_tls);
    tls_context_free(relay.sessions.server_tls);
    return has_begun;
}
