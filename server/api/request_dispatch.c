// Checks the host, the route, the method, the origin, the coding and the admin token of a request, and then calls its
// handler. Loop thread.
#include "server/api/request_dispatch.h"

#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/router.h"
#include "server/http/http.h"

#include <stdarg.h>

static void refuse(struct conn *conn, int status, const char *allow, const char *format, ...) PRINTF_LIKE(4, 5);

// Answers 405 with the methods that are allowed, or 415 for a coding of the body.
static void refuse(struct conn *conn, int status, const char *allow, const char *format, ...) {
    struct text body = {0};
    struct text detail = {0};
    va_list arguments;
    va_start(arguments, format);
    text_append_format_list(&detail, format, arguments);
    va_end(arguments);
    struct http_response response = problem_response(&body, status, text_slice(&detail), NULL);
    response.allow = allow;
    response.refuses_coding = status == 415;
    (void)conn_respond(conn, &response);
    text_free(&detail);
    text_free(&body);
}

static void refuse_host(struct conn *conn, const struct http_request *request) {
    if (request->is_https) {
        conn_respond_problem(conn, 421,
                             "The request is for https://%.*s, but this connection is not secured: use http://, or add "
                             "the origin to BANK_API_PUBLIC_ORIGINS",
                             (int)request->authority.length, request->authority.data);
        return;
    }
    conn_respond_problem(conn, 421,
                         "The Host \"%.*s\" is not a name of this server: use localhost, or add the name to "
                         "BANK_API_ALLOWED_HOSTS",
                         (int)request->authority.length, request->authority.data);
}

static void refuse_origin(struct conn *conn, const struct http_request *request) {
    struct slice origin = request->headers[HTTP_HEADER_ORIGIN];
    conn_respond_problem(conn, 403,
                         "The page's origin \"%.*s\" is not the one that the request was sent to, \"%s://%.*s\": use "
                         "this server's own page, or curl; if the page is behind a proxy, add its origin to "
                         "BANK_API_PUBLIC_ORIGINS",
                         (int)origin.length, origin.data, request->is_https ? "https" : "http",
                         (int)request->authority.length, request->authority.data);
}

void request_dispatch(struct bank_api *api, struct conn *conn, const struct http_request *request) {
    const struct guard *guard = &api->config.guard;
    if (!guard_allows_host(guard, request)) {
        refuse_host(conn, request);
        return;
    }
    if (slice_equals(request->path, SLICE_LITERAL("*"))) {
        refuse(conn, 405, "GET, HEAD, POST",
               "OPTIONS * is not supported: send GET, HEAD or POST to one of the paths that /docs lists");
        return;
    }
    struct route_match match = router_find(request->method, request->path);
    conn->route = match.route;
    if (match.route == NULL) {
        conn_respond_problem(conn, 404, "There is no path %.*s: use one of the paths that /docs lists",
                             (int)request->path.length, request->path.data);
        return;
    }
    if (!match.method_allowed) {
        refuse(conn, 405, match.allow, "%s does not support this method: use %s", match.route->template, match.allow);
        return;
    }
    if (match.route->method == HTTP_METHOD_POST && !guard_allows_origin(guard, request)) {
        refuse_origin(conn, request);
        return;
    }
    if (!content_is_plain(request)) {
        refuse(conn, 415, NULL, "A Content-Encoding is not supported: send the body as it is, without this header");
        return;
    }
    if (match.route->needs_admin && !guard_allows_admin(guard, request)) {
        conn_respond_problem(conn, 401,
                             "This path needs the admin token: send the header Authorization: Bearer TOKEN, where "
                             "TOKEN is the value of ADMIN_TOKEN");
        return;
    }
    match.route->handle(&(struct exchange){
        .api = api,
        .conn = conn,
        .request = request,
        .parameter = match.parameter,
    });
}
