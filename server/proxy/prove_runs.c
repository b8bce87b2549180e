// The runs of race-proxy prove, one after another. on_tick() decides; the callbacks of prove_news.c only note.
//
//   STAGE_CATALOGUE   the tables of the database are read
//   STAGE_RESET       --reset runs; skipped without it
//   STAGE_SNAPSHOT    the rows that COMMAND begins with are kept visible; only with --explore
//   STAGE_RUN         COMMAND runs, once (run 0) or twice at once (run N, for candidate N)
//   STAGE_SETTLE      COMMAND has ended; waits until no session works any more, then judges, and begins the next run
//   STAGE_DUMP        --explore: these rows are copied, behind the runs alone
//   STAGE_EXPLORE     --explore: race-explore runs, behind the last candidate
//   STAGE_OVER        the relay stops
#include "server/proxy/prove_runs.h"

#include "server/proxy/prove_environment.h"

#include <signal.h>
#include <stdio.h>

enum {
    TICK_MS = 10,
    QUIET_MS = 100,       // no session works for so long: the run is over
    SETTLE_MS = 5000,     // the longest wait for that, beside --limit
    CATALOGUE_MS = 15000, // to read the tables of the database
    KILL_MS = 2000,       // from SIGTERM to SIGKILL
    ALONE_MAX = 3,        // runs alone, if tables are new
};

static uint64_t now_ms(const struct prove *prove) {
    return uv_now(&prove->loop);
}

static void enter(struct prove *prove, enum stage stage, uint64_t allowed_ms) {
    prove->stage = stage;
    prove->deadline_ms = now_ms(prove) + allowed_ms;
    prove->quiet_ms = prove->kill_ms = 0;
}

// --- The end ---

static void finish(struct prove *prove, int status) {
    prove->status = status;
    enter(prove, STAGE_OVER, 0);
    relay_stop(prove->relay);
}

static void fail(struct prove *prove, int status, const char *words) {
    if (prove->problem.length == 0) {
        text_append_string(&prove->problem, words);
    }
    finish(prove, status);
}

static void on_stopping(void *owner, bool was_signal) {
    struct prove *prove = owner;
    prove->is_stopping = true;
    if (was_signal) {
        text_clear(&prove->problem);
        text_append_string(&prove->problem, "interrupted: what was found so far is not complete");
        prove->status = PROVE_INTERRUPTED;
        enter(prove, STAGE_OVER, 0);
    }
}

static bool has_command(const struct prove *prove) {
    return prove->reset.is_open || prove->copies[0].is_open || prove->copies[1].is_open ||
           prove->explore.command.is_open;
}

static void signal_commands(struct prove *prove, int number) {
    command_signal(&prove->reset, number);
    command_signal(&prove->copies[0], number);
    command_signal(&prove->copies[1], number);
    command_signal(&prove->explore.command, number);
}

// SIGTERM first, and SIGKILL if that does not help.
static void end_commands(struct prove *prove) {
    if (prove->kill_ms == 0) {
        prove->kill_ms = now_ms(prove) + KILL_MS;
        signal_commands(prove, SIGTERM);
    } else if (now_ms(prove) >= prove->kill_ms) {
        signal_commands(prove, SIGKILL);
    }
}

// The relay stops: the last handles are closed once nothing runs any more.
static void continue_stopping(struct prove *prove) {
    if (has_command(prove)) {
        end_commands(prove);
        return;
    }
    explore_close(&prove->explore);
    uv_close((uv_handle_t *)&prove->tick, NULL);
    uv_close((uv_handle_t *)&prove->hangup, NULL);
}

// The findings that --find would show get the level of their verdict.
static void set_levels(struct prove *prove) {
    struct sight *sight = insight_sight(relay_insight(prove->relay));
    for (size_t i = 0; i < sight_finding_count(sight); i++) {
        const struct sight_finding *finding = sight_finding_at(sight, i);
        struct candidate *candidate = news_find(prove, finding->pair);
        if (candidate != NULL && candidate->verdict != VERDICT_NOT_FORCED) {
            sight_set_level(sight, finding->id, candidate->verdict == VERDICT_FORCED ? SIGHT_FORCED : SIGHT_REFUTED);
            candidate->level = MAX(candidate->level, finding->level);
        }
    }
}

