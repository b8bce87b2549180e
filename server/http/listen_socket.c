// Opens a listening socket on the first address that works. Any thread.
#include "server/http/listen_socket.h"

#include "server/http/http_limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static bool bind_and_listen(int descriptor, const struct addrinfo *address) {
    int on = 1;  // SO_REUSEADDR: a server can start right after the last one has ended
    int off = 0; // IPV6_V6ONLY: "::" accepts IPv4 as well, on systems with any default
    if (address->ai_family == AF_INET6 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) {
        return false;
    }
    return setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 && listen(descriptor, LISTEN_BACKLOG) == 0;
}

// Each address gets a new socket, because the address family of a socket cannot be changed. Returns a descriptor, or an
// error of libuv.
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
