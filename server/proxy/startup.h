// The packets before the protocol proper: they have no type byte. Pure functions.
#ifndef SERVER_PROXY_STARTUP_H
#define SERVER_PROXY_STARTUP_H

#include "observability/base/base.h"

#include <stddef.h>

enum {
    STARTUP_PACKET_MAX = 10000, // PostgreSQL's MAX_STARTUP_PACKET_LENGTH
};

enum startup_kind {
    STARTUP_INCOMPLETE,
    STARTUP_TLS_REQUEST,    // SSLRequest
    STARTUP_GSS_REQUEST,    // GSSENCRequest
    STARTUP_CANCEL_REQUEST, // the whole packet is here
    STARTUP_MESSAGE,        // a StartupMessage of any version; the whole packet is here
    STARTUP_TLS_HELLO,      // TLS without an SSLRequest (sslnegotiation=direct)
    STARTUP_UNKNOWN,        // no length that a server accepts: the server judges it
};

struct startup {
    size_t length;         // the packet's
    uint32_t version;      // a StartupMessage's: major << 16 | minor
    struct slice user;     // a StartupMessage's; empty: it has none
    struct slice database; // likewise
    struct slice key;      // a CancelRequest's: the process id and the secret, as in BackendKeyData
};

MUST_CHECK enum startup_kind startup_read(struct slice bytes, struct startup *out);

#endif
