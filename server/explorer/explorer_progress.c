// One line on the terminal that says how far the search is. It is rewritten five times a second and removed before
// anything else is written.
#include "server/explorer/explorer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { INTERVAL_MS = 200, LINE_COLUMNS = 78 };

static void on_tick(uv_timer_t *timer) {
    struct progress *progress = CONTAINER_OF(timer, struct progress, timer);
    struct explore_progress now;
    if (*progress->explorer == NULL || !explorer_progress(*progress->explorer, &now)) {
        return;
    }
    struct text line = {0};
    double seconds = (double)now.elapsed_ns / 1e9;
    text_append_format(&line, "%" PRIu64 " orders, %.0f/s, %" PRIu64 " wrong, %zu known to run", now.orders,
                       seconds <= 0 ? 0 : (double)now.orders / seconds, now.bad, now.waiting);
    text_append_string(&line, progress->what == NULL ? "" : ": ");
    words_append(&line, slice_of(progress->what == NULL ? "" : progress->what));
    words_cut(&line, 0, LINE_COLUMNS);
    (void)fprintf(stderr, "\r%s\033[K", text_terminated(&line));
    (void)fflush(stderr);
    progress->is_shown = true;
    text_free(&line);
}

void progress_begin(struct progress *progress, uv_loop_t *loop, struct explorer **explorer) {
    *progress = (struct progress){.explorer = explorer};
    CHECK(uv_timer_init(loop, &progress->timer) == 0);
    uv_unref((uv_handle_t *)&progress->timer);
    if (isatty(STDERR_FILENO) == 1) {
        CHECK(uv_timer_start(&progress->timer, on_tick, INTERVAL_MS, INTERVAL_MS) == 0);
    }
}

void progress_hide(struct progress *progress) {
    if (progress->is_shown) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        progress->is_shown = false;
    }
}

void progress_end(struct progress *progress) {
    progress_hide(progress);
    uv_close((uv_handle_t *)&progress->timer, NULL);
}
