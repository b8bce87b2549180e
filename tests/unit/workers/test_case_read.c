// case_read: files that are no case get one clear line; the suffix chooses the reader.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/case/case.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_case_read_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static const char *path_of(const char *name) {
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *bytes, size_t size) {
    int file = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    assert_int_equal(close(file), 0);
}

// `expected` begins with the file's name, or is "" for a case that is read.
static void assert_read(const char *name, const char *expected) {
    struct case_list list;
    struct text problem = {0};
    const char *path = path_of(name);
    bool good = case_read(path, &list, &problem);
    assert_int_equal(good, expected[0] == '\0');
    const char *shown = text_terminated(&problem);
    if (!good) {
        assert_true(strncmp(shown, path, strlen(path) - strlen(name)) == 0);
        shown += strlen(path) - strlen(name);
    }
    assert_string_equal(shown, expected);
    text_free(&problem);
    case_list_free(&list);
    (void)unlink(path);
}

static void assert_bytes(const char *bytes, size_t size, const char *expected) {
    write_file("a.sql", bytes, size);
    assert_read("a.sql", expected);
}

#define ASSERT_TEXT(literal, expected) assert_bytes(literal, sizeof(literal) - 1, expected)

static void test_files(void **state) {
    (void)state;
    assert_read("none.sql", "none.sql: cannot be opened: No such file or directory");
    assert_int_equal(mkdir(path_of("folder.sql"), 0700), 0);
    assert_read("folder.sql", "folder.sql: is a directory: give the files in it");
    assert_int_equal(rmdir(path_of("folder.sql")), 0);
    assert_int_equal(mkfifo(path_of("fifo.sql"), 0600), 0);
    assert_read("fifo.sql", "fifo.sql: is not a regular file"); // and does not wait for a writer
    assert_read("a.txt", "a.txt: has no suffix that says its kind: .sql, .spec, .md, .json or .csv is expected");
    assert_read("sql", "sql: has no suffix that says its kind: .sql, .spec, .md, .json or .csv is expected");
    assert_read("a.pgbench", "a.pgbench: is the script of one session: give it with --session");
}

static void test_texts(void **state) {
    (void)state;
    ASSERT_TEXT("", "a.sql: is empty");
    ASSERT_TEXT("-- setup\nSELECT '\0';", "a.sql:2: there is a NUL byte: the file is not a text");
    ASSERT_TEXT("-- setup\n\n-- \xE9t\xE9\n", "a.sql:3: the byte 0xE9 is not UTF-8: convert the file to UTF-8");
    ASSERT_TEXT("\xFF\xFE-\0-\0", "a.sql:1: there is a NUL byte: the file is not a text");
    ASSERT_TEXT("\xEF\xBB\xBF-- session A\nSELECT '\xC3\xA9';\n", "");
    ASSERT_TEXT("-- session A\r\nSELECT 1;\r\n-- invariant b\r\nSELECT true;\r\n", "");
    ASSERT_TEXT("\n", "a.sql: has no session: a line \"-- session NAME\" with statements behind it is expected");
    ASSERT_TEXT("\xEF\xBB\xBF", "a.sql: is empty");
}

static void test_size(void **state) {
    static const char session[] = "-- session A\nSELECT 1;";
    (void)state;
    size_t size = CASE_FILE_BYTES_MAX;
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    memset(bytes, ' ', size + 1);
    memcpy(bytes, session, sizeof session - 1);
    assert_bytes(bytes, size, "");
    assert_bytes(bytes, size + 1, "a.sql: is larger than 16 MiB: a case is the setup and a few short sessions");
    free(bytes);
}

static void test_names(void **state) {
    (void)state;
    struct case_list list;
    struct text problem = {0};
    write_file("two.parts.sql", "-- session A\nSELECT 1;", 22);
    assert_true(case_read(path_of("two.parts.sql"), &list, &problem));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.cases[0].name, "two.parts");
    assert_string_equal(list.cases[0].file, path_of("two.parts.sql"));
    assert_true(list.cases[0].stops_at_error && list.cases[0].is_serializable && !list.cases[0].names_levels);
    case_list_free(&list);
    text_free(&problem);
    (void)unlink(path_of("two.parts.sql"));
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
