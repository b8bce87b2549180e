// Parses authorities and origins with the grammar of RFC 3986. Any thread.
#include "server/http/authority.h"

#include <arpa/inet.h>
#include <string.h>

#define IPV6_TEXT_MAX 45 // "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The characters "unreserved" and "sub-delims" of RFC 3986 section 2.
static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL);
}

static bool is_registered_name(struct slice host) {
    for (size_t i = 0; i < host.length; i++) {
        bool is_escape = host.data[i] == '%' && host.length - i > 2 && is_hex(host.data[i + 1]) &&
                         is_hex(host.data[i + 2]);
        if (!is_escape && !is_name_character(host.data[i])) {
            return false;
        }
        i += is_escape ? 2 : 0;
    }
    return true;
}

// IPvFuture of RFC 3986 section 3.2.2, such as "v1.x:y". The grammar allows it for address formats of the future.
static bool is_future_address(struct slice text) {
    size_t dot = 1;
    while (dot < text.length && is_hex(text.data[dot])) {
        dot++;
    }
    if (text.length < dot + 2 || dot == 1 || (text.data[0] | ' ') != 'v' || text.data[dot] != '.') {
        return false;
    }
    for (size_t i = dot + 1; i < text.length; i++) {
        if (text.data[i] != ':' && !is_name_character(text.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_address(struct slice text) {
    char terminated[IPV6_TEXT_MAX + 1];
    struct in6_addr address;
    if (text.length == 0 || text.length > IPV6_TEXT_MAX || memchr(text.data, '\0', text.length) != NULL) {
        return false;
    }
    memcpy(terminated, text.data, text.length);
    terminated[text.length] = '\0';
    return inet_pton(AF_INET6, terminated, &address) == 1 || is_future_address(text);
}

static bool parse_port(struct slice text, struct authority *out) {
    unsigned port = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(text.data[i] - '0');
        if (port > UINT16_MAX) {
            return false;
        }
    }
    out->has_port = text.length > 0;
    out->port = (uint16_t)port;
    return true;
}

bool authority_parse(struct slice text, struct authority *out) {
    *out = (struct authority){.host = text};
    if (text.length == 0) {
        return true;
    }
    bool in_brackets = text.data[0] == '[';
    const char *end = memchr(text.data, in_brackets ? ']' : ':', text.length);
    if (end == NULL) {
        return !in_brackets && is_registered_name(text);
    }
    size_t host = (size_t)(end - text.data) + (in_brackets ? 1 : 0);
    out->host.length = host;
    if (host < text.length &&
        (text.data[host] != ':' || !parse_port((struct slice){text.data + host + 1, text.length - host - 1}, out))) {
        return false;
    }
    return in_brackets ? is_address((struct slice){text.data + 1, host - 2}) : is_registered_name(out->host);
}

bool origin_parse(struct slice text, struct origin *out) {
    static const struct slice http = SLICE_INITIALIZER("http://");
    static const struct slice https = SLICE_INITIALIZER("https://");
    struct authority authority;
    out->is_https = slice_starts_with_ignoring_case(text, https);
    if (!out->is_https && !slice_starts_with_ignoring_case(text, http)) {
        return false;
    }
    size_t scheme = out->is_https ? https.length : http.length;
    if (!authority_parse((struct slice){text.data + scheme, text.length - scheme}, &authority) ||
        authority.host.length == 0) {
        return false;
    }
    out->host = authority.host;
    out->port = authority.has_port ? authority.port : out->is_https ? PORT_HTTPS : PORT_HTTP;
    return true;
}

bool origin_equals(const struct origin *a, const struct origin *b) {
    return a->is_https == b->is_https && a->port == b->port && slice_equals_ignoring_case(a->host, b->host);
}