static void finish_all(struct prove *prove) {
    bool has_forced = false;
    bool is_decided = prove->dropped == 0;
    for (size_t i = 0; i < prove->count; i++) {
        has_forced |= prove->candidates[i].verdict == VERDICT_FORCED;
        is_decided &= prove->candidates[i].verdict != VERDICT_NOT_FORCED;
    }
    if (prove->options->explores) {
        const struct found *found = &prove->explore.found;
        has_forced |= found->proved > 0;
        is_decided &= found->is_there && found->is_complete;
    }
    finish(prove, has_forced ? PROVE_FORCED : is_decided ? PROVE_CLEAN : PROVE_UNDECIDED);
    set_levels(prove);
}

// All candidates have a verdict.
static void begin_exploration(struct prove *prove) {
    if (!prove->options->explores) {
        finish_all(prove);
        return;
    }
    enter(prove, STAGE_EXPLORE, 0);
    if (prove->explore.problem.length == 0) {
        runs_say("race-explore runs every order of the two");
        explore_run(&prove->explore);
    }
}

// --- A run ---

void runs_say(const char *words) {
    (void)fprintf(stderr, "race-proxy prove: %s\n", words);
}

// The standard output may be the file of --json or --junit.
static void print(const struct prove *prove, const struct text *out) {
    bool is_free = (prove->options->json == NULL || strcmp(prove->options->json, "-") != 0) &&
                   (prove->options->junit == NULL || strcmp(prove->options->junit, "-") != 0);
    if (is_free) {
        (void)fwrite(out->data, 1, out->length, stdout);
        (void)fflush(stdout);
    }
}

static void report_exploration(const struct prove *prove) {
    struct text out = {0};
    report_explore(&prove->explore, prove->canvas, &out);
    print(prove, &out);
    text_free(&out);
}

static void start_copies(struct prove *prove) {
    size_t count = prove->run == 0 ? 1 : COPIES;
    enter(prove, STAGE_RUN, (uint64_t)prove->options->time_s * 1000);
    for (size_t i = 0; i < count; i++) {
        char **environment = prove->environments[prove->is_second ? 1 : i];
        if (!command_start(&prove->copies[i], &prove->loop, prove->options->command, environment, &prove->problem)) {
            finish(prove, PROVE_WRONG);
            return;
        }
    }
}

// A run alone is recorded for --explore.
static void begin_copies(struct prove *prove) {
    if (!prove->options->explores || prove->run > 0) {
        start_copies(prove);
        return;
    }
    bool is_last = prove->is_second || prove->options->reset == NULL;
    enter(prove, STAGE_SNAPSHOT, CATALOGUE_MS);
    explore_begin_recording(&prove->explore, is_last);
}

static void begin_run(struct prove *prove) {
    static char shell[] = "/bin/sh";
    static char option[] = "-c";
    char *arguments[] = {shell, option, (char *)(uintptr_t)prove->options->reset, NULL};
    prove->readings = insight_readings(relay_insight(prove->relay));
    prove->started_ms = now_ms(prove);
    prove->round_is_over = false;
    if (prove->options->reset == NULL) {
        begin_copies(prove);
        return;
    }
    enter(prove, STAGE_RESET, (uint64_t)prove->options->time_s * 1000);
    if (!command_start(&prove->reset, &prove->loop, arguments, prove->direct, &prove->problem)) {
        finish(prove, PROVE_WRONG);
    }
}

static void begin_alone(struct prove *prove) {
    for (size_t i = 0; i < prove->count; i++) {
        candidate_free(&prove->candidates[i]);
    }
    prove->count = prove->dropped = 0;
    prove->statements = 0;
    prove->run = 0;
    runs_say(prove->alone++ == 0 ? "COMMAND runs alone" : "tables were new: COMMAND runs alone again");
    begin_run(prove);
}

static void begin_candidate(struct prove *prove) {
    struct text words = {0};
    if (prove->run == prove->count) {
        begin_exploration(prove);
        return;
    }
    prove->run++;
    text_append_format(&words, "candidate %zu of %zu, %s: COMMAND runs twice at once", prove->run, prove->count,
                       news_tried(prove)->table);
    runs_say(text_terminated(&words));
    text_free(&words);
    begin_run(prove);
}

// --- The end of a run ---

