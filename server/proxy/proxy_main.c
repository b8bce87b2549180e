// The start and the end of race-proxy.
#include "server/proxy/proxy.h"

#include "observability/log/log.h"
#include "server/proxy/prove.h"
#include "server/proxy/relay.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2 };

static int run(const struct proxy_options *options) {
    uv_loop_t loop;
    struct text problem = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    log_set_service("race-proxy");
    log_configure(options->is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    CHECK(uv_loop_init(&loop) == 0);
    bool listened = relay_run(&loop, options, NULL, &problem);
    CHECK(uv_loop_close(&loop) == 0); // fails if a handle is still open
    uv_library_shutdown();
    if (listened) {
        log_event(LOG_LEVEL_INFO, "stopped", NULL, "Stopped");
    } else {
        (void)fprintf(stderr, "race-proxy: %s\n", text_terminated(&problem));
    }
    text_free(&problem);
    return listened ? EXIT_SUCCESS : EXIT_FAILURE;
}

int proxy_main(int argc, char **argv) {
    struct proxy_options options;
    if (argc > 1 && strcmp(argv[1], "prove") == 0) {
        return prove_main(argc - 1, argv + 1);
    }
    switch (proxy_options_read(argc, argv, &options)) {
    case PROXY_RUN: {
        int status = run(&options);
        proxy_options_free(&options);
        return status;
    }
    case PROXY_HELP: proxy_print_help(); return EXIT_SUCCESS;
    case PROXY_VERSION: (void)puts("race-proxy " LAB_VERSION); return EXIT_SUCCESS;
    case PROXY_WRONG: break;
    }
    return EXIT_USAGE;
}
