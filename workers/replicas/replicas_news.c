// Reports from the link to the loop, and the meaning of a notification. Link thread.
#include "observability/log/log.h"
#include "workers/replicas/replicas_internal.h"

#include <stdlib.h>
#include <string.h>

static void add_news(struct replicas *replicas, struct news *news) {
    uv_mutex_lock(&replicas->mutex);
    STAILQ_INSERT_TAIL(&replicas->news, news, next);
    if (!replicas->has_left_loop) {
        (void)uv_async_send(&replicas->news_arrived);
    }
    uv_mutex_unlock(&replicas->mutex);
}

void link_report_settings(struct replicas *replicas, uint64_t version, uint64_t gates, const char *json) {
    struct news *news = memory_allocate_zeroed(sizeof *news);
    *news = (struct news){.kind = NEWS_SETTINGS, .version = version, .gates = gates};
    text_append_string(&news->text, json);
    add_news(replicas, news);
}

void link_report_answer(struct replicas *replicas, struct replicas_change *change, enum replicas_result result) {
    struct news *news = memory_allocate_zeroed(sizeof *news);
    *news = (struct news){.kind = NEWS_ANSWER, .change = change};
    change->result = result;
    add_news(replicas, news);
}

void link_report_problem(struct replicas *replicas, const char *problem) {
    struct news *news = memory_allocate_zeroed(sizeof *news);
    news->kind = NEWS_REFUSED;
    text_append_string(&news->text, problem);
    add_news(replicas, news);
}

// Moves behind the word, if the text begins with it and a space.
static bool skip_word(const char **text, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0 || (*text)[length] != ' ') {
        return false;
    }
    *text += length + 1;
    return true;
}

// The words are those of change_settings, close_rounds and release_all. Anybody may notify, so other texts are ignored.
void link_take_notification(struct replicas *replicas, const char *payload) {
    if (!skip_word(&payload, text_terminated(&replicas->link.schema_id))) {
        return; // it is meant for a lab in another schema
    }
    if (skip_word(&payload, "barrier")) {
        barrier_release(replicas, payload, GATE_RELEASED);
    } else if (skip_word(&payload, "reset")) {
        barrier_release(replicas, payload, GATE_RESET);
    } else if (skip_word(&payload, "settings")) {
        char *end = NULL;
        uint64_t version = strtoull(payload, &end, 10);
        uint64_t gates = strtoull(end, &end, 10);
        if (*end == ' ') {
            link_report_settings(replicas, version, gates, end + 1);
        }
    }
}
