// Opens the listening socket of a server. Any thread.
#ifndef SERVER_HTTP_LISTEN_SOCKET_H
#define SERVER_HTTP_LISTEN_SOCKET_H

#include "observability/base/base.h"

#include <netdb.h>

// Listens on the first of the addresses that works. Returns a descriptor that the caller closes, or a negative error
// number of libuv. A port that is in use ends the search with UV_EADDRINUSE: otherwise a second server would silently
// listen on another address of the same name.
MUST_CHECK int listen_socket(const struct addrinfo *addresses);

#endif
