// authority: the valid ones, the invalid ones, and the equality of origins.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "server/http/authority.h"

static void test_authorities(void **state) {
    (void)state;
    static const struct {
        const char *text, *host;
        bool has_port;
        uint16_t port;
    } good[] = {
        {"", "", false, 0},
        {"localhost", "localhost", false, 0},
        {"localhost:8000", "localhost", true, 8000},
        {"localhost:", "localhost", false, 0},
        {"localhost:0", "localhost", true, 0},
        {"localhost:0080", "localhost", true, 80},
        {"localhost:65535", "localhost", true, 65535},
        {":8000", "", true, 8000},
        {"127.0.0.1:1", "127.0.0.1", true, 1},
        {"a-b_c.d~e!f$g&h'i(j)k*l+m,n;o=p", "a-b_c.d~e!f$g&h'i(j)k*l+m,n;o=p", false, 0},
        {"b%C3%BCcher.example:1", "b%C3%BCcher.example", true, 1},
        {"[::1]", "[::1]", false, 0},
        {"[::1]:8000", "[::1]", true, 8000},
        {"[::1]:", "[::1]", false, 0},
        {"[2001:DB8::192.0.2.1]", "[2001:DB8::192.0.2.1]", false, 0},
        {"[v1f.x:y]:2", "[v1f.x:y]", true, 2},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct authority authority;
        if (!authority_parse(slice_of(good[i].text), &authority)) {
            fail_msg("refused: %s", good[i].text);
        }
        assert_true(slice_equals(authority.host, slice_of(good[i].host)));
        assert_int_equal(authority.has_port, good[i].has_port);
        assert_int_equal(authority.port, good[i].port);
    }
}

static void test_what_is_no_authority(void **state) {
    (void)state;
    static const char *const bad[] = {"localhost:8000x",
                                      "localhost:x",
                                      "localhost:-1",
                                      "localhost:+1",
                                      "localhost: 1",
                                      "localhost:65536",
                                      "localhost:1:2",
                                      "localhost/",
                                      "localhost:1/",
                                      "localhost?x",
                                      "localhost#x",
                                      "me@localhost",
                                      "me:pw@localhost",
                                      "local host",
                                      "localhost ",
                                      "local\thost",
                                      "local\\host",
                                      "localh\xC3\xB6st",
                                      "localhost%",
                                      "localhost%2",
                                      "localhost%2x",
                                      "::1",
                                      "::1:8000",
                                      "[::1",
                                      "[::1]8000",
                                      "[::1]:x",
                                      "[::1].evil",
                                      "[]",
                                      "[]:1",
                                      "[localhost]",
                                      "[127.0.0.1]",
                                      "[::1%25eth0]",
                                      "[::12345]",
                                      "[v1]",
                                      "[v.x]",
                                      "[vx.y]",
                                      "[v1.]",
                                      "[v1.x/y]",
                                      "\"localhost\"",
                                      "<localhost>",
                                      "localhost|",
                                      "a]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct authority authority;
        if (authority_parse(slice_of(bad[i]), &authority)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    struct authority authority;
    assert_false(authority_parse(SLICE_LITERAL("local\0host"), &authority));
    assert_false(authority_parse(SLICE_LITERAL("[::1\0]"), &authority));
}

static bool are_same(const char *one, const char *other) {
    struct origin a;
    struct origin b;
    assert_true(origin_parse(slice_of(one), &a));
    assert_true(origin_parse(slice_of(other), &b));
    return origin_equals(&a, &b);
}

static void test_origins(void **state) {
    (void)state;
    assert_true(are_same("http://localhost", "HTTP://LocalHost:80"));
    assert_true(are_same("https://bank.example", "https://bank.example:443"));
    assert_true(are_same("http://[::1]:8000", "http://[::1]:8000"));
    assert_false(are_same("http://localhost", "https://localhost"));
    assert_false(are_same("http://localhost", "http://localhost:443"));
    assert_false(are_same("http://localhost:1", "http://localhost:2"));
    assert_false(are_same("http://localhost", "http://localhost.evil"));
    static const char *const none[] = {"",           "null",      "http",       "http:",      "http://",
                                       "http://:80", "https://",  "ftp://a",    "file://",    "//localhost",
                                       "localhost",  "http://a/", "http://a:x", "http://a@b", "http://a,http://b"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct origin origin;
        if (origin_parse(slice_of(none[i]), &origin)) {
            fail_msg("taken: %s", none[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authorities),
        cmocka_unit_test(test_what_is_no_authority),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
