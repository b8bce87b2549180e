// Tries one address after another. Any thread.
#include "server/http/listen_socket.h"

#include "server/http/http_limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static bool bind_and_listen(int descriptor, const struct addrinfo *address) {
    int on = 1;  // so that a server can start right after one that has ended
    int off = 0; // "::" is for both families, whatever the system's default is
    if (address->ai_family == AF_INET6 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) {
        return false;
    }
    return setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 && listen(descriptor, LISTEN_BACKLOG) == 0;
}

// A socket for each try: one that could not be bound keeps the family it was made for.
static int try_address(const struct addrinfo *address) {
    int descriptor = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (descriptor >= 0 && bind_and_listen(descriptor, address)) {
        return descriptor;
    }
    int error = uv_translate_sys_error(errno);
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
    return error;
}

int listen_socket(const struct addrinfo *addresses) {
    int outcome = UV_EADDRNOTAVAIL;
    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        outcome = try_address(address);
        if (outcome >= 0 || outcome == UV_EADDRINUSE) {
            break;
        }
    }
    return outcome;
}
