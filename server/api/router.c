// Finds the route of a request in the table of routes.h. Loop thread.
#include "server/api/router.h"

#include "server/api/routes.h"

#include <assert.h>
#include <string.h>

#define ROUTE_ROW(method, template, handler, needs_admin) {HTTP_METHOD_##method, template, handler, needs_admin},
static const struct route routes[] = {ROUTES(ROUTE_ROW)};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])
static_assert(ROUTE_COUNT <= ROUTES_MAX, "the metrics keep one row for each route");

bool route_template_matches(const char *template, struct slice path, struct slice *parameter) {
    struct slice prefix = {template, strcspn(template, "{")};
    if (template[prefix.length] == '\0') {
        return slice_equals(path, prefix);
    }
    const char *suffix = strchr(template + prefix.length, '}') + 1;
    if (!slice_starts_with(path, prefix)) {
        return false;
    }
    struct slice rest = {path.data + prefix.length, path.length - prefix.length};
    const char *end = rest.length == 0 ? NULL : memchr(rest.data, '/', rest.length);
    struct slice value = {rest.data, end == NULL ? rest.length : (size_t)(end - rest.data)};
    struct slice behind = {rest.data + value.length, rest.length - value.length};
    if (value.length == 0 || !slice_equals(behind, slice_of(suffix))) {
        return false;
    }
    *parameter = value;
    return true;
}

struct route_match router_find(enum http_method method, struct slice path) {
    struct route_match match = {0};
    enum http_method wanted = method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!route_template_matches(routes[i].template, path, &match.parameter)) {
            continue;
        }
        bool is_get = routes[i].method == HTTP_METHOD_GET;
        match.allow = match.route != NULL ? "GET, HEAD, POST" : is_get ? "GET, HEAD" : "POST";
        match.route = &routes[i];
        if (routes[i].method == wanted) {
            match.method_allowed = true;
            return match;
        }
    }
    return match;
}

size_t route_index(const struct route *route) {
    return (size_t)(route - routes);
}
