// Decides which requests may reach the bank, by their host, by the web page that sent them, and by the admin token.
// Loop thread.
#ifndef SERVER_HTTP_GUARD_H
#define SERVER_HTTP_GUARD_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

#include <stdbool.h>

// The strings belong to the environment.
struct guard {
    const char *bind_host;      // BANK_API_HOST
    const char *allowed_hosts;  // BANK_API_ALLOWED_HOSTS: names separated by commas, or NULL
    const char *public_origins; // BANK_API_PUBLIC_ORIGINS: origins separated by commas, or NULL
    const char *admin_token;    // ADMIN_TOKEN, or NULL: then anybody may use the admin endpoints
};

// True if a list of allowed hosts (or NULL) has only names and addresses, without scheme and port.
MUST_CHECK bool guard_hosts_are_names(const char *list);

// True if a list of origins (or NULL) has only origins as a browser sends them, such as "https://bank.example".
MUST_CHECK bool guard_origins_are_valid(const char *list);

// True if the request is addressed to a loopback host, the configured host, an allowed host, or the host of a public
// origin, with any port; or if it has no authority at all, which only HTTP/1.0 allows. This stops DNS rebinding: a web
// page whose name was made to resolve to 127.0.0.1 still sends its own name. A request for an absolute https target
// must be addressed to a public origin, because this server has no TLS: a proxy in front of it must have received the
// request (RFC 9110 section 7.4).
MUST_CHECK bool guard_allows_host(const struct guard *guard, const struct http_request *request);
// True if there is no Origin header (no browser sent the request), or if it is the origin that the request is addressed
// to, or a public origin.
MUST_CHECK bool guard_allows_origin(const struct guard *guard, const struct http_request *request);
// True if no admin token is configured, or if the request has it as its bearer token.
MUST_CHECK bool guard_allows_admin(const struct guard *guard, const struct http_request *request);

// True for localhost, 127.0.0.0/8 and ::1, with or without brackets.
MUST_CHECK bool guard_host_is_loopback(struct slice host);

#endif
