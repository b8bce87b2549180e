// The queue before the exporter's thread, and the thread's loop. otlp_post.c does the sending.
#include "observability/otlp/otlp_exporter.h"

#include "observability/base/base.h"
#include "observability/log/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define ATTEMPTS_MAX 5
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 16000
#define LOSS_LOG_INTERVAL_NS (10 * NANOSECONDS_PER_SECOND)
#define EXPORTER_NICENESS 10 // a transfer that wants the processor gets it first

enum loss { LOSS_QUEUE_FULL, LOSS_NOT_DELIVERED, LOSS_REJECTED, LOSS_COUNT };

struct loss_log {
    uint64_t spans;     // dropped since the last line
    uint64_t logged_ns; // monotonic; 0: never
};

struct otlp_exporter {
    struct otlp_exporter_options options;
    struct text resource;
    struct otlp_post *post; // exporter's thread
    uint64_t not_before_ns; // monotonic: no request before this moment, by the collector's wish; exporter's thread
    pthread_t thread;
    unsigned wake_at;      // queued spans: a full batch, or half of a queue that is not much larger
    pthread_mutex_t mutex; // guards the queue, `losses` and `stopping`
    pthread_cond_t moved;
    struct trace_item *first;
    struct trace_item *last;
    unsigned queued; // spans
    bool stopping;
    struct loss_log losses[LOSS_COUNT];
    _Atomic uint64_t exported;
    _Atomic uint64_t dropped;
};

static const char *general_reason(enum loss loss) {
    switch (loss) {
    case LOSS_QUEUE_FULL: return "the queue was full (OTEL_BSP_MAX_QUEUE_SIZE)";
    case LOSS_REJECTED: return "the collector rejected them";
    case LOSS_NOT_DELIVERED:
    case LOSS_COUNT: break;
    }
    return "the collector did not take them";
}

// Logs the spans that were dropped since the last line about this loss, at most once in LOSS_LOG_INTERVAL_NS: a
// collector that is away must not flood the log. `always`: now. `reason` NULL: the general one.
static void report_loss(struct otlp_exporter *exporter, enum loss loss, const char *reason, bool always) {
    uint64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&exporter->mutex);
    struct loss_log *log = &exporter->losses[loss];
    uint64_t spans = 0;
    if (always || log->logged_ns == 0 || now_ns - log->logged_ns >= LOSS_LOG_INTERVAL_NS) {
        spans = log->spans;
        log->spans = 0;
        log->logged_ns = spans > 0 ? now_ns : log->logged_ns;
    }
    pthread_mutex_unlock(&exporter->mutex);
    if (spans > 0) {
        log_write(LOG_LEVEL_WARN, NULL, "Dropped %" PRIu64 " spans: %s", spans,
                  reason == NULL ? general_reason(loss) : reason);
    }
}

static void report_losses(struct otlp_exporter *exporter, bool always) {
    for (enum loss loss = 0; loss < LOSS_COUNT; loss++) {
        report_loss(exporter, loss, NULL, always);
    }
}

static void lose(struct otlp_exporter *exporter, enum loss loss, uint64_t spans, const char *reason) {
    (void)atomic_fetch_add_explicit(&exporter->dropped, spans, memory_order_relaxed);
    pthread_mutex_lock(&exporter->mutex);
    exporter->losses[loss].spans += spans;
    pthread_mutex_unlock(&exporter->mutex);
    report_loss(exporter, loss, reason, false);
}

void otlp_exporter_offer(struct otlp_exporter *exporter, struct trace_item *item) {
    pthread_mutex_lock(&exporter->mutex);
    unsigned queued = exporter->queued;
    bool fits = queued == 0 || queued + item->span_count <= exporter->options.queue_limit;
    if (fits) {
        item->next = NULL;
        if (exporter->last == NULL) {
            exporter->first = item;
        } else {
            exporter->last->next = item;
        }
        exporter->last = item;
        exporter->queued += item->span_count;
        if (queued < exporter->wake_at && exporter->queued >= exporter->wake_at) {
            pthread_cond_signal(&exporter->moved);
        }
    }
    pthread_mutex_unlock(&exporter->mutex);
    if (!fits) {
        lose(exporter, LOSS_QUEUE_FULL, item->span_count, NULL);
        item->release(item);
    }
}

static struct timespec timespec_of(uint64_t ns) {
    return (struct timespec){(time_t)(ns / NANOSECONDS_PER_SECOND), (long)(ns % NANOSECONDS_PER_SECOND)};
}

