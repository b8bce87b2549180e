// router: every route of the contract, its methods, and the paths that are none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "server/api/router.h"
#include "server/api/routes.h"

#include <stdlib.h>

// The HTTP surface of the contract; GET answers HEAD too.
static const struct {
    enum http_method method;
    const char *path;
    const char *template;
    void (*handle)(struct exchange *exchange);
    bool needs_admin;
} contract[] = {
    {HTTP_METHOD_GET, "/", "/", handle_page, false},
    {HTTP_METHOD_GET, "/docs", "/docs", handle_page, false},
    {HTTP_METHOD_GET, "/explore", "/explore", handle_page, false},
    {HTTP_METHOD_GET, "/openapi.json", "/openapi.json", handle_page, false},
    {HTTP_METHOD_GET, "/page/page.css", "/page/{name}", handle_page_file, false},
    {HTTP_METHOD_GET, "/events", "/events", handle_events, false},
    {HTTP_METHOD_GET, "/races", "/races", handle_races, false},
    {HTTP_METHOD_GET, "/races/0123abcd", "/races/{transfer_id}", handle_race, false},
    {HTTP_METHOD_GET, "/health", "/health", handle_health, false},
    {HTTP_METHOD_GET, "/accounts", "/accounts", handle_accounts, false},
    {HTTP_METHOD_GET, "/accounts/alice", "/accounts/{id}", handle_account, false},
    {HTTP_METHOD_POST, "/transfer", "/transfer", handle_transfer, false},
    {HTTP_METHOD_GET, "/transactions", "/transactions", handle_transactions, false},
    {HTTP_METHOD_GET, "/transfers/0123abcd", "/transfers/{transfer_id}", handle_transfer_record, false},
    {HTTP_METHOD_POST, "/reset", "/reset", handle_reset, true},
    {HTTP_METHOD_GET, "/metrics", "/metrics", handle_metrics, false},
    {HTTP_METHOD_GET, "/admin/settings", "/admin/settings", handle_settings, true},
    {HTTP_METHOD_POST, "/admin/settings", "/admin/settings", handle_settings_change, true},
    {HTTP_METHOD_POST, "/admin/delay", "/admin/delay", handle_shortcut, true},
    {HTTP_METHOD_POST, "/admin/barrier", "/admin/barrier", handle_shortcut, true},
    {HTTP_METHOD_POST, "/admin/transactions", "/admin/transactions", handle_shortcut, true},
    {HTTP_METHOD_POST, "/admin/strategy", "/admin/strategy", handle_shortcut, true},
    {HTTP_METHOD_GET, "/strategies", "/strategies", handle_strategies, false},
    {HTTP_METHOD_GET, "/audit", "/audit", handle_audit, false},
};

#define CONTRACT_COUNT (sizeof contract / sizeof contract[0])

static void test_every_route_of_the_contract(void **state) {
    (void)state;
    for (size_t i = 0; i < CONTRACT_COUNT; i++) {
        struct route_match match = router_find(contract[i].method, slice_of(contract[i].path));
        assert_non_null(match.route);
        assert_true(match.method_allowed);
        assert_string_equal(match.route->template, contract[i].template);
        assert_ptr_equal(match.route->handle, contract[i].handle);
        assert_int_equal(match.route->needs_admin, contract[i].needs_admin);
    }
}

static void test_head_is_answered_by_get(void **state) {
    (void)state;
    for (size_t i = 0; i < CONTRACT_COUNT; i++) {
        if (contract[i].method == HTTP_METHOD_GET) {
            struct route_match match = router_find(HTTP_METHOD_HEAD, slice_of(contract[i].path));
            assert_true(match.method_allowed);
            assert_ptr_equal(match.route->handle, contract[i].handle);
        }
    }
}

