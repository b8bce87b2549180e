// The authority of a URI as HTTP uses it: host [":" port] (RFC 9110 section 7.2, RFC 3986 section 3.2), and the
// origin of a web page (RFC 6454). The slices point into the text that was parsed. Any thread.
#ifndef SERVER_HTTP_AUTHORITY_H
#define SERVER_HTTP_AUTHORITY_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define PORT_HTTP 80
#define PORT_HTTPS 443

struct authority {
    struct slice host; // may be empty; an IPv6 address keeps its brackets
    bool has_port;     // false for "host" and for "host:", which mean the default port of the scheme
    uint16_t port;
};

struct origin {
    bool is_https;
    struct slice host;
    uint16_t port; // the default port of the scheme if the text has none
};

// Returns false if the text is not an authority: it has a port that is not a number up to 65535, a user name, a path,
// a space, or an IPv6 address without brackets. An empty text is an authority with an empty host.
MUST_CHECK bool authority_parse(struct slice text, struct authority *out);

// Parses "scheme://host[:port]". Returns false if the scheme is not http or https, if the host is empty, or if the text
// is not an origin, such as "null".
MUST_CHECK bool origin_parse(struct slice text, struct origin *out);
// Compares the scheme, the port, and the host in any case.
MUST_CHECK bool origin_equals(const struct origin *a, const struct origin *b);

#endif
