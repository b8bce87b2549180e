// Sends a blocking GET /health. Main thread of its own process.
#include "server/healthcheck.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEALTHCHECK_TIMEOUT_S 3

// A server that listens on all addresses is reached on the loopback address.
static const char *reachable(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ? "localhost" : host;
}

static int connect_to(const char *host, uint16_t port) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return -1;
    }
    int descriptor = -1;
    for (const struct addrinfo *address = found; address != NULL && descriptor < 0; address = address->ai_next) {
        descriptor = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
        struct timeval timeout = {.tv_sec = HEALTHCHECK_TIMEOUT_S};
        if (descriptor >= 0 && (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
                                setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
                                connect(descriptor, address->ai_addr, address->ai_addrlen) != 0)) {
            (void)close(descriptor);
            descriptor = -1;
        }
    }
    freeaddrinfo(found);
    return descriptor;
}

bool healthcheck(const char *host, uint16_t port, struct text *problem) {
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char healthy[] = "HTTP/1.1 200 ";
    char answer[1024];
    int descriptor = connect_to(reachable(host), port);
    if (descriptor < 0) {
        text_append_format(problem, "nothing answers on port %u", port);
        return false;
    }
    ssize_t length = -1;
    if (send(descriptor, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof request - 1)) {
        length = recv(descriptor, answer, sizeof answer, 0);
    }
    (void)close(descriptor);
    if (length < (ssize_t)(sizeof healthy - 1)) {
        text_append_format(problem, "no answer on port %u within %d s", port, HEALTHCHECK_TIMEOUT_S);
        return false;
    }
    bool good = memcmp(answer, healthy, sizeof healthy - 1) == 0;
    if (!good) {
        text_append_string(problem, "not healthy: ");
        const char *line_end = memchr(answer, '\r', (size_t)length);
        text_append(problem, answer, line_end == NULL ? (size_t)length : (size_t)(line_end - answer));
    }
    return good;
}
