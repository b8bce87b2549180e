// guard: which hosts, which origins and which admin tokens are accepted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/http/guard.h"

static struct slice slice_or_none(const char *text) {
    return text == NULL ? (struct slice){NULL, 0} : slice_of(text);
}

// Makes a request to an authority that the parser accepts.
static struct http_request request_to(const char *authority) {
    struct http_request request = {.authority = slice_or_none(authority)};
    assert_true(authority_parse(request.authority, &request.server));
    return request;
}

static bool allows_host(const char *bind_host, const char *allowed, const char *authority) {
    struct guard guard = {.bind_host = bind_host, .allowed_hosts = allowed};
    struct http_request request = request_to(authority);
    return guard_allows_host(&guard, &request);
}

static void test_loopback_is_allowed(void **state) {
    (void)state;
    static const char *const good[] = {"localhost", "LOCALHOST", "localhost:8000", "127.0.0.1", "127.0.0.1:80",
                                       "127.1.2.3", "[::1]",     "[::1]:8000",     NULL};
    for (size_t i = 0; good[i] != NULL; i++) {
        assert_true(allows_host("127.0.0.1", NULL, good[i]));
    }
    assert_true(allows_host("127.0.0.1", NULL, NULL)); // HTTP/1.0 without a Host
}

static void test_addresses_to_listen_on(void **state) {
    (void)state;
    static const char *const loopback[] = {"localhost", "127.0.0.1", "127.0.0.2", "::1", "[::1]"};
    static const char *const others[] = {"0.0.0.0", "::", "192.0.2.1", "127.0.0.1.example", ""};
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++) {
        assert_true(guard_host_is_loopback(slice_of(loopback[i])));
        assert_false(guard_host_is_loopback(slice_of(others[i])));
    }
}

static void test_other_names_are_not(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      ":8000",
                                      "attacker.example",
                                      "attacker.example:8000",
                                      "localhost.attacker.example",
                                      "127.0.0.1.attacker.example",
                                      "127.0.0.1x",
                                      "xlocalhost",
                                      "128.0.0.1",
                                      "0.0.0.0",
                                      "[::2]",
                                      "localhost.",
                                      NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        assert_false(allows_host("127.0.0.1", NULL, bad[i]));
    }
}

static void test_configured_hosts(void **state) {
    (void)state;
    assert_true(allows_host("192.0.2.7", NULL, "192.0.2.7:8000"));
    assert_false(allows_host("192.0.2.7", NULL, "192.0.2.8:8000"));
    static const char list[] = "bank.example, lab21-bank-api,,Other.Example";
    assert_true(allows_host("127.0.0.1", list, "bank.example"));
    assert_true(allows_host("127.0.0.1", list, "lab21-bank-api:8000"));
    assert_true(allows_host("127.0.0.1", list, "OTHER.example:1"));
    assert_false(allows_host("127.0.0.1", list, "bank"));
    assert_false(allows_host("127.0.0.1", list, "bank.example."));
    assert_false(allows_host("127.0.0.1", list, "bank.example,lab21-bank-api"));
    assert_false(allows_host("127.0.0.1", list, ""));
    assert_false(allows_host("127.0.0.1", ", ,", ""));
}

static bool allows_origin(const char *authority, const char *origin) {
    struct guard guard = {.bind_host = "127.0.0.1", .public_origins = "https://bank.example, http://other.example:81"};
    struct http_request request = request_to(authority);
    request.headers[HTTP_HEADER_ORIGIN] = slice_or_none(origin);
    return guard_allows_origin(&guard, &request);
}

static void test_origin(void **state) {
    (void)state;
    assert_true(allows_origin("localhost:8000", NULL));
    assert_true(allows_origin("localhost:8000", "http://localhost:8000"));
    assert_true(allows_origin("localhost:8000", "HTTP://LOCALHOST:8000"));
    assert_true(allows_origin("localhost:80", "http://localhost"));
    assert_true(allows_origin("localhost", "http://localhost:80"));
    assert_false(allows_origin("localhost:8000", "http://localhost:3000"));
    assert_false(allows_origin("localhost:8000", "http://localhost"));
    assert_false(allows_origin("localhost:8000", "https://localhost:8000"));
    assert_false(allows_origin("localhost:8000", "http://attacker.example"));
    assert_false(allows_origin("localhost:8000", "null"));
    assert_false(allows_origin("localhost:8000", ""));
    assert_false(allows_origin(NULL, "http://attacker.example"));
}

