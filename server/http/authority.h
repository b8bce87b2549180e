// The authority of a URI as HTTP uses it: host [":" port] (RFC 9110 section 7.2, RFC 3986 section 3.2), and the
// origin of a web page (RFC 6454). Any thread.
#ifndef SERVER_HTTP_AUTHORITY_H
#define SERVER_HTTP_AUTHORITY_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define PORT_HTTP 80
#define PORT_HTTPS 443

struct authority {
    struct slice host; // may be empty; an IPv6 address keeps its brackets
    bool has_port;     // "host:" has none: an empty port means the default of the scheme
    uint16_t port;
};

struct origin {
    bool is_https;
    struct slice host;
    uint16_t port; // the default of the scheme is filled in
};

// False if the text is no authority: a port that is not a number up to 65535, a user's name, a path, a space, an IPv6
// address without brackets. The host is a part of the text.
MUST_CHECK bool authority_parse(struct slice text, struct authority *out);

// "scheme://host[:port]" with the scheme http or https and a host. False: it is another scheme, "null", or no origin.
MUST_CHECK bool origin_parse(struct slice text, struct origin *out);
MUST_CHECK bool origin_equals(const struct origin *a, const struct origin *b);

#endif
