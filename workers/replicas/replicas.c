// The loop's side: starts and ends the link, gives it the changes of the settings, and takes its news. Loop thread.
#include "workers/replicas/replicas.h"

#include "workers/replicas/replicas_internal.h"

#include <stdlib.h>

static void answer(struct replicas_change *change) {
    change->answered(change);
}

// Settings may arrive twice, and late: by the notification and by an answer.
static void take_settings(struct replicas *replicas, struct news *news) {
    if (news->version > atomic_load(&replicas->version)) {
        atomic_store(&replicas->version, news->version);
        const struct shared_settings settings = {news->version, news->gates, text_terminated(&news->text)};
        replicas->options.settings_changed(replicas->options.owner, &settings);
    }
}

static struct news *take_news(struct replicas *replicas) {
    uv_mutex_lock(&replicas->mutex);
    struct news *news = STAILQ_FIRST(&replicas->news);
    if (news != NULL) {
        STAILQ_REMOVE_HEAD(&replicas->news, next);
    }
    uv_mutex_unlock(&replicas->mutex);
    return news;
}

static void on_news(uv_async_t *handle) {
    struct replicas *replicas = CONTAINER_OF(handle, struct replicas, news_arrived);
    struct news *news;
    while ((news = take_news(replicas)) != NULL) {
        switch (news->kind) {
        case NEWS_SETTINGS: take_settings(replicas, news); break;
        case NEWS_ANSWER: answer(news->change); break;
        case NEWS_REFUSED:
            replicas->options.refused(replicas->options.refused_owner, text_terminated(&news->text));
            break;
        }
        text_free(&news->text);
        free(news);
    }
}

struct replicas *replicas_new(const struct replicas_options *options) {
    struct replicas *replicas = memory_allocate_zeroed(sizeof *replicas);
    replicas->options = *options;
    replicas->started_us = clock_realtime_us();
    atomic_init(&replicas->version, 0);
    STAILQ_INIT(&replicas->news);
    STAILQ_INIT(&replicas->changes);
    STAILQ_INIT(&replicas->waiters);
    CHECK(uv_mutex_init(&replicas->mutex) == 0);
    CHECK(uv_async_init(options->loop, &replicas->news_arrived, on_news) == 0);
    barrier_use_outside(replicas);
    return replicas;
}

void replicas_start(struct replicas *replicas, const char *url, const char *settings) {
    text_append_string(&replicas->url, url);
    text_append_string(&replicas->settings, settings);
    link_init(replicas);
    replicas->has_wake = true;
    replicas->has_thread = true;
    CHECK(uv_thread_create(&replicas->thread, link_run, replicas) == 0);
}

void replicas_leave_loop(struct replicas *replicas) {
    uv_mutex_lock(&replicas->mutex);
    replicas->has_left_loop = true;
    replicas->must_stop = true;
    if (replicas->has_wake) {
        (void)uv_async_send(&replicas->wake);
    }
    uv_mutex_unlock(&replicas->mutex);
    uv_close((uv_handle_t *)&replicas->news_arrived, NULL);
}

void replicas_free(struct replicas *replicas) {
    if (replicas->has_thread) {
        CHECK(uv_thread_join(&replicas->thread) == 0);
    }
    struct news *news;
    while ((news = take_news(replicas)) != NULL) {
        if (news->kind == NEWS_ANSWER) {
            answer(news->change);
        }
        text_free(&news->text);
        free(news);
    }
    struct shared_waiter *waiter;
    while ((waiter = STAILQ_FIRST(&replicas->waiters)) != NULL) { // they have left since the gates opened
        STAILQ_REMOVE_HEAD(&replicas->waiters, next);
        free(waiter);
    }
    uv_mutex_destroy(&replicas->mutex);
    text_free(&replicas->url);
    text_free(&replicas->settings);
    free(replicas);
}

bool replicas_have_settings(const struct replicas *replicas) {
    return atomic_load(&replicas->version) > 0;
}

uint64_t replicas_settings_version(const struct replicas *replicas) {
    return atomic_load(&replicas->version);
}

void replicas_change(struct replicas *replicas, struct replicas_change *change) {
    uv_mutex_lock(&replicas->mutex);
    bool taken = replicas->has_wake;
    if (taken) {
        STAILQ_INSERT_TAIL(&replicas->changes, change, next);
        (void)uv_async_send(&replicas->wake);
    }
    uv_mutex_unlock(&replicas->mutex);
    if (!taken) {
        change->result = REPLICAS_UNREACHABLE;
        answer(change);
    }
}
