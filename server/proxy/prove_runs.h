// The runs of race-proxy prove, as the relay's driver. Loop thread.
#ifndef SERVER_PROXY_PROVE_RUNS_H
#define SERVER_PROXY_PROVE_RUNS_H

#include "server/proxy/prove.h"
#include "server/proxy/prove_command.h"
#include "server/proxy/prove_explore.h"
#include "server/proxy/relay.h"

enum { COPIES = 2 };

enum stage {
    STAGE_CATALOGUE,
    STAGE_RESET,
    STAGE_SNAPSHOT,
    STAGE_RUN,
    STAGE_SETTLE,
    STAGE_DUMP,
    STAGE_EXPLORE,
    STAGE_OVER,
};

struct prove {
    const struct prove_options *options;
    uv_loop_t loop;
    struct insight_listener listener;
    struct relay_driver driver;
    uv_timer_t tick;
    uv_signal_t hangup;
    struct relay *relay; // NULL: it has not started
    struct canvas canvas;
    struct db_identity identity;
    char **environments[COPIES], **direct;
    struct prove_command reset, copies[COPIES];
    struct explore explore;
    enum stage stage;
    size_t run;                 // 0: alone; else the number of the candidate
    bool is_second;             // run 0, once more for --explore, as the second copy
    unsigned alone;             // runs alone so far
    uint64_t readings;          // insight_readings() when the run began
    uint64_t started_ms;        // when the run began
    uint64_t deadline_ms;       // the end of the stage
    uint64_t quiet_ms, kill_ms; // since when nothing works; when SIGKILL is due; 0: not
    bool round_is_over;         // the two were held together already in this run
    bool is_stopping;
    struct candidate candidates[CANDIDATES_MAX];
    size_t count, dropped;
    uint64_t statements;
    struct text problem;
    int status;
};

// Prepares `listener` and `driver`, for relay_run().
void runs_init(struct prove *prove);

// --- prove_news.c ---
void news_init(struct prove *prove);
// The candidate of this run of two.
MUST_CHECK struct candidate *news_tried(struct prove *prove);
MUST_CHECK struct candidate *news_find(struct prove *prove, uint64_t pair); // NULL: there is none
void news_of_hold(void *owner, const struct hold_notice *notice);

// Writes a line of progress on standard error.
void runs_say(const char *words);

#endif
