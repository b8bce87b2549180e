// http_parser: the corpus in pieces of every size, the limits, and the expectation of 100 Continue.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "http_feed.h"
#include "server/http/http_limits.h"
#include "server/http/http_parser.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CORPUS_LEAST 100 // fewer files mean that the corpus was not found
#define HEAD "Host: localhost\r\n"
#define CHUNKED_HEAD "POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"

static struct text read_file(const char *path) {
    struct text content = {0};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
        return content;
    }
    char piece[4096];
    size_t length;
    do {
        length = fread(piece, 1, sizeof piece, file);
        text_append(&content, piece, length);
    } while (length == sizeof piece);
    (void)fclose(file);
    return content;
}

static void assert_feed(struct slice bytes, size_t first, size_t step, const char *expected, const char *name) {
    struct text got = {0};
    (void)http_feed(bytes, first, step, &got);
    if (strcmp(text_terminated(&got), expected) != 0) {
        fail_msg("%s, first piece of %zu, then of %zu bytes\nexpected: %s     got: %s", name, first, step, expected,
                 text_terminated(&got));
    }
    text_free(&got);
}

static void check_corpus_file(const char *name) {
    struct text path = {0};
    text_append_format(&path, CORPUS "/%s", name);
    struct text bytes = read_file(text_terminated(&path));
    text_clear(&path);
    text_append_format(&path, EXPECTATIONS "/%.*s.expect", (int)(strlen(name) - strlen(".http")), name);
    struct text expected = read_file(text_terminated(&path));
    const char *wanted = text_terminated(&expected);
    struct slice all = {bytes.data, bytes.length};
    assert_feed(all, 0, 0, wanted, name);
    assert_feed(all, 0, 1, wanted, name);
    for (size_t cut = 1; cut < all.length; cut++) {
        assert_feed(all, cut, 0, wanted, name);
    }
    text_free(&expected);
    text_free(&bytes);
    text_free(&path);
}

static void test_corpus_in_every_cut(void **state) {
    (void)state;
    DIR *directory = opendir(CORPUS);
    CHECK(directory != NULL);
    size_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (slice_ends_with(slice_of(entry->d_name), SLICE_LITERAL(".http"))) {
            check_corpus_file(entry->d_name);
            count++;
        }
    }
    assert_int_equal(closedir(directory), 0);
    assert_true(count >= CORPUS_LEAST);
}

static void append_many(struct text *out, char letter, size_t count) {
    for (size_t i = 0; i < count; i++) {
        text_append(out, &letter, 1);
    }
}

// Parses the bytes at once and in pieces, and checks the status. 0 means that at least one request was parsed and none
// was refused.
static void assert_status(struct text *bytes, int expected) {
    static const struct {
        size_t first, step;
    } cuts[] = {{0, 0}, {0, 1}, {0, 7}, {0, 4096}, {1, 0}, {8191, 0}, {8200, 0}};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct text got = {0};
        int status = http_feed((struct slice){bytes->data, bytes->length}, cuts[i].first, cuts[i].step, &got);
        assert_int_equal(status, expected);
        bool understood = strstr(text_terminated(&got), "path=") != NULL;
        assert_int_equal(understood, expected == 0);
        text_free(&got);
    }
    text_free(bytes);
}

static struct text request_with_target_of(size_t length) {
    struct text bytes = {0};
    text_append_string(&bytes, "GET /");
    append_many(&bytes, 'a', length - 1);
    text_append_string(&bytes, " HTTP/1.1\r\n" HEAD "\r\n");
    return bytes;
}

static void test_target_limit(void **state) {
    (void)state;
    struct text largest = request_with_target_of(HTTP_URL_MAX);
    assert_status(&largest, 0);
    struct text too_large = request_with_target_of(HTTP_URL_MAX + 1);
    assert_status(&too_large, 414);
    struct text endless = {0}; // must be refused before it is complete
    text_append_string(&endless, "GET /");
    append_many(&endless, 'a', HTTP_URL_MAX);
    assert_status(&endless, 414);
}

// Makes a request whose headers count as `bytes_in_all`: names, values, and four bytes of separators for each header.
static struct text request_with_headers_of(size_t bytes_in_all) {
    struct text bytes = {0};
    text_append_string(&bytes, "GET / HTTP/1.1\r\n" HEAD "X: ");
    append_many(&bytes, 'v', bytes_in_all - strlen(HEAD) - strlen("X: \r\n"));
    text_append_string(&bytes, "\r\n\r\n");
    return bytes;
}

static void test_header_limit(void **state) {
    (void)state;
    struct text largest = request_with_headers_of(HTTP_HEADERS_MAX);
    assert_status(&largest, 0);
    struct text too_large = request_with_headers_of(HTTP_HEADERS_MAX + 1);
    assert_status(&too_large, 431);
    struct text endless_name = {0};
    text_append_string(&endless_name, "GET / HTTP/1.1\r\n");
    append_many(&endless_name, 'n', HTTP_HEADERS_MAX + 1);
    assert_status(&endless_name, 431);
}

