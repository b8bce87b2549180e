// Who may speak to the bank: the Host it was reached by, the page that sent a request, the admin's token.
// Loop thread.
#ifndef SERVER_HTTP_GUARD_H
#define SERVER_HTTP_GUARD_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

#include <stdbool.h>

struct guard {
    const char *bind_host;      // BANK_API_HOST
    const char *allowed_hosts;  // BANK_API_ALLOWED_HOSTS: names parted by commas, or NULL
    const char *public_origins; // BANK_API_PUBLIC_ORIGINS: origins parted by commas, or NULL
    const char *admin_token;    // or NULL: the admin endpoints are open
};

// Whether a list of allowed hosts (or NULL) holds only names and addresses, as guard_allows_host() compares them.
MUST_CHECK bool guard_hosts_are_names(const char *list);

// Whether a list of origins (or NULL) holds only such as "https://bank.example", as a browser sends them.
MUST_CHECK bool guard_origins_are_valid(const char *list);

// Loopback, the configured host, one of the allowed ones, or the host of a public origin; with any port. A page on the
// web that had its own name rebound to 127.0.0.1 would still send that name. A request for https must be for a public
// origin, because only a proxy in front of this server can have secured it (RFC 9110 section 7.4).
MUST_CHECK bool guard_allows_host(const struct guard *guard, const struct http_request *request);
// No Origin (not a browser), the one the request was addressed to, or a public one.
MUST_CHECK bool guard_allows_origin(const struct guard *guard, const struct http_request *request);
// The token is not asked for, or was sent as a bearer token.
MUST_CHECK bool guard_allows_admin(const struct guard *guard, const struct http_request *request);

#endif
