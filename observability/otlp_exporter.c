// The queue before the exporter's thread, and the thread's loop. otlp_post.c does the sending.
#include "otlp_exporter.h"

#include "clock.h"
#include "log.h"
#include "otlp_post.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define ATTEMPTS_MAX 5
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 16000
#define EXPORTER_NICENESS 10 // a transfer that wants the processor gets it first

struct otlp_exporter {
    struct otlp_exporter_options options;
    struct text resource;
    struct otlp_post *post; // exporter's thread
    pthread_t thread;
    pthread_mutex_t mutex; // guards the queue and `stopping`
    pthread_cond_t moved;
    struct trace_item *first;
    struct trace_item *last;
    unsigned queued; // spans
    bool stopping;
    _Atomic uint64_t exported;
    _Atomic uint64_t dropped;
};

static void count_dropped(struct otlp_exporter *exporter, uint64_t spans) {
    (void)atomic_fetch_add_explicit(&exporter->dropped, spans, memory_order_relaxed);
}

void otlp_exporter_offer(struct otlp_exporter *exporter, struct trace_item *item) {
    pthread_mutex_lock(&exporter->mutex);
    bool fits = exporter->queued + item->span_count <= exporter->options.queue_limit && !exporter->stopping;
    if (fits) {
        item->next = NULL;
        if (exporter->last == NULL) {
            exporter->first = item;
        } else {
            exporter->last->next = item;
        }
        exporter->last = item;
        bool batch_was_full = exporter->queued >= exporter->options.batch_limit;
        exporter->queued += item->span_count;
        if (!batch_was_full && exporter->queued >= exporter->options.batch_limit) {
            pthread_cond_signal(&exporter->moved);
        }
    }
    pthread_mutex_unlock(&exporter->mutex);
    if (!fits) {
        count_dropped(exporter, item->span_count);
        item->release(item);
    }
}

static struct timespec timespec_of(uint64_t ns) {
    return (struct timespec){(time_t)(ns / NANOSECONDS_PER_SECOND), (long)(ns % NANOSECONDS_PER_SECOND)};
}

// Waits for a full batch, the schedule, or the stop. Gives the batch, or NULL when all is done.
static struct trace_item *take_batch(struct otlp_exporter *exporter, unsigned *spans) {
    struct timespec due =
        timespec_of(clock_monotonic_ns() + exporter->options.schedule_delay_ms * NANOSECONDS_PER_MILLISECOND);
    pthread_mutex_lock(&exporter->mutex);
    int waited = 0;
    while (!exporter->stopping && exporter->queued < exporter->options.batch_limit && waited == 0) {
        waited = pthread_cond_timedwait(&exporter->moved, &exporter->mutex, &due);
    }
    struct trace_item *batch = exporter->first;
    struct trace_item *end = NULL;
    *spans = 0;
    while (exporter->first != NULL &&
           (*spans == 0 || *spans + exporter->first->span_count <= exporter->options.batch_limit)) {
        end = exporter->first;
        *spans += end->span_count;
        exporter->first = end->next;
    }
    if (end != NULL) {
        end->next = NULL;
    }
    if (exporter->first == NULL) {
        exporter->last = NULL;
    }
    exporter->queued -= *spans;
    pthread_mutex_unlock(&exporter->mutex);
    return batch;
}

static bool is_stopping(struct otlp_exporter *exporter) {
    pthread_mutex_lock(&exporter->mutex);
    bool stopping = exporter->stopping;
    pthread_mutex_unlock(&exporter->mutex);
    return stopping;
}

// False: the program is stopping, and there is no time for pauses.
static bool pause_between_attempts(struct otlp_exporter *exporter, uint64_t pause_ms) {
    struct timespec due = timespec_of(clock_monotonic_ns() + pause_ms * NANOSECONDS_PER_MILLISECOND);
    pthread_mutex_lock(&exporter->mutex);
    int waited = 0;
    while (!exporter->stopping && waited == 0) {
        waited = pthread_cond_timedwait(&exporter->moved, &exporter->mutex, &due);
    }
    bool stopping = exporter->stopping;
    pthread_mutex_unlock(&exporter->mutex);
    return !stopping;
}

