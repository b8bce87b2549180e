// Answers the requests: console_http_request() checks the host, the path, the method and the origin, and then calls the
// handler of the route.
#include "server/console/console_internal.h"

#include "server/assets/assets.h"

struct exchange {
    struct console *console;
    struct conn *conn;
    const struct http_request *request;
    struct slice parameter; // the last part of a path such as /findings/7
};

static void respond_json(const struct exchange *exchange, struct text *body) {
    (void)conn_respond(exchange->conn, &(struct http_response){.status = 200, .body = text_slice(body)});
    text_free(body);
}

// False: the query has a parameter, and the answer says so.
static bool has_no_query(const struct exchange *exchange) {
    struct query query;
    query_parse(&query, exchange->request->query);
    bool is_good = query_finish(&query);
    if (!is_good) {
        conn_respond_problem(exchange->conn, 400, "%s", text_terminated(&query.problem));
    }
    query_free(&query);
    return is_good;
}

static void handle_page(const struct exchange *exchange) {
    assets_respond(exchange->conn, exchange->request, SLICE_LITERAL("proxy.html"));
}

static void handle_file(const struct exchange *exchange) {
    assets_respond(exchange->conn, exchange->request, exchange->parameter);
}

static void handle_plain(const struct exchange *exchange, void (*write)(const struct console *, struct text *)) {
    struct text body = {0};
    if (has_no_query(exchange)) {
        write(exchange->console, &body);
        respond_json(exchange, &body);
    }
}

static void handle_health(const struct exchange *exchange) {
    handle_plain(exchange, console_json_health);
}

static void handle_units(const struct exchange *exchange) {
    handle_plain(exchange, console_json_units);
}

static void handle_sessions(const struct exchange *exchange) {
    handle_plain(exchange, console_json_sessions);
}

static void handle_rules(const struct exchange *exchange) {
    handle_plain(exchange, console_json_rules);
}

static void handle_findings(const struct exchange *exchange) {
    struct query query;
    int64_t limit = CONSOLE_FINDINGS_DEFAULT;
    query_parse(&query, exchange->request->query);
    (void)query_take_integer(&query, "limit", 1, CONSOLE_FINDINGS_MAX, &limit);
    if (!query_finish(&query)) {
        bool in_range = limit >= 1 && limit <= CONSOLE_FINDINGS_MAX;
        conn_respond_problem(exchange->conn, in_range ? 400 : 422, "%s", text_terminated(&query.problem));
    } else {
        struct text body = {0};
        console_json_findings(exchange->console, (size_t)limit, &body);
        respond_json(exchange, &body);
    }
    query_free(&query);
}

static void handle_finding(const struct exchange *exchange) {
    int64_t id = 0;
    struct text body = {0};
    if (!has_no_query(exchange)) {
        return;
    }
    if (integer_parse(exchange->parameter, &id) && id > 0 &&
        console_json_finding(exchange->console, (uint64_t)id, &body)) {
        respond_json(exchange, &body);
        return;
    }
    conn_respond_problem(exchange->conn, 404, "There is no finding %.*s: GET /findings lists them%s",
                         (int)exchange->parameter.length, exchange->parameter.data,
                         exchange->console->options.sight == NULL ? "; races are looked for with --find only" : "");
}

static void handle_metrics(const struct exchange *exchange) {
    enum metrics_format format = accepts_openmetrics(exchange->request) ? METRICS_FORMAT_OPENMETRICS
                                                                        : METRICS_FORMAT_PROMETHEUS;
    struct text page = {0};
    console_metrics_render(exchange->console, format, &page);
    (void)conn_respond(exchange->conn, &(struct http_response){
                                           .status = 200,
                                           .content_type = metrics_content_type(format),
                                           .body = text_slice(&page),
                                       });
    text_free(&page);
}

// The body has a rule in each line, in the words of --rule. An empty body removes all rules.
static void handle_new_rules(const struct exchange *exchange) {
    const struct console_options *options = &exchange->console->options;
    struct text problem = {0};
    if (options->callbacks->replace_rules(options->owner, exchange->request->body, &problem)) {
        handle_rules(exchange);
    } else {
        conn_respond_problem(exchange->conn, 400, "%s", text_terminated(&problem));
    }
    text_free(&problem);
}

static void handle_gate(const struct exchange *exchange) {
    const struct console_options *options = &exchange->console->options;
    struct text body = {0};
    struct json_writer json = {.out = &body};
    if (has_no_query(exchange)) {
        json_open_object(&json, NULL);
        json_add_unsigned(&json, "let_go", options->callbacks->open_gate(options->owner));
        json_close_object(&json);
        text_append(&body, "\n", 1);
        respond_json(exchange, &body);
    }
}

