// Everything that is asked of a request before its handler sees it. Loop thread.
#include "request_dispatch.h"

#include "guard.h"
#include "problem.h"
#include "router.h"

static void refuse_method(struct conn *conn, const struct route_match *match) {
    struct text body = {0};
    struct text detail = {0};
    text_append_format(&detail, "%s takes %s", match->route->template, match->allow);
    problem_write(&body, 405, (struct slice){detail.data, detail.length}, NULL);
    conn_respond(conn, &(struct http_response){
                           .status = 405,
                           .content_type = PROBLEM_CONTENT_TYPE,
                           .body = {body.data, body.length},
                           .allow = match->allow,
                       });
    text_free(&detail);
    text_free(&body);
}

void request_dispatch(struct bank_api *api, struct conn *conn, const struct http_request *request) {
    const struct guard *guard = &api->config.guard;
    if (!guard_allows_host(guard, request)) {
        conn_respond_problem(conn, 421,
                             "The Host \"%.*s\" is not this server's: use localhost, or add the name to "
                             "BANK_API_ALLOWED_HOSTS",
                             (int)request->authority.length, request->authority.data);
        return;
    }
    struct route_match match = router_find(request->method, request->path);
    conn->route = match.route;
    if (match.route == NULL) {
        conn_respond_problem(conn, 404, "There is nothing at %.*s: /docs says what there is", (int)request->path.length,
                             request->path.data);
        return;
    }
    if (!match.method_allowed) {
        refuse_method(conn, &match);
        return;
    }
    if (match.route->method == HTTP_METHOD_POST && !guard_allows_origin(request)) {
        conn_respond_problem(
            conn, 403, "A page of another origin may not change anything here: use this server's own page, or curl");
        return;
    }
    if (match.route->needs_admin && !guard_allows_admin(guard, request)) {
        conn_respond_problem(conn, 401, "Send \"Authorization: Bearer <ADMIN_TOKEN>\"");
        return;
    }
    match.route->handle(&(struct exchange){
        .api = api,
        .conn = conn,
        .request = request,
        .parameter = match.parameter,
    });
}
