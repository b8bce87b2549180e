// explorer_main() > explore_file() > explore_case() > explore(), and the reports.
#include "server/explorer/explorer.h"

#include "server/assets/assets.h"
#include "server/explorer/explorer_internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct program {
    struct options options;
    uv_loop_t loop;
    uv_signal_t interrupt, terminate;
    struct explorer *explorer;
    int status;
    bool is_interrupted;
    size_t explored_cases;
    struct progress progress;
    struct canvas canvas;
    struct text json_text;
    struct json_writer json;
    struct junit junit;
};

static void worsen(struct program *program, int status) {
    // A wrong case and a database that fails say more than what was found before them.
    static const int rank[] = {
        [EXIT_CLEAN] = 0, [EXIT_INCOMPLETE] = 1, [EXIT_ANOMALY] = 2, [EXIT_WRONG] = 3, [EXIT_DATABASE] = 4};
    if (rank[status] > rank[program->status]) {
        program->status = status;
    }
}

static void on_signal(uv_signal_t *handle, int number) {
    struct program *program = handle->data;
    (void)number;
    program->is_interrupted = true; // there may be no explorer yet
    (void)uv_signal_stop(handle);   // a second signal ends the process at once
    if (program->explorer != NULL) {
        explorer_stop(program->explorer);
    }
}

// Nothing but the document goes to the standard output if --json or --junit is "-".
static bool writes_document(const char *path) {
    return path != NULL && strcmp(path, "-") == 0;
}

static bool prints_document(const struct options *options) {
    return writes_document(options->json_path) || writes_document(options->junit_path) ||
           writes_document(options->html_path);
}

static void write_out(struct program *program, struct text *out) {
    progress_hide(&program->progress);
    if (prints_document(&program->options)) {
        text_clear(out);
        return;
    }
    (void)fputs(text_terminated(out), stdout);
    (void)fflush(stdout);
    text_clear(out);
}

// `explored`: NULL if the file cannot be read.
static void complain(struct program *program, const char *file, const struct sql_case *explored, struct text *problem) {
    progress_hide(&program->progress);
    (void)fprintf(stderr, "race-explore: %s\n", text_terminated(problem));
    junit_add_problem(&program->junit, file, explored == NULL ? file : explored->name, text_terminated(problem));
    worsen(program, EXIT_WRONG);
}

// Adds what was found to the three reports.
static void report_found(struct program *program, struct report *report, const struct exploration *found) {
    struct text out = {0};
    bool is_bad = found->anomalous + found->broken + found->new_errors > 0;
    worsen(program, is_bad ? EXIT_ANOMALY : found->is_complete ? EXIT_CLEAN : EXIT_INCOMPLETE);
    report_exploration(report, found, &out);
    write_out(program, &out);
    struct beside beside = {0};
    if (program->options.json_path != NULL || program->options.html_path != NULL) {
        beside_run(program->explorer, found, &program->options, &beside);
    }
    json_add_exploration(&program->json, found, &program->options, &beside);
    beside_free(&beside);
    junit_add_exploration(&program->junit, found, &program->options);
    text_free(&out);
}

// --verify: says how many orders were compared, or which outcomes differ.
static void verify(struct program *program, const struct exploration *found) {
    struct text differences = {0};
    struct text problem = {0};
    struct text out = {0};
    uint64_t runs = 0;
    if (!explore_verify(program->explorer, found, &runs, &differences, &problem)) {
        complain(program, found->explored->file, found->explored, &problem);
    } else if (differences.length > 0) {
        text_append_format(&out, "  verify: the reduced run differs from all orders:\n%s",
                           text_terminated(&differences));
        worsen(program, EXIT_ANOMALY);
    } else {
        text_append_format(&out, "  verify: %zu runs say of the %" PRIu64 " orders what %" PRIu64 " runs say\n",
                           (size_t)found->runs, found->orders, runs);
    }
    write_out(program, &out);
    text_free(&differences);
    text_free(&problem);
    text_free(&out);
}

// `like`: the exploration at another level, or NULL.
static void shrink(struct program *program, struct exploration *found, const struct exploration *like) {
    const struct explore_outcome *worst = found_smallest(found);
    if (worst != NULL && program->options.replay == NULL && !program->options.keeps_all) {
        explore_shrink(program->explorer, found, worst, like);
    }
}