static void test_public_origins(void **state) {
    (void)state;
    assert_true(allows_origin("127.0.0.1:8000", "https://bank.example"));
    assert_true(allows_origin("127.0.0.1:8000", "https://BANK.example:443"));
    assert_true(allows_origin("bank.example", "http://other.example:81"));
    assert_true(allows_origin(NULL, "https://bank.example"));
    assert_false(allows_origin("127.0.0.1:8000", "http://bank.example"));
    assert_false(allows_origin("127.0.0.1:8000", "https://bank.example:8443"));
    assert_false(allows_origin("127.0.0.1:8000", "https://bank.example.attacker.example"));
    assert_false(allows_origin("127.0.0.1:8000", "http://other.example"));
    assert_true(guard_origins_are_valid(NULL));
    assert_true(guard_origins_are_valid("https://a,http://[::1]:8000"));
    assert_false(guard_origins_are_valid("https://a, bank.example"));
    assert_false(guard_origins_are_valid("https://a/"));
    assert_false(guard_origins_are_valid("*"));
}

static bool allows_scheme(bool is_https, const char *authority) {
    struct guard guard = {.bind_host = "127.0.0.1", .public_origins = "https://bank.example"};
    struct http_request request = request_to(authority);
    request.is_https = is_https;
    return guard_allows_host(&guard, &request);
}

static void test_hosts_of_public_origins(void **state) {
    (void)state;
    assert_true(allows_scheme(false, "bank.example"));
    assert_true(allows_scheme(false, "bank.example:8000"));
    assert_true(allows_scheme(true, "bank.example"));
    assert_true(allows_scheme(true, "bank.example:443"));
    assert_false(allows_scheme(true, "bank.example:8000"));
    assert_false(allows_scheme(true, "localhost"));
    assert_false(allows_scheme(false, "other.example"));
}

static bool allows_admin(const char *token, const char *sent) {
    struct guard guard = {.bind_host = "127.0.0.1", .admin_token = token};
    struct http_request request = {0};
    request.headers[HTTP_HEADER_AUTHORIZATION] = slice_or_none(sent);
    return guard_allows_admin(&guard, &request);
}

static void test_admin_is_open_without_a_token(void **state) {
    (void)state;
    assert_true(allows_admin(NULL, NULL));
    assert_true(allows_admin(NULL, "Bearer anything"));
}

static void test_admin_token(void **state) {
    (void)state;
    assert_true(allows_admin("secret", "Bearer secret"));
    assert_true(allows_admin("secret", "bearer secret"));
    assert_true(allows_admin("secret", "BEARER   secret"));
    static const char *const bad[] = {NULL,
                                      "",
                                      "Bearer",
                                      "Bearer ",
                                      "Bearer secre",
                                      "Bearer secres",
                                      "Bearer secrets",
                                      "Bearer Secret",
                                      "Basic secret",
                                      "secret",
                                      "Bearersecret",
                                      "Bearer\tsecret"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(allows_admin("secret", bad[i]));
    }
}

// A NUL in the token of a client must not end the comparison.
static void test_admin_token_with_a_nul(void **state) {
    (void)state;
    struct guard guard = {.bind_host = "127.0.0.1", .admin_token = "secret"};
    struct http_request request = {0};
    request.headers[HTTP_HEADER_AUTHORIZATION] = SLICE_LITERAL("Bearer secret\0x");
    assert_false(guard_allows_admin(&guard, &request));
    request.headers[HTTP_HEADER_AUTHORIZATION] = SLICE_LITERAL("Bearer secret\0");
    assert_false(guard_allows_admin(&guard, &request));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback_is_allowed),
        cmocka_unit_test(test_addresses_to_listen_on),
        cmocka_unit_test(test_other_names_are_not),
        cmocka_unit_test(test_configured_hosts),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_public_origins),
        cmocka_unit_test(test_hosts_of_public_origins),
        cmocka_unit_test(test_admin_is_open_without_a_token),
        cmocka_unit_test(test_admin_token),
        cmocka_unit_test(test_admin_token_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
