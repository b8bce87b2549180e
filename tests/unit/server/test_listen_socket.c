// listen_socket: the address of a name that is listened on, and the error if there is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "server/http/listen_socket.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#define NOT_OURS "192.0.2.1" // and 2001:db8::1: reserved for documentation, so no machine has them

static struct addrinfo *address_of(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    assert_int_equal(getaddrinfo(host, port, &hints, &found), 0);
    assert_null(found->ai_next);
    return found;
}

// The addresses of a name that has both families.
static int listen_on_either(const char *first, const char *second, const char *port) {
    struct addrinfo *addresses = address_of(first, port);
    addresses->ai_next = address_of(second, port);
    int descriptor = listen_socket(addresses);
    freeaddrinfo(addresses->ai_next);
    addresses->ai_next = NULL;
    freeaddrinfo(addresses);
    return descriptor;
}

static struct sockaddr_in address_bound(int descriptor) {
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    assert_true(descriptor >= 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(address.sin_family, AF_INET);
    return address;
}

static void assert_listens(int descriptor, const char *host) {
    struct sockaddr_in address = address_bound(descriptor);
    int listens = 0;
    socklen_t size = sizeof listens;
    assert_int_equal(address.sin_addr.s_addr, inet_addr(host));
    assert_int_equal(getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size), 0);
    assert_true(listens);
    (void)close(descriptor);
}

static void test_the_first_that_can_be(void **state) {
    (void)state;
    assert_listens(listen_on_either("127.0.0.1", "127.0.0.2", "0"), "127.0.0.1");
    assert_listens(listen_on_either(NOT_OURS, "127.0.0.2", "0"), "127.0.0.2");
}

// "localhost" on a machine with IPv6 off.
static void test_after_one_of_another_family(void **state) {
    (void)state;
    assert_listens(listen_on_either("2001:db8::1", "127.0.0.1", "0"), "127.0.0.1");
}

static void test_none_that_can_be(void **state) {
    (void)state;
    assert_int_equal(listen_on_either("2001:db8::1", NOT_OURS, "0"), UV_EADDRNOTAVAIL);
}

static void test_a_port_that_is_taken_ends_the_search(void **state) {
    (void)state;
    int other = listen_on_either("127.0.0.1", "127.0.0.2", "0");
    char port[8];
    (void)snprintf(port, sizeof port, "%u", ntohs(address_bound(other).sin_port));
    assert_int_equal(listen_on_either("127.0.0.1", "127.0.0.2", port), UV_EADDRINUSE);
    (void)close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_that_can_be),
        cmocka_unit_test(test_after_one_of_another_family),
        cmocka_unit_test(test_none_that_can_be),
        cmocka_unit_test(test_a_port_that_is_taken_ends_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
