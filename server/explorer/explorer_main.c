// explorer_main() > run_program() > explore_inputs() > explore_one() > explore(), and the reports.
#include "server/explorer/explorer.h"

#include "server/assets/assets.h"
#include "server/explorer/explorer_internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

// SIGHUP: the terminal has gone. SIGPIPE is no reason to end: what was made must be removed first.
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

struct program {
    struct options options;
    uv_loop_t loop;
    uv_signal_t signals[SIGNALS];
    struct explorer *explorer;
    struct inputs inputs;
    int status;
    struct ending ending;
    struct progress progress;
    struct canvas canvas;
    struct text json_text;
    struct json_writer json;
    struct junit junit;
};

static void worsen(struct program *program, int status) {
    program->status = worse_status(program->status, status);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct program *program = handle->data;
    (void)number;
    program->ending.is_stopped = program->ending.is_interrupted = true;
    (void)uv_signal_stop(handle); // a second signal ends the process at once
}

// Nothing but the document goes to the standard output if --json, --junit or --html is "-".
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
    output_print(&program->ending, text_slice(out));
    text_clear(out);
}

static bool has_lost_database(const struct program *program) {
    return program->explorer != NULL && explorer_is_lost(program->explorer);
}

// `explored`: NULL if the file cannot be read.
static void complain(struct program *program, const char *file, const struct sql_case *explored, struct text *problem) {
    progress_hide(&program->progress);
    if (program->ending.is_stopped) {
        text_clear(problem); // the server's answer to a cancelled statement
        text_append_string(problem, "it was interrupted");
    } else {
        (void)fprintf(stderr, "race-explore: %s\n", text_terminated(problem));
        worsen(program, has_lost_database(program) ? EXIT_DATABASE : EXIT_WRONG);
    }
    junit_add_problem(&program->junit, file, explored == NULL ? file : explored->name, text_terminated(problem));
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

// --without
static void leave_out(struct program *program, const struct sql_case *explored) {
    struct case_left_out left_out = {0};
    struct text ignored = {0};
    const char *names = program->options.without;
    CHECK(names == NULL || case_read_left_out(explored, names, &left_out, &ignored)); // as in inputs_read()
    explorer_leave_out(program->explorer, &left_out);
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
    leave_out(program, explored);
    for (int level = 0; level < CASE_LEVELS; level++) {
        if (program->ending.is_stopped || (as_written ? level != 0 : (chose && !options->levels[level]))) {
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
        if (options->verifies && options->replay == NULL && !program->ending.is_stopped) {
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

// Reports the files that cannot be explored.
static void report_inputs(struct program *program) {
    for (size_t i = 0; i < program->inputs.count; i++) {
        struct input *input = &program->inputs.items[i];
        if (input->problem.length > 0) {
            complain(program, input->file, NULL, &input->problem);
            json_begin_case(&program->json, input->file, NULL);
            json_begin_fixes(&program->json);
            json_end_case(&program->json, text_terminated(&input->problem));
        }
    }
}

// False: --case names a case that is in none of the files.
static bool has_the_case(const struct program *program) {
    const char *name = program->options.only_case;
    bool found = name == NULL;
    for (size_t i = 0; i < program->inputs.count; i++) {
        const struct case_list *list = &program->inputs.items[i].list;
        for (size_t j = 0; j < list->count; j++) {
            found = found || strcmp(name, list->cases[j].name) == 0;
        }
    }
    if (!found) {
        (void)fprintf(stderr, "race-explore: --case %s: there is no case of this name\n", name);
    }
    return found;
}

static void explore_inputs(struct program *program) {
    const char *name = program->options.only_case;
    for (size_t i = 0; i < program->inputs.count; i++) {
        struct input *input = &program->inputs.items[i];
        program->options.has_more_cases = input->list.count > 1;
        for (size_t j = 0; j < input->list.count && input->problem.length == 0; j++) { // else they are not all of it
            const struct sql_case *each = &input->list.cases[j];
            bool may_run = !program->ending.is_stopped && !has_lost_database(program);
            if (may_run && (name == NULL || strcmp(name, each->name) == 0)) {
                explore_one(program, &input->list, each);
            }
        }
    }
}

// Connects. False: the database cannot be used; the reason is written.
static bool open_explorer(struct program *program, size_t sessions) {
    struct text problem = {0};
    program->options.explore.sessions_max = sessions;
    program->options.explore.is_stopped = &program->ending.is_stopped;
    program->explorer = explorer_open(&program->loop, &program->options.explore, &problem);
    if (program->explorer == NULL && !program->ending.is_stopped) {
        (void)fprintf(stderr, "race-explore: the database cannot be used: %s\n", text_terminated(&problem));
        worsen(program, EXIT_DATABASE);
    }
    const char *note = program->explorer == NULL ? NULL : explorer_note(program->explorer);
    if (note != NULL) {
        (void)fprintf(stderr, "race-explore: %s\n", note);
    }
    text_free(&problem);
    return program->explorer != NULL;
}

static void run_catalogue(struct program *program) {
    struct catalogue *catalogue = explorer_catalogue_read(program->options.files, program->options.file_count,
                                                          &program->ending);
    size_t sessions = explorer_catalogue_sessions(catalogue);
    if (sessions == 0 || open_explorer(program, sessions)) {
        worsen(program, explorer_catalogue_run(catalogue, program->explorer));
    }
    if (program->explorer != NULL) {
        explorer_close(program->explorer);
        program->explorer = NULL;
    }
    explorer_catalogue_free(catalogue);
}

static void run_program(struct program *program) {
    if (program->options.as_stepper) {
        worsen(program, stepper_run(&program->loop, &program->options));
        return;
    }
    if (program->options.is_catalogue) {
        run_catalogue(program);
        return;
    }
    inputs_read(&program->options, &program->inputs);
    report_inputs(program);
    size_t sessions = inputs_sessions(&program->inputs);
    if (!has_the_case(program)) {
        worsen(program, EXIT_WRONG);
    } else if (sessions > 0 && program->options.as_isolationtester) {
        worsen(program, isolationtester_run(&program->loop, &program->options, &program->inputs, &program->ending));
    } else if (sessions > 0 && open_explorer(program, sessions)) {
        explore_inputs(program);
        explorer_close(program->explorer);
        program->explorer = NULL;
    }
    inputs_free(&program->inputs);
}

// The reason for an early end counts more than what was found before.
static void report_ending(struct program *program) {
    worsen(program, program->ending.output_status);
    if (program->ending.is_interrupted) {
        (void)fputs("race-explore: interrupted: what was found so far is not complete\n", stderr);
        worsen(program, EXIT_INTERRUPTED);
    }
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

// These handles also keep the loop alive: without any it would not look for signals.
static void watch_signals(struct program *program) {
    (void)signal(SIGPIPE, SIG_IGN); // a write that fails is noticed where it fails
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_t *handle = &program->signals[i];
        CHECK(uv_signal_init(&program->loop, handle) == 0);
        handle->data = program;
        struct sigaction before;
        bool has_nohup = signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!has_nohup) {
            CHECK(uv_signal_start(handle, on_signal, signals[i]) == 0);
        }
    }
}

int explorer_main(int argc, char **argv) {
    struct program program = {0};
    int status;
    if (!output_is_open()) {
        return EXIT_WRONG;
    }
    if (!options_read(argc, argv, &program.options, &status)) {
        free(program.options.scripts);
        return status;
    }
    program.canvas = draw_canvas();
    CHECK(uv_loop_init(&program.loop) == 0);
    watch_signals(&program);
    if (output_is_possible("json", program.options.json_path) &&
        output_is_possible("junit", program.options.junit_path) &&
        output_is_possible("html", program.options.html_path)) {
        program.json.out = &program.json_text;
        json_begin_document(&program.json, &program.options);
        progress_begin(&program.progress, &program.loop, &program.explorer);
        run_program(&program);
        progress_end(&program.progress);
        write_documents(&program);
    } else {
        program.status = EXIT_WRONG;
    }
    report_ending(&program);
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_close((uv_handle_t *)&program.signals[i], NULL);
    }
    (void)uv_run(&program.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&program.loop) == 0);
    free(program.options.scripts);
    return program.status;
}
