// The table of routes: the whole HTTP surface at a glance. Loop thread.
#include "server/api/router.h"

#include "server/api/handlers.h"

#include <assert.h>
#include <string.h>

static const struct route routes[] = {
    {HTTP_METHOD_GET, "/", handle_page, false},
    {HTTP_METHOD_GET, "/docs", handle_docs, false},
    {HTTP_METHOD_GET, "/openapi.json", handle_openapi, false},
    {HTTP_METHOD_GET, "/page/{name}", handle_page_file, false},
    {HTTP_METHOD_GET, "/health", handle_health, false},
    {HTTP_METHOD_POST, "/transfer", handle_transfer, false},
    {HTTP_METHOD_GET, "/accounts", handle_accounts, false},
    {HTTP_METHOD_GET, "/accounts/{id}", handle_account, false},
    {HTTP_METHOD_GET, "/transactions", handle_transactions, false},
    {HTTP_METHOD_GET, "/strategies", handle_strategies, false},
    {HTTP_METHOD_GET, "/audit", handle_audit, false},
    {HTTP_METHOD_GET, "/races", handle_races, false},
    {HTTP_METHOD_GET, "/races/{transfer_id}", handle_race, false},
    {HTTP_METHOD_GET, "/events", handle_events, false},
    {HTTP_METHOD_GET, "/metrics", handle_metrics, false},
    {HTTP_METHOD_POST, "/reset", handle_reset, true},
    {HTTP_METHOD_GET, "/admin/settings", handle_settings, true},
    {HTTP_METHOD_POST, "/admin/settings", handle_settings_change, true},
    {HTTP_METHOD_POST, "/admin/delay", handle_delay_change, true},
    {HTTP_METHOD_POST, "/admin/barrier", handle_barrier_change, true},
    {HTTP_METHOD_POST, "/admin/transactions", handle_transactions_change, true},
    {HTTP_METHOD_POST, "/admin/strategy", handle_strategy_change, true},
};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])
static_assert(ROUTE_COUNT <= ROUTES_MAX, "the metrics keep a row a route");

static bool template_matches(const char *template, struct slice path, struct slice *parameter) {
    size_t prefix = strcspn(template, "{");
    if (template[prefix] == '\0') {
        return path.length == prefix && memcmp(path.data, template, prefix) == 0;
    }
    if (path.length <= prefix || memcmp(path.data, template, prefix) != 0 ||
        memchr(path.data + prefix, '/', path.length - prefix) != NULL) {
        return false;
    }
    *parameter = (struct slice){path.data + prefix, path.length - prefix};
    return true;
}

struct route_match router_find(enum http_method method, struct slice path) {
    struct route_match match = {0};
    enum http_method wanted = method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!template_matches(routes[i].template, path, &match.parameter)) {
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