static void fail_with_output(struct prove *prove, const struct prove_command *command, const char *words) {
    text_append_string(&prove->problem, words);
    command_append_end(command, &prove->problem);
    struct text output = {0};
    command_append_output(command, &output);
    text_append_string(&prove->problem, output.length == 0 ? ", without output" : "; its output:\n");
    text_append_slice(&prove->problem, text_slice(&output));
    while (prove->problem.data[prove->problem.length - 1] == '\n') {
        prove->problem.length--;
    }
    text_free(&output);
    finish(prove, PROVE_WRONG);
}

static void begin_dump(struct prove *prove) {
    enter(prove, STAGE_DUMP, (uint64_t)prove->options->time_s * 1000);
    explore_dump(&prove->explore);
}

// The second session may use other values, such as another id. Without --reset it would find what the first one left.
static void begin_second(struct prove *prove) {
    if (prove->options->reset == NULL || prove->explore.problem.length > 0) {
        begin_dump(prove);
        return;
    }
    runs_say("COMMAND runs alone, as the second of two");
    prove->is_second = true;
    begin_run(prove);
}

static void end_alone(struct prove *prove) {
    struct insight *insight = relay_insight(prove->relay);
    if (insight_state(insight) == INSIGHT_FAILED) {
        fail(prove, PROVE_WRONG, "the tables of a database cannot be read: see the line above");
    } else if (command_has_failed(&prove->copies[0])) {
        fail_with_output(prove, &prove->copies[0], "COMMAND has failed alone, with ");
    } else if (insight_readings(insight) != prove->readings && prove->alone < ALONE_MAX) {
        begin_alone(prove);
    } else if (prove->statements == 0) {
        fail(prove, PROVE_UNDECIDED,
             "no statement came through the proxy: let the application connect to the address above, or take it from "
             "DATABASE_URL or PGHOST and PGPORT in COMMAND's environment");
    } else if (prove->options->explores) {
        explore_end_recording(&prove->explore, 0);
        begin_second(prove);
    } else {
        begin_candidate(prove);
    }
}

static void end_second(struct prove *prove) {
    prove->is_second = false;
    explore_end_recording(&prove->explore, 1);
    begin_dump(prove);
}

static void end_pair(struct prove *prove) {
    struct candidate *candidate = news_tried(prove);
    struct text out = {0};
    for (size_t i = 0; i < COPIES; i++) {
        command_append_end(&prove->copies[i], &candidate->ends[i]);
    }
    candidate->seconds = (double)(now_ms(prove) - prove->started_ms) / 1e3;
    verdict_judge(candidate);
    if (candidate->verdict != VERDICT_NOT_FORCED) {
        candidate->level = candidate->verdict == VERDICT_FORCED ? SIGHT_FORCED : SIGHT_REFUTED;
    }
    report_candidate(candidate, prove->run, prove->canvas, &out);
    print(prove, &out);
    text_free(&out);
    begin_candidate(prove);
}

static void end_run(struct prove *prove) {
    if (prove->is_second) {
        end_second(prove);
    } else if (prove->run == 0) {
        end_alone(prove);
    } else {
        end_pair(prove);
    }
}

// --- The clock ---

static void tick_catalogue(struct prove *prove) {
    switch (insight_state(relay_insight(prove->relay))) {
    case INSIGHT_READY: begin_alone(prove); return;
    case INSIGHT_FAILED: fail(prove, PROVE_WRONG, "the database cannot be used: see the line above"); return;
    case INSIGHT_READING:
        if (now_ms(prove) >= prove->deadline_ms) {
            fail(prove, PROVE_WRONG, "the tables of the database cannot be read in time: see --upstream");
        }
        return;
    }
}

static void tick_reset(struct prove *prove) {
    if (now_ms(prove) >= prove->deadline_ms) {
        fail(prove, PROVE_WRONG, "the command of --reset did not end within --time");
    } else if (!prove->reset.is_open && command_has_failed(&prove->reset)) {
        fail_with_output(prove, &prove->reset, "the command of --reset has failed, with ");
    } else if (!prove->reset.is_open) {
        begin_copies(prove);
    }
}

static void tick_explore(struct prove *prove) {
    bool is_late = prove->stage != STAGE_EXPLORE && now_ms(prove) >= prove->deadline_ms;
    if (explore_tick(&prove->explore)) {
        if (is_late) {
            end_commands(prove);
        }
        return;
    }
    switch (prove->stage) {
    case STAGE_SNAPSHOT: start_copies(prove); return;
    case STAGE_DUMP: begin_candidate(prove); return;
    default:
        report_exploration(prove);
        finish_all(prove);
        return;
    }
}

