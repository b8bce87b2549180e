// Which handler answers a request. Loop thread.
#ifndef SERVER_API_ROUTER_H
#define SERVER_API_ROUTER_H

#include "observability/base/check.h"
#include "observability/base/text.h"
#include "server/http/http_request.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTES_MAX 32

struct bank_api;
struct conn;

// What a handler is called with: it answers with conn_respond() now, or submits a job and answers when it is back.
struct exchange {
    struct bank_api *api;
    struct conn *conn;
    const struct http_request *request;
    struct slice parameter; // what stood in the place of the template's parameter, still percent-encoded
};

struct route {
    enum http_method method; // GET answers HEAD too
    const char *template;    // "/accounts/{id}": the last part may be a parameter
    void (*handle)(struct exchange *exchange);
    bool needs_admin; // the token, when there is one
};

struct route_match {
    const struct route *route; // the path's; NULL: no such path
    bool method_allowed;
    const char *allow; // for the 405
    struct slice parameter;
};

struct route_match router_find(enum http_method method, struct slice path);
MUST_CHECK size_t route_index(const struct route *route); // below ROUTES_MAX

#endif
