// Which handler answers a request. Loop thread.
#ifndef SERVER_API_ROUTER_H
#define SERVER_API_ROUTER_H

#include "observability/base/base.h"
#include "server/http/http.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTES_MAX 32

struct exchange;

struct route {
    enum http_method method; // GET answers HEAD too
    const char *template;    // "/accounts/{id}": one part may be a parameter
    void (*handle)(struct exchange *exchange);
    bool needs_admin; // the token, when there is one
};

struct route_match {
    const struct route *route; // the path's; NULL: no such path
    bool method_allowed;
    const char *allow; // for the 405
    struct slice parameter;
};

// Whether a path is of the template. Then `parameter` is the part of the path in the place of {...}, if there is one.
MUST_CHECK bool route_template_matches(const char *template, struct slice path, struct slice *parameter);
struct route_match router_find(enum http_method method, struct slice path);
MUST_CHECK size_t route_index(const struct route *route); // below ROUTES_MAX

#endif