static void tick_run(struct prove *prove) {
    if (!has_command(prove)) {
        enter(prove, STAGE_SETTLE, SETTLE_MS + prove->options->proxy.limit_ms);
    } else if (now_ms(prove) >= prove->deadline_ms && prove->run == 0) {
        fail(prove, PROVE_UNDECIDED, "COMMAND alone did not end within --time");
    } else if (now_ms(prove) >= prove->deadline_ms) {
        news_tried(prove)->was_cut_off = true;
        end_commands(prove);
    }
}

static void tick_settle(struct prove *prove) {
    bool has_new_tables = prove->run == 0 && insight_state(relay_insight(prove->relay)) == INSIGHT_READING;
    if (relay_is_busy(prove->relay) || has_new_tables) {
        prove->quiet_ms = 0;
    } else if (prove->quiet_ms == 0) {
        prove->quiet_ms = now_ms(prove) + QUIET_MS;
    }
    bool is_quiet = prove->quiet_ms != 0 && now_ms(prove) >= prove->quiet_ms;
    if (is_quiet || now_ms(prove) >= prove->deadline_ms) {
        end_run(prove);
    }
}

static void on_tick(uv_timer_t *tick) {
    struct prove *prove = CONTAINER_OF(tick, struct prove, tick);
    if (prove->is_stopping) {
        continue_stopping(prove);
        return;
    }
    switch (prove->stage) {
    case STAGE_CATALOGUE: tick_catalogue(prove); return;
    case STAGE_RESET: tick_reset(prove); return;
    case STAGE_SNAPSHOT:
    case STAGE_DUMP:
    case STAGE_EXPLORE: tick_explore(prove); return;
    case STAGE_RUN: tick_run(prove); return;
    case STAGE_SETTLE: tick_settle(prove); return;
    case STAGE_OVER: return;
    }
}

static void on_hangup(uv_signal_t *hangup, int number) {
    struct prove *prove = CONTAINER_OF(hangup, struct prove, hangup);
    (void)number;
    if (!prove->is_stopping) {
        fail(prove, PROVE_INTERRUPTED, "the terminal was closed");
    }
}

// --- The start ---

// Clients cannot connect to an address that means all of the machine's.
static const char *client_host(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 || host[0] == '*' ? "127.0.0.1" : strcmp(host, "::") == 0 ? "::1" : host;
}

static void on_started(void *owner, struct relay *relay) {
    struct prove *prove = owner;
    const struct proxy_options *proxy = &prove->options->proxy;
    struct text words = {0};
    prove->relay = relay;
    for (unsigned i = 0; i < COPIES; i++) {
        prove->environments[i] = environment_new(&prove->identity, client_host(proxy->listen.host), relay_port(relay),
                                                 i + 1);
    }
    prove->direct = environment_new_direct(&prove->identity, proxy->upstream);
    if (prove->options->explores) { // before the timer, because this runs the loop
        explore_open(&prove->explore, prove->options, &prove->loop, prove->direct, &prove->is_stopping);
    }
    CHECK(uv_timer_init(&prove->loop, &prove->tick) == 0);
    CHECK(uv_timer_start(&prove->tick, on_tick, 0, TICK_MS) == 0);
    CHECK(uv_signal_init(&prove->loop, &prove->hangup) == 0);
    CHECK(uv_signal_start(&prove->hangup, on_hangup, SIGHUP) == 0);
    if (!relay_sees_locks(relay)) {
        fail(prove, PROVE_WRONG, "the database cannot be used: see the line above");
        return;
    }
    bool is_6 = strchr(proxy->listen.host, ':') != NULL;
    text_append_format(&words, "listening on %s%s%s:%u, before the PostgreSQL at %s", is_6 ? "[" : "",
                       proxy->listen.host, is_6 ? "]" : "", relay_port(relay), db_server_name(proxy->servers, 0));
    runs_say(text_terminated(&words));
    text_free(&words);
    insight_expect(relay_insight(relay), text_terminated(&prove->identity.database));
    enter(prove, STAGE_CATALOGUE, CATALOGUE_MS);
}

void runs_init(struct prove *prove) {
    news_init(prove);
    prove->driver = (struct relay_driver){prove, &prove->listener, news_of_hold, on_started, on_stopping};
    command_init(&prove->reset);
    command_init(&prove->copies[0]);
    command_init(&prove->copies[1]);
    command_init(&prove->explore.command);
}