// --without. False: the reason is written.
static bool leave_out(struct program *program, const struct sql_case *explored, struct text *problem) {
    struct case_left_out left_out = {0};
    const char *names = program->options.without;
    bool good = names == NULL || case_read_left_out(explored, names, &left_out, problem);
    if (good) {
        explorer_leave_out(program->explorer, &left_out);
    } else {
        complain(program, explored->file, explored, problem);
    }
    return good;
}

static void explore_one(struct program *program, struct case_list *list, const struct sql_case *explored) {
    const struct options *options = &program->options;
    bool chose = options->levels[0] || options->levels[1] || options->levels[2];
    bool as_written = options->as_written || (!chose && explored->names_levels);
    struct exploration found[CASE_LEVELS];
    size_t count = 0;
    struct text problem = {0};
    struct text out = {0};
    struct text title = {0};
    struct report report = {.options = options, .canvas = program->canvas};
    json_begin_case(&program->json, explored->file, explored);
    bool is_possible = leave_out(program, explored, &problem);
    for (int level = 0; level < CASE_LEVELS && is_possible; level++) {
        if (as_written ? level != 0 : (chose && !options->levels[level])) {
            continue;
        }
        struct exploration *each = &found[count++];
        *each = (struct exploration){.level = (enum case_level)level, .as_written = as_written};
        text_clear(&title);
        text_append_format(&title, "%s, %s", explored->name, found_level_name(each));
        program->progress.what = text_terminated(&title);
        bool good = options->replay == NULL
                        ? explore(program->explorer, explored, (enum case_level)level, as_written, each, &problem)
                        : explore_replay(program->explorer, explored, (enum case_level)level, as_written,
                                         options->replay, each, &problem);
        if (good) {
            shrink(program, each, count > 1 ? &found[count - 2] : NULL);
        }
        program->progress.what = NULL;
        if (!good) {
            complain(program, explored->file, explored, &problem);
            exploration_free(&found[--count]);
            break;
        }
        report_found(program, &report, each);
        if (options->verifies && options->replay == NULL) {
            verify(program, each);
        }
    }
    report_table(&report, found, count, &out);
    json_begin_fixes(&program->json);
    if (options->tries_fixes && options->replay == NULL) {
        fix_report(program->explorer, list, explored, found, count, program->canvas, &program->json, &out);
    }
    write_out(program, &out);
    report_free(&report);
    json_end_case(&program->json, problem.length == 0 ? NULL : text_terminated(&problem));
    for (size_t i = 0; i < count; i++) {
        exploration_free(&found[i]);
    }
    text_free(&title);
    text_free(&out);
    text_free(&problem);
}

// Explores the cases of a file that was read, or complains of it.
static void explore_list(struct program *program, const char *file, bool was_read, struct case_list *list,
                         struct text *problem) {
    if (!was_read) {
        complain(program, file, NULL, problem);
        json_begin_case(&program->json, file, NULL);
        json_begin_fixes(&program->json);
        json_end_case(&program->json, text_terminated(problem));
    }
    program->options.has_more_cases = list->count > 1;
    for (size_t i = 0; i < list->count && was_read; i++) { // else they are not all of the file
        if (program->options.only_case == NULL || strcmp(program->options.only_case, list->cases[i].name) == 0) {
            explore_one(program, list, &list->cases[i]);
            program->explored_cases++;
        }
    }
    explorer_forget_case(program->explorer);
    text_free(problem);
    case_list_free(list);
}

static void explore_file(struct program *program, const char *path) {
    struct case_list list = {0};
    struct text problem = {0};
    bool was_read = case_read(path, &list, &problem);
    const char *setup = program->options.setup_path;
    if (was_read && setup != NULL && list.count > 0 && list.cases[0].is_recording) {
        was_read = case_add_setup(setup, &list, &problem);
    }
    explore_list(program, path, was_read, &list, &problem);
}

static void explore_scripts(struct program *program) {
    const struct options *options = &program->options;
    struct case_list list = {0};
    struct text problem = {0};
    bool was_read = case_read_pgbench(options->setup_path, options->scripts, options->script_count, 1, &list, &problem);
    explore_list(program, options->scripts[0], was_read, &list, &problem);
}

