// process_metrics: the values of /proc for this process, under the standard names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "observability/metrics/metrics.h"
#include "observability/metrics/process_metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MEBIBYTE (UINT64_C(1) << 20)

static struct process_sample take(void) {
    struct process_sample sample;
    process_sample_take(&sample);
    return sample;
}

static void test_cpu_seconds_grow_with_work(void **state) {
    (void)state;
    double before = take().cpu_seconds;
    struct process_sample after;
    volatile unsigned work = 0;
    do {
        for (int i = 0; i < 1000000; i++) {
            work = work + 1;
        }
        after = take();
    } while (after.cpu_seconds < before + 0.05 && work < 2000000000U);
    assert_true(after.cpu_seconds >= before + 0.05);
    assert_true(after.cpu_seconds < before + 10);
}

static void test_cpu_seconds_do_not_grow_asleep(void **state) {
    (void)state;
    double before = take().cpu_seconds;
    nanosleep(&(struct timespec){.tv_nsec = 200 * 1000 * 1000}, NULL);
    assert_true(take().cpu_seconds < before + 0.1);
}

static void test_start_time_is_a_moment_ago(void **state) {
    (void)state;
    double start = take().start_time_seconds;
    double now = (double)time(NULL);
    assert_true(start > now - 300 && start < now + 5);
    assert_true(take().start_time_seconds == start);
}

static void test_memory_grows_by_what_is_touched(void **state) {
    (void)state;
    struct process_sample before = take();
    volatile char *memory = mmap(NULL, 64 * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    struct process_sample mapped = take();
    for (size_t i = 0; i < 64 * MEBIBYTE; i += 4096) {
        memory[i] = 1;
    }
    struct process_sample touched = take();
    assert_in_range(mapped.virtual_bytes - before.virtual_bytes, 64 * MEBIBYTE, 80 * MEBIBYTE);
    assert_true(mapped.resident_bytes < before.resident_bytes + 16 * MEBIBYTE);
    assert_true(touched.resident_bytes > mapped.resident_bytes + 48 * MEBIBYTE);
}

static void test_descriptors_are_counted(void **state) {
    (void)state;
    uint64_t before = take().open_descriptors;
    int descriptors[5];
    for (int i = 0; i < 5; i++) {
        descriptors[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    assert_int_equal(take().open_descriptors, before + 5);
    for (int i = 0; i < 5; i++) {
        close(descriptors[i]);
    }
    assert_int_equal(take().open_descriptors, before);

    uint64_t exact = 0;
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        exact += fcntl(descriptor, F_GETFD) >= 0;
    }
    assert_int_equal(before, exact);
}

static void test_descriptor_limit(void **state) {
    (void)state;
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 200;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    assert_int_equal(take().descriptor_limit, 200);
}

static void *wait_for(void *mutex) {
    CHECK(pthread_mutex_lock(mutex) == 0);
    CHECK(pthread_mutex_unlock(mutex) == 0);
    return NULL;
}

static void test_threads_are_counted(void **state) {
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    uint64_t before = take().threads;
    assert_true(before >= 1);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_create(&thread, NULL, wait_for, &mutex) == 0);
    uint64_t during = take().threads;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    assert_in_range(during, before + 1, before + 2); // a sanitizer starts a thread of its own with the first thread
}

// The name stands in parentheses in the middle of /proc/self/stat.
static void test_name_of_the_process_may_look_like_fields(void **state) {
    (void)state;
    CHECK(prctl(PR_SET_NAME, "a) R 1 (2 3)") == 0);
    struct process_sample sample = take();
    assert_true(sample.threads >= 1 && sample.threads < 10);
    assert_true(sample.start_time_seconds > (double)time(NULL) - 300);
}

static void test_published_names_and_values(void **state) {
    (void)state;
    static const struct process_sample sample = {
        .cpu_seconds = 1.25,
        .start_time_seconds = 1769862896.78,
        .resident_bytes = 5242880,
        .virtual_bytes = 104857600,
        .open_descriptors = 9,
        .descriptor_limit = 1048576,
        .threads = 6,
    };
    struct metrics *metrics = metrics_new();
    struct process_metrics *process_metrics = process_metrics_add(metrics);
    struct text out = {0};
    metrics_render(metrics, METRICS_FORMAT_PROMETHEUS, &out);
    assert_int_equal(out.length, 0); // nothing is published before the first sample

    process_metrics_set(process_metrics, &sample);
    metrics_render(metrics, METRICS_FORMAT_PROMETHEUS, &out);
    assert_string_equal(text_terminated(&out),
                        "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.\n"
                        "# TYPE process_cpu_seconds_total counter\n"
                        "process_cpu_seconds_total 1.25\n"
                        "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n"
                        "# TYPE process_start_time_seconds gauge\n"
                        "process_start_time_seconds 1769862896.78\n"
                        "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
                        "# TYPE process_resident_memory_bytes gauge\n"
                        "process_resident_memory_bytes 5242880\n"
                        "# HELP process_virtual_memory_bytes Virtual memory size in bytes.\n"
                        "# TYPE process_virtual_memory_bytes gauge\n"
                        "process_virtual_memory_bytes 104857600\n"
                        "# HELP process_open_fds Number of open file descriptors.\n"
                        "# TYPE process_open_fds gauge\n"
                        "process_open_fds 9\n"
                        "# HELP process_max_fds Maximum number of open file descriptors.\n"
                        "# TYPE process_max_fds gauge\n"
                        "process_max_fds 1048576\n"
                        "# HELP process_threads Number of OS threads in the process.\n"
                        "# TYPE process_threads gauge\n"
                        "process_threads 6\n");
    text_free(&out);
    process_metrics_free(process_metrics);
    metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_seconds_grow_with_work),
        cmocka_unit_test(test_cpu_seconds_do_not_grow_asleep),
        cmocka_unit_test(test_start_time_is_a_moment_ago),
        cmocka_unit_test(test_memory_grows_by_what_is_touched),
        cmocka_unit_test(test_descriptors_are_counted),
        cmocka_unit_test(test_descriptor_limit),
        cmocka_unit_test(test_threads_are_counted),
        cmocka_unit_test(test_name_of_the_process_may_look_like_fields),
        cmocka_unit_test(test_published_names_and_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