static void send_envelope(struct otlp_exporter *exporter, struct slice envelope, unsigned spans) {
    uint64_t backoff_ms = BACKOFF_FIRST_MS;
    for (unsigned attempt = 1;; attempt++) {
        struct otlp_answer answer = otlp_post_send(exporter->post, envelope);
        if (answer.kind == OTLP_TAKEN) {
            uint64_t rejected = answer.rejected < spans ? answer.rejected : spans;
            count_dropped(exporter, rejected);
            (void)atomic_fetch_add_explicit(&exporter->exported, spans - rejected, memory_order_relaxed);
            return;
        }
        uint64_t pause_ms = backoff_ms / 2 + random_bits() % (backoff_ms / 2 + 1);
        if (answer.retry_after_ms > pause_ms) {
            pause_ms = answer.retry_after_ms < BACKOFF_MAX_MS ? answer.retry_after_ms : BACKOFF_MAX_MS;
        }
        if (answer.kind == OTLP_REFUSED || attempt == ATTEMPTS_MAX || !pause_between_attempts(exporter, pause_ms)) {
            break;
        }
        backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
    }
    count_dropped(exporter, spans);
    log_write(LOG_LEVEL_WARN, NULL, "Dropped %u spans: %s", spans, otlp_post_problem(exporter->post));
}

static void release_batch(struct trace_item *batch) {
    while (batch != NULL) {
        struct trace_item *next = batch->next;
        batch->release(batch);
        batch = next;
    }
}

static void *exporter_run(void *argument) {
    struct otlp_exporter *exporter = argument;
    (void)pthread_setname_np(pthread_self(), "otlp-exporter");
    (void)setpriority(PRIO_PROCESS, 0, EXPORTER_NICENESS); // of this thread alone: Linux keeps it a thread
    struct text envelope = {0};
    for (;;) {
        unsigned spans;
        struct trace_item *batch = take_batch(exporter, &spans);
        if (batch == NULL) {
            if (is_stopping(exporter)) {
                break;
            }
            continue;
        }
        struct otlp_writer writer;
        text_clear(&envelope);
        otlp_envelope_begin(&writer, &envelope, (struct slice){exporter->resource.data, exporter->resource.length});
        for (struct trace_item *item = batch; item != NULL; item = item->next) {
            item->write(item, &writer);
        }
        otlp_envelope_end(&writer);
        release_batch(batch);
        send_envelope(exporter, (struct slice){envelope.data, envelope.length}, spans);
    }
    text_free(&envelope);
    return NULL;
}

struct otlp_exporter *otlp_exporter_new(const struct otlp_exporter_options *options) {
    struct otlp_exporter *exporter = memory_allocate_zeroed(sizeof *exporter);
    exporter->options = *options;
    text_append_slice(&exporter->resource, options->resource);
    exporter->post = otlp_post_new(options->endpoint, options->export_timeout_ms);
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&exporter->moved, &monotonic) == 0);
    (void)pthread_condattr_destroy(&monotonic);
    CHECK(pthread_mutex_init(&exporter->mutex, NULL) == 0);
    CHECK(pthread_create(&exporter->thread, NULL, exporter_run, exporter) == 0);
    return exporter;
}

struct otlp_counts otlp_exporter_counts(struct otlp_exporter *exporter) {
    return (struct otlp_counts){
        .exported = atomic_load_explicit(&exporter->exported, memory_order_relaxed),
        .dropped = atomic_load_explicit(&exporter->dropped, memory_order_relaxed),
    };
}

void otlp_exporter_stop(struct otlp_exporter *exporter, unsigned timeout_ms) {
    otlp_post_stop_at(exporter->post, clock_monotonic_ns() + timeout_ms * NANOSECONDS_PER_MILLISECOND);
    pthread_mutex_lock(&exporter->mutex);
    exporter->stopping = true;
    pthread_cond_broadcast(&exporter->moved);
    pthread_mutex_unlock(&exporter->mutex);
    CHECK(pthread_join(exporter->thread, NULL) == 0); // soon: no request outlasts the deadline
    otlp_post_free(exporter->post);
    (void)pthread_cond_destroy(&exporter->moved);
    (void)pthread_mutex_destroy(&exporter->mutex);
    text_free(&exporter->resource);
    free(exporter);
}
