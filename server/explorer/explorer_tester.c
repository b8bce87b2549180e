// The option --isolationtester: it writes what PostgreSQL's isolationtester writes, and nothing else.
#include "server/explorer/explorer_internal.h"

#include <stdio.h>

static bool run_case(uv_loop_t *loop, const struct options *options, const struct sql_case *explored,
                     struct text *problem) {
    const struct explore_settings *settings = &options->explore;
    const char *conninfo = settings->database_url != NULL ? settings->database_url : settings->server;
    struct text out = {0};
    bool good = explore_as_tester(loop, conninfo, explored, &out, problem);
    if (out.length > 0) {
        (void)fwrite(out.data, 1, out.length, stdout);
        (void)fflush(stdout);
    }
    text_free(&out);
    return good;
}

int isolationtester_run(uv_loop_t *loop, const struct options *options) {
    int status = EXIT_CLEAN;
    for (size_t i = 0; i < options->file_count; i++) {
        struct case_list list = {0};
        struct text problem = {0};
        bool good = case_read(options->files[i], &list, &problem);
        for (size_t j = 0; j < list.count && good; j++) {
            good = run_case(loop, options, &list.cases[j], &problem);
        }
        if (!good) {
            status = EXIT_WRONG;
        }
        if (problem.length > 0) {
            (void)fprintf(stderr, "race-explore: %s\n", text_terminated(&problem));
        }
        text_free(&problem);
        case_list_free(&list);
    }
    return status;
}
