// log: the text of the lines in both formats, the limits of a line, and that lines of several threads never mix.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "capture.h"
#include "observability/log/log.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct trace_context trace = {
    .trace_id = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36},
    .span_id = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
    .sampled = true,
};
static const struct log_context about_transfer = {.transfer_id = "9f3c1a2b", .trace = &trace};

// A '#' in the pattern stands for a digit.
static void assert_matches(const char *line, const char *pattern) {
    char shown[8192];
    size_t i = 0;
    for (; line[i] != '\0' && i + 1 < sizeof shown; i++) {
        shown[i] = pattern[i < strlen(pattern) ? i : strlen(pattern)] == '#' && isdigit((unsigned char)line[i])
                       ? '#'
                       : line[i];
    }
    shown[i] = '\0';
    assert_string_equal(shown, pattern);
}

static void test_text_line_about_a_transfer(void **state) {
    (void)state;
    struct text out = {0};
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    capture_begin();
    log_write(LOG_LEVEL_INFO, &about_transfer, "STEP 1: Read balance for %s = $%d.%02d", "alice", 1000, 0);
    capture_end(&out);
    assert_matches(out.data, "##:##:##.### INFO [bank-api] [9f3c1a2b] STEP 1: Read balance for alice = $1000.00\n");
    text_free(&out);
}

static void test_text_line_without_a_transfer(void **state) {
    (void)state;
    struct text out = {0};
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    capture_begin();
    log_write(LOG_LEVEL_DEBUG, NULL, "one");
    log_write(LOG_LEVEL_WARN, &(struct log_context){.trace = &trace}, "two");
    log_write(LOG_LEVEL_ERROR, &(struct log_context){.transfer_id = ""}, "three");
    capture_end(&out);
    assert_matches(out.data, "##:##:##.### DEBUG [bank-api] one\n"
                             "##:##:##.### WARN [bank-api] two\n"
                             "##:##:##.### ERROR [bank-api] three\n");
    text_free(&out);
}

static void test_json_lines(void **state) {
    (void)state;
    struct text out = {0};
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    capture_begin();
    log_write(LOG_LEVEL_WARN, &about_transfer, "say \"hi\"\n\\");
    log_write(LOG_LEVEL_INFO, NULL, "%s", "");
    capture_end(&out);
    assert_matches(out.data,
                   "{\"timestamp\":\"####-##-##T##:##:##.######Z\",\"level\":\"WARN\",\"service\":\"bank-api\","
                   "\"transfer_id\":\"9f3c1a2b\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                   "\"span_id\":\"00f067aa0ba902b7\",\"message\":\"say \\\"hi\\\"\\n\\\\\"}\n"
                   "{\"timestamp\":\"####-##-##T##:##:##.######Z\",\"level\":\"INFO\",\"service\":\"bank-api\","
                   "\"message\":\"\"}\n");
    text_free(&out);
}

// The fields are in JSON only. Money is a number, and a name of an account is escaped and cut to 64 bytes.
static void test_fields(void **state) {
    (void)state;
    struct text out = {0};
    static const struct log_fields fields = {.event = "race_detected",
                                             .account = "a\"b",
                                             .amount = "800.00",
                                             .balance = "-600.00",
                                             .balance_read = "1000.00",
                                             .duration_ms = 1.5,
                                             .outcome = "double_spend",
                                             .racer = "0a1b2c3d"};
    static const struct log_context context = {.strategy = "vulnerable", .fields = &fields};
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    capture_begin();
    log_write(LOG_LEVEL_WARN, &context, "raced");
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_WARN, &context, "raced");
    capture_end(&out);
    assert_matches(out.data, "##:##:##.### WARN [bank-api] raced\n"
                             "{\"timestamp\":\"####-##-##T##:##:##.######Z\",\"level\":\"WARN\","
                             "\"service\":\"bank-api\",\"strategy\":\"vulnerable\",\"event\":\"race_detected\","
                             "\"account\":\"a\\\"b\",\"amount\":800.00,\"balance\":-600.00,\"balance_read\":1000.00,"
                             "\"duration_ms\":1.500,\"outcome\":\"double_spend\",\"racer\":\"0a1b2c3d\","
                             "\"message\":\"raced\"}\n");
    text_free(&out);
}

static void test_level_filters(void **state) {
    (void)state;
    struct text out = {0};
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    capture_begin();
    log_write(LOG_LEVEL_INFO, NULL, "not this");
    log_write(LOG_LEVEL_WARN, NULL, "but this");
    capture_end(&out);
    assert_matches(out.data, "##:##:##.### WARN [bank-api] but this\n");
    text_free(&out);
}