static void test_many_small_headers(void **state) {
    (void)state;
    struct text bytes = {0};
    text_append_string(&bytes, "GET / HTTP/1.1\r\n" HEAD);
    for (size_t i = 0; i < HTTP_HEADERS_MAX / 6 + 1; i++) { // "a:b" and its separators count six bytes
        text_append_string(&bytes, "a:b\r\n");
    }
    text_append_string(&bytes, "\r\n");
    assert_status(&bytes, 431);
}

static void test_header_limit_is_a_request_s(void **state) {
    (void)state;
    struct text both = request_with_headers_of(HTTP_HEADERS_MAX);
    struct text second = request_with_headers_of(HTTP_HEADERS_MAX);
    text_append(&both, second.data, second.length);
    text_free(&second);
    assert_status(&both, 0);
}

static void test_trailer_and_extension_limit(void **state) {
    (void)state;
    static const char *const starts[] = {"0\r\nX: ", "1;", "1;a=", "1;a=\""};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct text bytes = {0};
        text_append_string(&bytes, CHUNKED_HEAD);
        text_append_string(&bytes, starts[i]);
        append_many(&bytes, 'x', HTTP_HEADERS_MAX);
        assert_status(&bytes, 431);
    }
}

static struct text request_with_body_of(size_t length) {
    struct text bytes = {0};
    text_append_format(&bytes, "POST / HTTP/1.1\r\n" HEAD "Content-Length: %zu\r\n\r\n", length);
    append_many(&bytes, 'b', length);
    return bytes;
}

static void test_body_limit(void **state) {
    (void)state;
    struct text largest = request_with_body_of(HTTP_BODY_MAX);
    assert_status(&largest, 0);
    struct text too_large = request_with_body_of(HTTP_BODY_MAX + 1);
    assert_status(&too_large, 413);
}

static struct text request_with_chunks_of(size_t chunk, size_t count) {
    struct text bytes = {0};
    text_append_string(&bytes, CHUNKED_HEAD);
    for (size_t i = 0; i < count; i++) {
        text_append_format(&bytes, "%zx\r\n", chunk);
        append_many(&bytes, 'c', chunk);
        text_append_string(&bytes, "\r\n");
    }
    text_append_string(&bytes, "0\r\n\r\n");
    return bytes;
}

static void test_chunked_body_limit(void **state) {
    (void)state;
    struct text largest = request_with_chunks_of(4096, HTTP_BODY_MAX / 4096);
    assert_status(&largest, 0);
    struct text too_large = request_with_chunks_of(4096, HTTP_BODY_MAX / 4096 + 1);
    assert_status(&too_large, 413);
    struct text dribble = request_with_chunks_of(1, 5000);
    assert_status(&dribble, 0);
}

static struct text padded_with(const char *start, const char *padding, size_t length, const char *end) {
    struct text bytes = {0};
    text_append_string(&bytes, start);
    for (size_t i = 0; i < length; i += strlen(padding)) {
        text_append_string(&bytes, padding);
    }
    text_append_string(&bytes, end);
    return bytes;
}

// llhttp skips this padding without a callback. Too much of it must be refused, whether the request is complete or not.
static void test_padding_limit(void **state) {
    (void)state;
    static const struct {
        const char *start, *padding, *end;
    } cases[] = {
        {CHUNKED_HEAD, "0", "0\r\n\r\n"},
        {CHUNKED_HEAD "1\r\nx\r\n", "0", "0\r\n\r\n"},
        {CHUNKED_HEAD "0\r\nX: ", " ", "y\r\n\r\n"},
        {CHUNKED_HEAD "0\r\nX:", "\t", "y\r\n\r\n"},
        {"GET / HTTP/1.1\r\n" HEAD "X: ", " ", "y\r\n\r\n"},
        {"", "\r\n", "GET / HTTP/1.1\r\n" HEAD "\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t room = HTTP_REQUEST_MAX - strlen(cases[i].start) - strlen(cases[i].end);
        room -= room % strlen(cases[i].padding);
        struct text fits = padded_with(cases[i].start, cases[i].padding, room, cases[i].end);
        assert_status(&fits, 0);
        struct text whole = padded_with(cases[i].start, cases[i].padding, room + 2, cases[i].end);
        assert_status(&whole, 413);
        struct text endless = padded_with(cases[i].start, cases[i].padding, HTTP_REQUEST_MAX + 1, "");
        assert_status(&endless, 413);
    }
}

static void test_the_longest_framing_of_the_longest_body_fits(void **state) {
    (void)state;
    struct text twice = {0};
    for (int i = 0; i < 2; i++) { // the count must start again at the second request
        struct text one = {0};
        text_append_string(&one, "POST /");
        append_many(&one, 'a', HTTP_URL_MAX - 1);
        text_append_string(&one, " HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\nX: ");
        append_many(&one, 'v', HTTP_HEADERS_MAX - strlen(HEAD "Transfer-Encoding: chunked\r\nX: \r\n"));
        text_append_string(&one, "\r\n\r\n");
        for (size_t chunk = 0; chunk < HTTP_BODY_MAX; chunk++) {
            text_append_string(&one, "1\r\nc\r\n");
        }
        text_append_string(&one, "0\r\n\r\n");
        text_append(&twice, one.data, one.length);
        text_free(&one);
    }
    assert_status(&twice, 0);
}

static enum http_parse_result feed(struct http_parser *parser, const char *bytes) {
    size_t used;
    return http_parser_feed(parser, bytes, strlen(bytes), &used);
}

static void test_expectation_is_reported_once(void **state) {
    (void)state;
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\n" HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\n" HEAD "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct http_parser *parser = http_parser_new();
        assert_int_equal(feed(parser, heads[i]), HTTP_PARSE_MORE);
        assert_true(http_parser_is_inside_request(parser));
        assert_true(http_parser_take_expectation(parser));
        assert_false(http_parser_take_expectation(parser));
        http_parser_free(parser);
    }
}

