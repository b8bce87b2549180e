// The option --isolationtester: it writes what PostgreSQL's isolationtester writes, and nothing else.
#include "server/explorer/explorer_internal.h"

#include <stdio.h>

static bool run_case(uv_loop_t *loop, const struct options *options, const struct sql_case *explored,
                     struct ending *ending, struct text *problem) {
    const struct explore_settings *settings = &options->explore;
    const char *conninfo = settings->database_url != NULL ? settings->database_url : settings->server;
    struct text out = {0};
    bool good = explore_as_tester(loop, conninfo, explored, &ending->is_stopped, &out, problem);
    if (out.length > 0) {
        output_print(ending, text_slice(&out));
    }
    text_free(&out);
    return good;
}

int isolationtester_run(uv_loop_t *loop, const struct options *options, const struct inputs *inputs,
                        struct ending *ending) {
    int status = EXIT_CLEAN;
    for (size_t i = 0; i < inputs->count && !ending->is_stopped; i++) {
        const struct input *input = &inputs->items[i];
        struct text problem = {0};
        bool good = input->problem.length == 0;
        for (size_t j = 0; j < input->list.count && good; j++) {
            good = run_case(loop, options, &input->list.cases[j], ending, &problem);
        }
        if (!good) {
            status = EXIT_WRONG;
        }
        if (problem.length > 0 && !ending->is_stopped) {
            (void)fprintf(stderr, "race-explore: %s\n", text_terminated(&problem));
        }
        text_free(&problem);
    }
    return status;
}