static void test_text_line_stays_one_line(void **state) {
    (void)state;
    struct text out = {0};
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    capture_begin();
    log_write(LOG_LEVEL_INFO, &(struct log_context){.transfer_id = "a\nb"}, "x\n\r\t\x1b[2J\x7f");
    log_write(LOG_LEVEL_INFO, NULL, "caf\xC3\xA9 \xC2\x9B \xC2\xA0 \xFF \xC3");
    capture_end(&out);
    assert_matches(out.data, "##:##:##.### INFO [bank-api] [a\\nb] x\\n\\r\\t\\u001b[2J\\u007f\n"
                             "##:##:##.### INFO [bank-api] caf\xC3\xA9 \\u009b \xC2\xA0 \xEF\xBF\xBD \xEF\xBF\xBD\n");
    text_free(&out);
}

static void assert_message(const char *message, const char *expected) {
    struct text out = {0};
    capture_begin();
    log_write(LOG_LEVEL_INFO, NULL, "%s", message);
    capture_end(&out);
    static const char before[] = "##:##:##.### INFO [bank-api] ";
    assert_int_equal(out.length, sizeof before - 1 + strlen(expected) + 1);
    assert_memory_equal(out.data + sizeof before - 1, expected, strlen(expected));
    assert_int_equal(out.data[out.length - 1], '\n');
    text_free(&out);
}

static void test_long_message_is_cut(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    char message[3000];
    memset(message, 'x', sizeof message);
    message[1024] = '\0';
    assert_message(message, message);

    char expected[1024 + sizeof "..."];
    memset(expected, 'x', 1024);
    memcpy(expected + 1024, "...", sizeof "...");
    message[1024] = 'x';
    message[1025] = '\0';
    assert_message(message, expected);
    message[1025] = 'x';
    message[2999] = '\0';
    assert_message(message, expected);

    memcpy(message + 1023, "\xE2\x82\xAC", 3); // a character that crosses the limit is removed as a whole
    memcpy(expected + 1023, "...", sizeof "...");
    assert_message(message, expected);
}

// The messages that become longest when they are escaped. They must still be one line of at most PIPE_BUF bytes.
static void test_line_fits_a_pipe(void **state) {
    (void)state;
    char worst[4000];
    memset(worst, '\x01', sizeof worst - 1);
    worst[sizeof worst - 1] = '\0';
    struct log_context context = {.transfer_id = worst, .trace = &trace};
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        for (const char *filling = "\x01\"\\\xFFx"; *filling != '\0'; filling++) {
            memset(worst, *filling, sizeof worst - 1);
            struct text out = {0};
            log_configure(LOG_LEVEL_DEBUG, (enum log_format)format);
            capture_begin();
            log_write(LOG_LEVEL_ERROR, &context, "%s", worst);
            capture_end(&out);
            assert_true(out.length > 500 && out.length <= PIPE_BUF);
            assert_ptr_equal(strchr(out.data, '\n'), out.data + out.length - 1);
            text_free(&out);
        }
    }
}

static void test_errno_is_kept_and_a_closed_log_is_no_failure(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    int kept = dup(STDERR_FILENO);
    CHECK(kept >= 0);
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_write(LOG_LEVEL_INFO, NULL, "nobody reads this");
    int seen = errno;
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(seen, ENOTTY);
}

#define WRITERS 4
#define LINES_A_WRITER 500

static void *write_lines(void *argument) {
    const char *letter = argument;
    char filling[401];
    memset(filling, *letter, sizeof filling - 1);
    filling[sizeof filling - 1] = '\0';
    for (int i = 0; i < LINES_A_WRITER; i++) {
        log_write(LOG_LEVEL_INFO, NULL, "%s", filling);
    }
    return NULL;
}

static void assert_lines_are_whole(char *text) {
    int lines = 0;
    char *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *message = line + strlen("12:34:56.789 INFO [bank-api] ");
        assert_int_equal(strlen(message), 400);
        assert_int_equal(strspn(message, (char[]){*message, '\0'}), 400);
        lines++;
    }
    assert_int_equal(lines, WRITERS * LINES_A_WRITER);
}

static void test_lines_of_threads_never_mix(void **state) {
    (void)state;
    static char letters[WRITERS] = {'a', 'b', 'c', 'd'};
    struct text out = {0};
    pthread_t threads[WRITERS];
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    capture_begin();
    for (int i = 0; i < WRITERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, write_lines, &letters[i]) == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    capture_end(&out);
    assert_lines_are_whole(out.data);
    text_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_line_about_a_transfer),
        cmocka_unit_test(test_text_line_without_a_transfer),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_level_filters),
        cmocka_unit_test(test_text_line_stays_one_line),
        cmocka_unit_test(test_long_message_is_cut),
        cmocka_unit_test(test_line_fits_a_pipe),
        cmocka_unit_test(test_errno_is_kept_and_a_closed_log_is_no_failure),
        cmocka_unit_test(test_lines_of_threads_never_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
