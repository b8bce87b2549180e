// transfer_new_id: ids of eight hexadecimal digits, unique in a process with many threads; and the names of outcomes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/transfer/transfer.h"

#include <pthread.h>
#include <stdlib.h>

#define THREADS 4
#define IDS_A_THREAD 50000

struct maker {
    pthread_t thread;
    uint32_t ids[IDS_A_THREAD];
};

static void *make_ids(void *argument) {
    struct maker *maker = argument;
    for (size_t i = 0; i < IDS_A_THREAD; i++) {
        char id[TRANSFER_ID_LENGTH + 1];
        transfer_new_id(id);
        maker->ids[i] = (uint32_t)strtoul(id, NULL, 16);
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void test_format(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char id[TRANSFER_ID_LENGTH + 1];
        memset(id, 'x', sizeof id);
        transfer_new_id(id);
        assert_int_equal(id[TRANSFER_ID_LENGTH], '\0');
        assert_int_equal(strspn(id, "0123456789abcdef"), TRANSFER_ID_LENGTH);
    }
}

static void test_unique_across_threads(void **state) {
    (void)state;
    static struct maker makers[THREADS];
    static uint32_t all[THREADS * IDS_A_THREAD];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&makers[i].thread, NULL, make_ids, &makers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(makers[i].thread, NULL), 0);
        memcpy(all + i * IDS_A_THREAD, makers[i].ids, sizeof makers[i].ids);
    }
    qsort(all, THREADS * IDS_A_THREAD, sizeof all[0], compare);
    for (size_t i = 1; i < (size_t)THREADS * IDS_A_THREAD; i++) {
        assert_int_not_equal(all[i], all[i - 1]);
    }
}

static void test_outcomes_in_words(void **state) {
    (void)state;
    assert_string_equal(transfer_outcome_status(TRANSFER_SUCCESS), "success");
    assert_string_equal(transfer_outcome_status(TRANSFER_INSUFFICIENT_FUNDS), "failed_insufficient_funds");
    assert_string_equal(transfer_outcome_metric(TRANSFER_SUCCESS), "success");
    assert_string_equal(transfer_outcome_metric(TRANSFER_INSUFFICIENT_FUNDS), "insufficient_funds");
    for (enum transfer_outcome outcome = TRANSFER_UNKNOWN_FROM_ACCOUNT; outcome <= TRANSFER_FAILED; outcome++) {
        assert_string_equal(transfer_outcome_metric(outcome), "error");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_unique_across_threads),
        cmocka_unit_test(test_outcomes_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
