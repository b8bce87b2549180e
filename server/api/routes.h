// The table of routes: the whole HTTP surface at a glance. Each row also declares its handler, which is called once for
// each request, on the loop thread.
#ifndef SERVER_API_ROUTES_H
#define SERVER_API_ROUTES_H

#include "server/api/exchange.h"

// ROUTE(method, template, handler, whether it asks for the admin token). A GET answers HEAD too. One part of a
// template may be a parameter.
#define ROUTES(ROUTE)                                                                                                  \
    ROUTE(GET, "/", handle_page, false)                                                                                \
    ROUTE(GET, "/docs", handle_page, false)                                                                            \
    ROUTE(GET, "/explore", handle_page, false)                                                                         \
    ROUTE(GET, "/play", handle_page, false)                                                                            \
    ROUTE(GET, "/openapi.json", handle_page, false)                                                                    \
    ROUTE(GET, "/page/{name}", handle_page_file, false)                                                                \
    ROUTE(GET, "/health", handle_health, false)                                                                        \
    ROUTE(POST, "/transfer", handle_transfer, false)                                                                   \
    ROUTE(GET, "/accounts", handle_accounts, false)                                                                    \
    ROUTE(GET, "/accounts/{id}", handle_account, false)                                                                \
    ROUTE(GET, "/transactions", handle_transactions, false)                                                            \
    ROUTE(GET, "/transfers/{transfer_id}", handle_transfer_record, false)                                              \
    ROUTE(GET, "/strategies", handle_strategies, false)                                                                \
    ROUTE(POST, "/lesson", handle_lesson, false)                                                                       \
    ROUTE(GET, "/audit", handle_audit, false)                                                                          \
    ROUTE(GET, "/races", handle_races, false)                                                                          \
    ROUTE(GET, "/races/{transfer_id}", handle_race, false)                                                             \
    ROUTE(GET, "/replicas", handle_replicas, false)                                                                    \
    ROUTE(GET, "/events", handle_events, false)                                                                        \
    ROUTE(GET, "/metrics", handle_metrics, false)                                                                      \
    ROUTE(POST, "/reset", handle_reset, true)                                                                          \
    ROUTE(GET, "/admin/settings", handle_settings, true)                                                               \
    ROUTE(POST, "/admin/settings", handle_settings_change, true)                                                       \
    ROUTE(POST, "/admin/delay", handle_shortcut, true)                                                                 \
    ROUTE(POST, "/admin/barrier", handle_shortcut, true)                                                               \
    ROUTE(POST, "/admin/transactions", handle_shortcut, true)                                                          \
    ROUTE(POST, "/admin/strategy", handle_shortcut, true)

#define ROUTE_DECLARE(method, template, handler, needs_admin) void handler(struct exchange *exchange);
ROUTES(ROUTE_DECLARE)
#undef ROUTE_DECLARE

#endif