// Waits for enough spans, the schedule, or the stop. Gives the batch, or NULL when all is done.
static struct trace_item *take_batch(struct otlp_exporter *exporter, unsigned *spans) {
    struct timespec due =
        timespec_of(clock_monotonic_ns() + exporter->options.schedule_delay_ms * NANOSECONDS_PER_MILLISECOND);
    pthread_mutex_lock(&exporter->mutex);
    int waited = 0;
    while (!exporter->stopping && exporter->queued < exporter->wake_at && waited == 0) {
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

// Returns at `due_ns` of the monotonic clock, or earlier when the program stops.
static void pause_until(struct otlp_exporter *exporter, uint64_t due_ns) {
    struct timespec due = timespec_of(due_ns);
    pthread_mutex_lock(&exporter->mutex);
    int waited = 0;
    while (!exporter->stopping && waited == 0) {
        waited = pthread_cond_timedwait(&exporter->moved, &exporter->mutex, &due);
    }
    pthread_mutex_unlock(&exporter->mutex);
}

static void count_taken(struct otlp_exporter *exporter, const struct otlp_answer *answer, unsigned spans) {
    uint64_t rejected = MIN(answer->rejected, spans);
    (void)atomic_fetch_add_explicit(&exporter->exported, spans - rejected, memory_order_relaxed);
    if (rejected > 0) {
        struct text reason = {0};
        text_append_format(&reason, "the collector rejected them: %s", otlp_post_problem(exporter->post));
        lose(exporter, LOSS_REJECTED, rejected, text_terminated(&reason));
        text_free(&reason);
    }
}

static void send_envelope(struct otlp_exporter *exporter, struct slice envelope, unsigned spans) {
    uint64_t backoff_ms = BACKOFF_FIRST_MS;
    uint64_t end_ns = clock_monotonic_ns() + exporter->options.export_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    for (unsigned attempt = 1;; attempt++) {
        bool is_last = attempt == ATTEMPTS_MAX || is_stopping(exporter); // a shutdown has no time for pauses
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t left_ms = now_ns < end_ns ? (end_ns - now_ns) / NANOSECONDS_PER_MILLISECOND + 1 : 1;
        struct otlp_answer answer = otlp_post_send(exporter->post, envelope, left_ms);
        if (answer.kind == OTLP_TAKEN) {
            count_taken(exporter, &answer, spans);
            return;
        }
        now_ns = clock_monotonic_ns();
        if (answer.retry_after_ms > 0) { // this holds for the next batch too, if this one has no time left
            exporter->not_before_ns = now_ns + answer.retry_after_ms * NANOSECONDS_PER_MILLISECOND;
        }
        uint64_t pause_ms = backoff_ms / 2 + random_bits() % (backoff_ms / 2 + 1);
        uint64_t due_ns = now_ns + pause_ms * NANOSECONDS_PER_MILLISECOND;
        due_ns = due_ns < exporter->not_before_ns ? exporter->not_before_ns : due_ns;
        if (answer.kind == OTLP_REFUSED || is_last || due_ns >= end_ns) {
            break;
        }
        pause_until(exporter, due_ns);
        backoff_ms = MIN(backoff_ms * 2, BACKOFF_MAX_MS);
    }
    lose(exporter, LOSS_NOT_DELIVERED, spans, otlp_post_problem(exporter->post));
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
        pause_until(exporter, exporter->not_before_ns);
        struct trace_item *batch = take_batch(exporter, &spans);
        report_losses(exporter, false);
        if (batch == NULL) {
            if (is_stopping(exporter)) {
                break;
            }
            continue;
        }
        struct otlp_writer writer;
        text_clear(&envelope);
        otlp_envelope_begin(&writer, &envelope, text_slice(&exporter->resource));
        for (struct trace_item *item = batch; item != NULL; item = item->next) {
            item->write(item, &writer);
        }
        otlp_envelope_end(&writer);
        release_batch(batch);
        send_envelope(exporter, text_slice(&envelope), spans);
    }
    text_free(&envelope);
    return NULL;
}

struct otlp_exporter *otlp_exporter_new(const struct otlp_exporter_options *options) {
    struct otlp_exporter *exporter = memory_allocate_zeroed(sizeof *exporter);
    exporter->options = *options;
    text_append_slice(&exporter->resource, options->resource);
    unsigned half = options->queue_limit / 2 + options->queue_limit % 2;
    exporter->wake_at = MIN(options->batch_limit, half);
    exporter->post = otlp_post_new(options->destination);
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
    report_losses(exporter, true);
    otlp_post_free(exporter->post);
    (void)pthread_cond_destroy(&exporter->moved);
    (void)pthread_mutex_destroy(&exporter->mutex);
    text_free(&exporter->resource);
    free(exporter);
}
