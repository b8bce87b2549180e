// Reads a case from a text of the test. Include it after cmocka.h, in one file of a test program.
#ifndef TESTS_UNIT_WORKERS_CASE_READING_H
#define TESTS_UNIT_WORKERS_CASE_READING_H

#include "workers/case/case_reader.h"

struct reading {
    struct case_list list;
    struct text problem;
    bool is_read;
};

// The file's name is given, because reports and names of cases begin with it.
static struct reading read_text(bool (*read)(struct case_reader *reader), const char *file, const char *text) {
    struct reading reading = {.list = {.memory = case_memory_new()}};
    // A copy of the exact length: a reader that looks behind the text is found by AddressSanitizer.
    struct text content = {0};
    text_append_string(&content, text);
    struct case_reader reader = {
        .path = file, .content = text_slice(&content), .list = &reading.list, .problem = &reading.problem};
    reading.is_read = read(&reader);
    text_free(&content);
    return reading;
}

static void reading_free(struct reading *reading) {
    case_list_free(&reading->list);
    text_free(&reading->problem);
}

static void assert_problem(bool (*read)(struct case_reader *reader), const char *file, const char *text,
                           const char *problem) {
    struct reading reading = read_text(read, file, text);
    assert_false(reading.is_read);
    assert_string_equal(text_terminated(&reading.problem), problem);
    reading_free(&reading);
}

#endif