static void run_program(struct program *program) {
    struct text problem = {0};
    if (program->options.as_isolationtester) {
        (void)uv_signal_stop(&program->interrupt); // the first signal ends the process
        (void)uv_signal_stop(&program->terminate);
        program->status = isolationtester_run(&program->loop, &program->options);
        return;
    }
    if (program->options.as_stepper) {
        program->status = stepper_run(&program->loop, &program->options);
        return;
    }
    program->explorer = explorer_open(&program->loop, &program->options.explore, &problem);
    if (program->explorer == NULL) {
        (void)fprintf(stderr, "race-explore: the database cannot be used: %s\n", text_terminated(&problem));
        program->status = EXIT_DATABASE;
    } else {
        if (program->options.is_catalogue) {
            program->status = catalogue_run(program->explorer, program->options.files, program->options.file_count);
            program->options.file_count = 0;
        }
        if (program->options.script_count > 0) {
            explore_scripts(program);
        }
        for (size_t i = 0; i < program->options.file_count && !program->is_interrupted; i++) {
            explore_file(program, program->options.files[i]);
        }
        if (program->is_interrupted) {
            worsen(program, EXIT_INCOMPLETE);
        }
        if (program->options.only_case != NULL && program->explored_cases == 0 && !program->is_interrupted) {
            (void)fprintf(stderr, "race-explore: --case %s: there is no case of this name\n",
                          program->options.only_case);
            worsen(program, EXIT_WRONG);
        }
        explorer_close(program->explorer);
        program->explorer = NULL;
    }
    text_free(&problem);
}

static void write_documents(struct program *program) {
    const struct options *options = &program->options;
    struct text xml = {0};
    struct text html = {0};
    json_end_document(&program->json);
    junit_write(&program->junit, &xml);
    if (options->json_path != NULL && !output_write("json", options->json_path, text_slice(&program->json_text))) {
        worsen(program, EXIT_WRONG);
    }
    if (options->junit_path != NULL && !output_write("junit", options->junit_path, text_slice(&xml))) {
        worsen(program, EXIT_WRONG);
    }
    if (options->html_path != NULL) {
        assets_append_alone("explore.html", text_slice(&program->json_text), &html);
        if (!output_write("html", options->html_path, text_slice(&html))) {
            worsen(program, EXIT_WRONG);
        }
    }
    text_free(&html);
    text_free(&xml);
    text_free(&program->json_text);
    text_free(&program->junit.tests);
}

static void watch_signals(struct program *program) {
    CHECK(uv_signal_init(&program->loop, &program->interrupt) == 0);
    CHECK(uv_signal_init(&program->loop, &program->terminate) == 0);
    program->interrupt.data = program->terminate.data = program;
    CHECK(uv_signal_start(&program->interrupt, on_signal, SIGINT) == 0);
    CHECK(uv_signal_start(&program->terminate, on_signal, SIGTERM) == 0);
    uv_unref((uv_handle_t *)&program->interrupt);
    uv_unref((uv_handle_t *)&program->terminate);
}

int explorer_main(int argc, char **argv) {
    struct program program = {0};
    int status;
    if (!options_read(argc, argv, &program.options, &status)) {
        free(program.options.scripts);
        return status;
    }
    if (!output_is_possible("json", program.options.json_path) ||
        !output_is_possible("junit", program.options.junit_path) ||
        !output_is_possible("html", program.options.html_path)) {
        free(program.options.scripts);
        return EXIT_WRONG;
    }
    program.canvas = report_canvas();
    program.json.out = &program.json_text;
    json_begin_document(&program.json, &program.options);
    CHECK(uv_loop_init(&program.loop) == 0);
    watch_signals(&program);
    progress_begin(&program.progress, &program.loop, &program.explorer);
    run_program(&program);
    progress_end(&program.progress);
    write_documents(&program);
    uv_close((uv_handle_t *)&program.interrupt, NULL);
    uv_close((uv_handle_t *)&program.terminate, NULL);
    (void)uv_run(&program.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&program.loop) == 0);
    free(program.options.scripts);
    return program.status;
}