static void test_other_methods_are_answered_with_the_allowed_ones(void **state) {
    (void)state;
    static const struct {
        enum http_method method;
        const char *path;
        const char *allow;
    } cases[] = {
        {HTTP_METHOD_POST, "/health", "GET, HEAD"},
        {HTTP_METHOD_OTHER, "/accounts/alice", "GET, HEAD"},
        {HTTP_METHOD_GET, "/transfer", "POST"},
        {HTTP_METHOD_HEAD, "/reset", "POST"},
        {HTTP_METHOD_OTHER, "/admin/settings", "GET, HEAD, POST"},
        {HTTP_METHOD_GET, "/admin/delay", "POST"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_match match = router_find(cases[i].method, slice_of(cases[i].path));
        assert_non_null(match.route);
        assert_false(match.method_allowed);
        assert_string_equal(match.allow, cases[i].allow);
    }
}

static void test_paths_that_are_none(void **state) {
    (void)state;
    static const char *const paths[] = {"",
                                        "*",
                                        "/healt",
                                        "/health/",
                                        "/health//",
                                        "//health",
                                        "/Health",
                                        "/accounts/",
                                        "/accounts/a/b",
                                        "/account",
                                        "/accounts/a/",
                                        "/admin",
                                        "/admin/",
                                        "/admin/settings/x",
                                        "/%68ealth",
                                        "/accountsalice",
                                        "/metricsx",
                                        "health",
                                        "/page/",
                                        "/page/a/b",
                                        "/races/",
                                        "/transfer/{id}"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct route_match match = router_find(HTTP_METHOD_GET, slice_of(paths[i]));
        assert_null(match.route);
        assert_false(match.method_allowed);
    }
}

// A path is a slice: no byte behind it may be read. An allocation of its own size lets the sanitizer see such a read.
static void test_parameter_is_what_stood_there(void **state) {
    (void)state;
    static const char *const ids[] = {"a", "alice", "%41", "{id}", "..", "caf\xC3\xA9"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct text path = {0};
        text_append_string(&path, "/accounts/");
        text_append_string(&path, ids[i]);
        char *exact = memory_allocate(path.length);
        memcpy(exact, path.data, path.length);
        struct route_match match = router_find(HTTP_METHOD_GET, (struct slice){exact, path.length});
        assert_non_null(match.route);
        assert_true(slice_equals(match.parameter, slice_of(ids[i])));
        free(exact);
        text_free(&path);
    }
}

// The parameter may stand in the middle of a template, though no route has such a template today.
static void test_parameter_in_the_middle(void **state) {
    (void)state;
    static const char template[] = "/a/{id}/b";
    struct slice parameter = {NULL, 0};
    assert_true(route_template_matches(template, SLICE_LITERAL("/a/x%2F/b"), &parameter));
    assert_true(slice_equals(parameter, SLICE_LITERAL("x%2F")));
    static const char *const others[] = {"/a/x",     "/a/x/", "/a//b", "/a/x/c", "/a/x/b/",
                                         "/a/x/y/b", "/a/",   "/a",    "/ax/b"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(route_template_matches(template, slice_of(others[i]), &parameter));
    }
}

static void test_index_is_unique_and_small(void **state) {
    (void)state;
    bool seen[ROUTES_MAX] = {false};
    for (size_t i = 0; i < CONTRACT_COUNT; i++) {
        struct route_match match = router_find(contract[i].method, slice_of(contract[i].path));
        size_t index = route_index(match.route);
        assert_true(index < ROUTES_MAX);
        assert_false(seen[index]);
        seen[index] = true;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_of_the_contract),
        cmocka_unit_test(test_head_is_answered_by_get),
        cmocka_unit_test(test_other_methods_are_answered_with_the_allowed_ones),
        cmocka_unit_test(test_paths_that_are_none),
        cmocka_unit_test(test_parameter_is_what_stood_there),
        cmocka_unit_test(test_parameter_in_the_middle),
        cmocka_unit_test(test_index_is_unique_and_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
