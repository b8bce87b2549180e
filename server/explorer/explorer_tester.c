// The option --isolationtester: it writes what PostgreSQL's isolationtester writes, and nothing else.
#include "server/explorer/explorer_internal.h"

#include <stdio.h>

static int run_case(uv_loop_t *loop, const struct options *options, const struct sql_case *explored,
                    struct ending *ending, struct text *problem) {
    static const int statuses[] = {
        [EXPLORE_TESTER_COMPLETE] = EXIT_CLEAN,
        [EXPLORE_TESTER_FAILED] = EXIT_WRONG,
        [EXPLORE_TESTER_NO_DATABASE] = EXIT_DATABASE,
    };
    const struct explore_settings *settings = &options->explore;
    const char *conninfo = settings->database_url != NULL ? settings->database_url : settings->server;
    struct text out = {0};
    enum explore_tester_end end = explore_as_tester(loop, conninfo, explored, &ending->is_stopped, &out, problem);
    if (out.length > 0) {
        output_print(ending, text_slice(&out));
    }
    text_free(&out);
    return statuses[end];
}

int isolationtester_run(uv_loop_t *loop, const struct options *options, const struct inputs *inputs,
                        struct ending *ending) {
    int status = EXIT_CLEAN;
    for (size_t i = 0; i < inputs->count && !ending->is_stopped; i++) {
        const struct input *input = &inputs->items[i];
        struct text problem = {0};
        int ended = input->problem.length == 0 ? EXIT_CLEAN : EXIT_WRONG;
        for (size_t j = 0; j < input->list.count && ended == EXIT_CLEAN; j++) {
            ended = run_case(loop, options, &input->list.cases[j], ending, &problem);
        }
        status = worse_status(status, ended);
        if (problem.length > 0 && !ending->is_stopped) {
            (void)fprintf(stderr, "race-explore: %s%s\n", ended == EXIT_DATABASE ? "the database cannot be used: " : "",
                          text_terminated(&problem));
        }
        text_free(&problem);
    }
    return status;
}
