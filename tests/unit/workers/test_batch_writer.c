// batch_writer: the mailbox, as the loop sees it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/batch/batch_writer.h"

static void booked(struct batch_writer *writer, struct batch_job *batch) {
    (void)writer;
    (void)batch;
    fail_msg("nothing runs here");
}

static void test_what_is_posted_can_be_taken_back(void **state) {
    (void)state;
    struct batch_job *first = batch_job_new();
    struct batch_job *second = batch_job_new();
    struct batch_writer *writer = batch_writer_new(first, false, booked);
    assert_null(batch_writer_take_back(writer));
    assert_true(batch_writer_post(writer, second));
    assert_ptr_equal(batch_writer_take_back(writer), second);
    assert_null(batch_writer_take_back(writer));
    assert_true(batch_writer_post(writer, second));
    assert_ptr_equal(batch_writer_take_back(writer), second);
    batch_writer_free(writer);
    batch_job_free(first);
    batch_job_free(second);
}

static void test_a_patient_writer_takes_no_more(void **state) {
    (void)state;
    struct batch_job *first = batch_job_new();
    struct batch_job *second = batch_job_new();
    struct batch_writer *writer = batch_writer_new(first, true, booked);
    assert_false(batch_writer_post(writer, second));
    assert_null(batch_writer_take_back(writer));
    batch_writer_free(writer);
    batch_job_free(first);
    batch_job_free(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_posted_can_be_taken_back),
        cmocka_unit_test(test_a_patient_writer_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
