// The start and the end of race-proxy prove: prove_main() > run() > relay_run() with the driver of prove_runs.c, and
// report().
#include "server/proxy/prove.h"

#include "observability/log/log.h"
#include "server/proxy/prove_environment.h"
#include "server/proxy/prove_runs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void report(struct prove *prove, double seconds) {
    struct prove_result result = {
        .options = prove->options,
        .candidates = prove->candidates,
        .count = prove->count,
        .dropped = prove->dropped,
        .statements = prove->statements,
        .status = prove->status,
        .problem = prove->problem.length == 0 ? NULL : text_terminated(&prove->problem),
        .seconds = seconds,
        .explore = prove->options->explores ? &prove->explore : NULL,
    };
    struct text out = {0};
    if (result.problem != NULL) {
        runs_say(result.problem);
    } else {
        report_summary(&result, prove->canvas, &out);
        (void)fwrite(out.data, 1, out.length, stderr);
    }
    text_free(&out);
    if (!files_write(&result)) {
        prove->status = PROVE_WRONG;
    }
}

static void free_all(struct prove *prove) {
    for (size_t i = 0; i < prove->count; i++) {
        candidate_free(&prove->candidates[i]);
    }
    command_free(&prove->reset);
    for (size_t i = 0; i < COPIES; i++) {
        command_free(&prove->copies[i]);
        environment_free(prove->environments[i]);
    }
    explore_free(&prove->explore);
    environment_free(prove->direct);
    db_identity_free(&prove->identity);
    text_free(&prove->problem);
}

static int run(struct prove *prove) {
    uint64_t started_ns = clock_monotonic_ns();
    (void)signal(SIGPIPE, SIG_IGN);
    log_set_service("race-proxy");
    log_configure(prove->options->proxy.is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    prove->canvas = draw_canvas();
    runs_init(prove);
    CHECK(uv_loop_init(&prove->loop) == 0);
    if (!relay_run(&prove->loop, &prove->options->proxy, &prove->driver, &prove->problem)) {
        prove->status = PROVE_WRONG;
    }
    CHECK(uv_loop_close(&prove->loop) == 0); // fails if a handle is still open
    uv_library_shutdown();
    report(prove, (double)(clock_monotonic_ns() - started_ns) / 1e9);
    return prove->status;
}

int prove_main(int argc, char **argv) {
    struct prove_options options;
    switch (prove_options_read(argc, argv, &options)) {
    case PROXY_HELP: prove_print_help(); return PROVE_CLEAN;
    case PROXY_VERSION: (void)puts("race-proxy " LAB_VERSION); return PROVE_CLEAN;
    case PROXY_WRONG: return PROVE_WRONG;
    case PROXY_RUN: break;
    }
    if (!sight_has_grammar()) {
        runs_say("this race-proxy was built without libpg_query, so it does not know rows: install libpg-query-dev and "
                 "build again");
        proxy_options_free(&options.proxy);
        return PROVE_WRONG;
    }
    struct prove *prove = memory_allocate_zeroed(sizeof *prove);
    prove->options = &options;
    int status = PROVE_WRONG;
    if (!db_identity_read(options.proxy.upstream, &prove->identity, &prove->problem)) {
        runs_say(text_terminated(&prove->problem));
    } else if (files_are_possible(&options) && explore_is_possible(&options)) {
        status = run(prove);
    }
    free_all(prove);
    free(prove);
    proxy_options_free(&options.proxy);
    return status;
}
