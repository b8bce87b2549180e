// Checks Host, Origin and Authorization before a handler runs. Loop thread.
#include "server/http/guard.h"

#include <string.h>

bool guard_host_is_loopback(struct slice host) {
    if (slice_equals_ignoring_case(host, SLICE_LITERAL("localhost")) || slice_equals(host, SLICE_LITERAL("[::1]")) ||
        slice_equals(host, SLICE_LITERAL("::1"))) {
        return true;
    }
    if (!slice_starts_with(host, SLICE_LITERAL("127."))) {
        return false;
    }
    for (size_t i = 0; i < host.length; i++) { // a name such as 127.0.0.1.attacker.example must not pass
        if ((host.data[i] < '0' || host.data[i] > '9') && host.data[i] != '.') {
            return false;
        }
    }
    return true;
}

static struct slice without_brackets(struct slice host) {
    bool bracketed = host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';
    return bracketed ? (struct slice){host.data + 1, host.length - 2} : host;
}

// Returns the next item of `list` and moves `list` behind it, or returns an empty slice at the end. An IPv6 address may
// have brackets; they are removed.
static struct slice next_item(const char **list) {
    const char *start = *list == NULL ? "" : *list + strspn(*list, ", ");
    size_t length = strcspn(start, ", ");
    *list = start + length;
    return without_brackets((struct slice){start, length});
}

static bool is_listed(struct slice host, const char *list) {
    struct slice item;
    while ((item = next_item(&list)).length > 0) {
        if (slice_equals_ignoring_case(without_brackets(host), item)) {
            return true;
        }
    }
    return false;
}

// A URL, or a name with a port, would never be equal to the host of a request, so the configuration is refused.
static bool is_host_name(struct slice item) {
    size_t colons = 0;
    for (size_t i = 0; i < item.length; i++) {
        colons += item.data[i] == ':';
        if (item.data[i] == '/' || item.data[i] == ']') {
            return false;
        }
    }
    return colons != 1; // one colon means host:port; an IPv6 address has at least two
}

bool guard_hosts_are_names(const char *list) {
    struct slice item;
    while ((item = next_item(&list)).length > 0) {
        if (!is_host_name(item)) {
            return false;
        }
    }
    return true;
}

bool guard_origins_are_valid(const char *list) {
    struct slice item;
    struct origin origin;
    while ((item = next_item(&list)).length > 0) {
        if (!origin_parse(item, &origin)) {
            return false;
        }
    }
    return true;
}

static struct origin origin_of(const struct http_request *request) {
    uint16_t usual = request->is_https ? PORT_HTTPS : PORT_HTTP;
    return (struct origin){
        .is_https = request->is_https,
        .host = request->server.host,
        .port = request->server.has_port ? request->server.port : usual,
    };
}

static bool is_public(const struct guard *guard, const struct origin *origin) {
    const char *list = guard->public_origins;
    struct slice item;
    struct origin listed;
    while ((item = next_item(&list)).length > 0) {
        if (origin_parse(item, &listed) && origin_equals(&listed, origin)) {
            return true;
        }
    }
    return false;
}

static bool is_public_host(const struct guard *guard, struct slice host) {
    const char *list = guard->public_origins;
    struct slice item;
    struct origin listed;
    while ((item = next_item(&list)).length > 0) {
        if (origin_parse(item, &listed) && slice_equals_ignoring_case(listed.host, host)) {
            return true;
        }
    }
    return false;
}

bool guard_allows_host(const struct guard *guard, const struct http_request *request) {
    if (request->authority.data == NULL) {
        return true; // HTTP/1.0 without a Host; no browser sends such a request
    }
    if (request->is_https) {
        struct origin wanted = origin_of(request);
        return is_public(guard, &wanted);
    }
    struct slice host = request->server.host;
    return guard_host_is_loopback(host) || is_listed(host, guard->bind_host) || is_listed(host, guard->allowed_hosts) ||
           is_public_host(guard, host);
}

bool guard_allows_origin(const struct guard *guard, const struct http_request *request) {
    struct slice sent = request->headers[HTTP_HEADER_ORIGIN];
    if (sent.data == NULL) {
        return true;
    }
    struct origin origin;
    if (!origin_parse(sent, &origin)) {
        return false;
    }
    struct origin own = origin_of(request);
    return origin_equals(&origin, &own) || is_public(guard, &origin);
}

// The time of the comparison does not depend on `given`, so an attacker cannot find the token byte by byte.
static bool equals_in_constant_time(struct slice given, const char *wanted) {
    size_t length = strlen(wanted);
    unsigned char difference = given.length == length ? 0 : 1;
    for (size_t i = 0; i < length; i++) {
        char c = i < given.length ? given.data[i] : '\0';
        difference |= (unsigned char)(c ^ wanted[i]);
    }
    return difference == 0;
}

bool guard_allows_admin(const struct guard *guard, const struct http_request *request) {
    if (guard->admin_token == NULL) {
        return true;
    }
    struct slice sent = request->headers[HTTP_HEADER_AUTHORIZATION];
    static const struct slice scheme = SLICE_INITIALIZER("Bearer");
    size_t start = scheme.length;
    while (start < sent.length && sent.data[start] == ' ') {
        start++; // one or more spaces (RFC 9110 section 11.4)
    }
    if (start == scheme.length || sent.length < scheme.length ||
        !slice_equals_ignoring_case((struct slice){sent.data, scheme.length}, scheme)) {
        return false;
    }
    return equals_in_constant_time((struct slice){sent.data + start, sent.length - start}, guard->admin_token);
}
