// The socket a server listens on. Any thread.
#ifndef SERVER_LISTEN_SOCKET_H
#define SERVER_LISTEN_SOCKET_H

#include "check.h"

#include <netdb.h>

// Listens on the first of the addresses that allows it: a descriptor, the caller's to close. A port that is taken ends
// the search: two servers must not share a name. Otherwise negative: libuv's number for the last error.
MUST_CHECK int listen_socket(const struct addrinfo *addresses);

#endif