static void test_no_continue_where_nobody_waits(void **state) {
    (void)state;
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\n" HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{", // the client did not wait
        "POST / HTTP/1.0\r\n" HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\n" HEAD "Content-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\n" HEAD "Expect: 100-continue\r\n", // the head is not complete
        "POST / HTTP/1.1\r\n" HEAD "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct http_parser *parser = http_parser_new();
        enum http_parse_result result = feed(parser, heads[i]);
        assert_int_not_equal(result, HTTP_PARSE_ERROR);
        assert_false(http_parser_take_expectation(parser));
        http_parser_free(parser);
    }
}

static void test_inside_request_from_first_byte_to_last(void **state) {
    (void)state;
    struct http_parser *parser = http_parser_new();
    assert_false(http_parser_is_inside_request(parser));
    assert_int_equal(feed(parser, "\r\n"), HTTP_PARSE_MORE);
    assert_false(http_parser_is_inside_request(parser));
    assert_int_equal(feed(parser, "G"), HTTP_PARSE_MORE);
    assert_true(http_parser_is_inside_request(parser));
    assert_int_equal(feed(parser, "ET / HTTP/1.1\r\n" HEAD "\r\n"), HTTP_PARSE_REQUEST);
    assert_false(http_parser_is_inside_request(parser));
    http_parser_next(parser);
    assert_int_equal(feed(parser, "P"), HTTP_PARSE_MORE);
    assert_true(http_parser_is_inside_request(parser));
    http_parser_free(parser);
}

static void test_used_stops_behind_the_request(void **state) {
    (void)state;
    static const char two[] = "GET /a HTTP/1.1\r\n" HEAD "\r\nGET /b HTTP/1.1\r\n" HEAD "\r\n";
    struct http_parser *parser = http_parser_new();
    size_t used = 0;
    assert_int_equal(http_parser_feed(parser, two, sizeof two - 1, &used), HTTP_PARSE_REQUEST);
    assert_int_equal(used, (sizeof two - 1) / 2);
    assert_true(slice_equals(http_parser_request(parser)->path, SLICE_LITERAL("/a")));
    http_parser_next(parser);
    assert_int_equal(http_parser_feed(parser, two + used, used, &used), HTTP_PARSE_REQUEST);
    assert_true(slice_equals(http_parser_request(parser)->path, SLICE_LITERAL("/b")));
    http_parser_free(parser);
}

static void test_refusals_say_what_to_change(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        const char *word;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "Host"},
        {"GET / HTTP/1.1\r\n" HEAD HEAD, "twice"},
        {"GET / HTTP/2.0\r\n" HEAD "\r\n", "HTTP"},
        {"POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", "chunked"},
        {"POST / HTTP/1.1\r\n" HEAD "Expect: a miracle\r\n\r\n", "100-continue"},
        {"POST / HTTP/1.1\r\n" HEAD "Content-Length: 99999999\r\n\r\n", "64 KiB"},
        {"POST / HTTP/1.1\r\n" HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "Content-Length"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_parser *parser = http_parser_new();
        assert_int_equal(feed(parser, cases[i].bytes), HTTP_PARSE_ERROR);
        const char *detail = http_parser_error(parser).detail;
        if (strstr(detail, cases[i].word) == NULL) {
            fail_msg("no \"%s\" in: %s", cases[i].word, detail);
        }
        http_parser_free(parser);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_in_every_cut),
        cmocka_unit_test(test_target_limit),
        cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_many_small_headers),
        cmocka_unit_test(test_header_limit_is_a_request_s),
        cmocka_unit_test(test_trailer_and_extension_limit),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_chunked_body_limit),
        cmocka_unit_test(test_padding_limit),
        cmocka_unit_test(test_the_longest_framing_of_the_longest_body_fits),
        cmocka_unit_test(test_expectation_is_reported_once),
        cmocka_unit_test(test_no_continue_where_nobody_waits),
        cmocka_unit_test(test_inside_request_from_first_byte_to_last),
        cmocka_unit_test(test_used_stops_behind_the_request),
        cmocka_unit_test(test_refusals_say_what_to_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