// --- Routes ---

static const struct console_route {
    const char *path; // one that ends with "/" takes a parameter behind it
    enum http_method method;
    void (*handle)(const struct exchange *exchange);
} routes[] = {
    {"/health", HTTP_METHOD_GET, handle_health},     {"/metrics", HTTP_METHOD_GET, handle_metrics},
    {"/findings", HTTP_METHOD_GET, handle_findings}, {"/findings/", HTTP_METHOD_GET, handle_finding},
    {"/units", HTTP_METHOD_GET, handle_units},       {"/sessions", HTTP_METHOD_GET, handle_sessions},
    {"/rules", HTTP_METHOD_GET, handle_rules},       {"/rules", HTTP_METHOD_POST, handle_new_rules},
    {"/gate", HTTP_METHOD_POST, handle_gate},        {"/page/", HTTP_METHOD_GET, handle_file},
};
static const struct console_route page = {"/", HTTP_METHOD_GET, handle_page};

static bool matches(const struct console_route *route, struct slice path, struct slice *parameter) {
    struct slice own = slice_of(route->path);
    bool has_parameter = slice_ends_with(own, SLICE_LITERAL("/"));
    if (!has_parameter) {
        return slice_equals(path, own);
    }
    *parameter = (struct slice){path.data + own.length, path.length - own.length};
    return slice_starts_with(path, own) && parameter->length > 0 &&
           memchr(parameter->data, '/', parameter->length) == NULL;
}

// The methods that the path allows, or NULL if there is no such path. Sets `route` if the method is one of them.
static const char *find_route(const struct http_request *request, struct slice *parameter,
                              const struct console_route **route) {
    enum http_method method = request->method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : request->method;
    bool gets = false;
    bool posts = false;
    if (slice_equals(request->path, SLICE_LITERAL("/"))) {
        *route = method == HTTP_METHOD_GET ? &page : NULL;
        return "GET, HEAD";
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct slice found = {"", 0};
        if (matches(&routes[i], request->path, &found)) {
            gets |= routes[i].method == HTTP_METHOD_GET;
            posts |= routes[i].method == HTTP_METHOD_POST;
            if (routes[i].method == method) {
                *route = &routes[i];
                *parameter = found;
            }
        }
    }
    return gets && posts ? "GET, HEAD, POST" : gets ? "GET, HEAD" : posts ? "POST" : NULL;
}

static void refuse_method(struct conn *conn, const char *allow) {
    struct text body = {0};
    struct text detail = {0};
    text_append_format(&detail, "This path does not support this method: use %s", allow);
    struct http_response response = problem_response(&body, 405, text_slice(&detail), NULL);
    response.allow = allow;
    (void)conn_respond(conn, &response);
    text_free(&detail);
    text_free(&body);
}

void console_http_request(struct console *console, struct conn *conn, const struct http_request *request) {
    struct exchange exchange = {.console = console, .conn = conn, .request = request, .parameter = {"", 0}};
    const struct console_route *route = NULL;
    if (!guard_allows_host(&console->guard, request)) {
        conn_respond_problem(conn, 421,
                             "The Host \"%.*s\" is not a name of this proxy: use localhost, or add the name to "
                             "RACE_PROXY_ALLOWED_HOSTS",
                             (int)request->authority.length, request->authority.data);
        return;
    }
    const char *allow = find_route(request, &exchange.parameter, &route);
    if (allow == NULL) {
        conn_respond_problem(conn, 404,
                             "There is no path %.*s: use /, /findings, /units, /sessions, /rules, /gate, /health or "
                             "/metrics",
                             (int)request->path.length, request->path.data);
    } else if (route == NULL) {
        refuse_method(conn, allow);
    } else if (route->method == HTTP_METHOD_POST && !guard_allows_origin(&console->guard, request)) {
        conn_respond_problem(conn, 403,
                             "The page's origin \"%.*s\" is not the one that the request was sent to: use the proxy's "
                             "own page, or curl",
                             (int)request->headers[HTTP_HEADER_ORIGIN].length,
                             request->headers[HTTP_HEADER_ORIGIN].data);
    } else if (!content_is_plain(request)) {
        conn_respond_problem(conn, 415, "A Content-Encoding is not supported: send the body as it is");
    } else {
        route->handle(&exchange);
    }
}
