// The socket a server listens on. Any thread.
#ifndef SERVER_HTTP_LISTEN_SOCKET_H
#define SERVER_HTTP_LISTEN_SOCKET_H

#include "observability/base/base.h"

#include <netdb.h>

// Listens on the first of the addresses that allows it: a descriptor, the caller's to close. A port that is taken ends
// the search: a second server shall not quietly take another address of the same name. Otherwise negative: libuv's number for the last error.
MUST_CHECK int listen_socket(const struct addrinfo *addresses);

#endif
