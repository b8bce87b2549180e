// The standard process_* metrics (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
// A worker thread takes the sample, because /proc may be slow. The loop thread publishes it.
#include "observability/metrics/process_metrics.h"
#include "observability/metrics/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STAT_LINE_SIZE 1024 // a line has a process name of at most 64 bytes and 50 numbers

enum process_family {
    CPU_SECONDS,
    START_TIME,
    RESIDENT_BYTES,
    VIRTUAL_BYTES,
    OPEN_DESCRIPTORS,
    DESCRIPTOR_LIMIT,
    THREADS,
    PROCESS_FAMILY_COUNT,
};

struct process_metrics {
    struct metric_family *families[PROCESS_FAMILY_COUNT];
};

static const struct metric_definition definitions[PROCESS_FAMILY_COUNT] = {
    [CPU_SECONDS] = {.kind = METRIC_COUNTER,
                     .name = "process_cpu_seconds_total",
                     .help = "Total user and system CPU time spent in seconds."},
    [START_TIME] = {.kind = METRIC_GAUGE,
                    .name = "process_start_time_seconds",
                    .help = "Start time of the process since unix epoch in seconds."},
    [RESIDENT_BYTES] = {.kind = METRIC_GAUGE,
                        .name = "process_resident_memory_bytes",
                        .help = "Resident memory size in bytes."},
    [VIRTUAL_BYTES] = {.kind = METRIC_GAUGE,
                       .name = "process_virtual_memory_bytes",
                       .help = "Virtual memory size in bytes."},
    [OPEN_DESCRIPTORS] = {.kind = METRIC_GAUGE, .name = "process_open_fds", .help = "Number of open file descriptors."},
    [DESCRIPTOR_LIMIT] = {.kind = METRIC_GAUGE,
                          .name = "process_max_fds",
                          .help = "Maximum number of open file descriptors."},
    [THREADS] = {.kind = METRIC_GAUGE, .name = "process_threads", .help = "Number of OS threads in the process."},
};

static double cpu_seconds(void) {
    struct timespec used;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

// Returns the start of the machine in seconds since 1970, or 0 if /proc/stat cannot be read.
static double boot_time_seconds(void) {
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL) {
        return 0;
    }
    char line[STAT_LINE_SIZE];
    uint64_t boot_time = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "btime %" SCNu64, &boot_time) == 1) {
            break;
        }
    }
    (void)fclose(file);
    return (double)boot_time;
}

// Format: proc(5), /proc/pid/stat. Field 2 is the name in parentheses, which may contain any character, so we look for
// the last ")". We read field 20 (threads), 22 (start in ticks since boot), 23 (virtual bytes), 24 (resident pages).
static void read_stat(struct process_sample *out) {
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL) {
        return;
    }
    char line[STAT_LINE_SIZE];
    size_t length = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[length] = '\0';

    const char *fields = strrchr(line, ')');
    uint64_t start_ticks;
    uint64_t resident_pages;
    if (fields == NULL || sscanf(fields + 1,
                                 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %" SCNu64
                                 " %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                                 &out->threads, &start_ticks, &out->virtual_bytes, &resident_pages) != 4) {
        return;
    }
    out->resident_bytes = resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    out->start_time_seconds = boot_time_seconds() + (double)start_ticks / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t count_open_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return 0;
    }
    uint64_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count - 1; // without the descriptor of `directory`
}

static uint64_t descriptor_limit(void) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    return (uint64_t)limit.rlim_cur;
}

void process_sample_take(struct process_sample *out) {
    *out = (struct process_sample){0};
    read_stat(out);
    out->cpu_seconds = cpu_seconds();
    out->open_descriptors = count_open_descriptors();
    out->descriptor_limit = descriptor_limit();
}

struct process_metrics *process_metrics_add(struct metrics *metrics) {
    struct process_metrics *process_metrics = memory_allocate_zeroed(sizeof *process_metrics);
    for (size_t i = 0; i < PROCESS_FAMILY_COUNT; i++) {
        process_metrics->families[i] = metrics_add_family(metrics, &definitions[i]);
    }
    return process_metrics;
}

void process_metrics_set(struct process_metrics *process_metrics, const struct process_sample *sample) {
    const double values[PROCESS_FAMILY_COUNT] = {
        [CPU_SECONDS] = sample->cpu_seconds,
        [START_TIME] = sample->start_time_seconds,
        [RESIDENT_BYTES] = (double)sample->resident_bytes,
        [VIRTUAL_BYTES] = (double)sample->virtual_bytes,
        [OPEN_DESCRIPTORS] = (double)sample->open_descriptors,
        [DESCRIPTOR_LIMIT] = (double)sample->descriptor_limit,
        [THREADS] = (double)sample->threads,
    };
    for (size_t i = 0; i < PROCESS_FAMILY_COUNT; i++) {
        metric_set(metric_without_labels(process_metrics->families[i]), values[i]);
    }
}

void process_metrics_free(struct process_metrics *process_metrics) {
    free(process_metrics);
}
