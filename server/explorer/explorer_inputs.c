// Reads the files of the command line. All of them are read before the program connects: a mistake is reported at once,
// and the number of sessions says how many connections are needed.
#include "server/explorer/explorer_internal.h"

#include <stdlib.h>

static bool add_setup(const struct options *options, struct input *input) {
    return options->setup_path == NULL || case_add_setup(options->setup_path, &input->list, &input->problem);
}

// --replay and --without name steps of the case.
static bool check_names(const struct options *options, const struct sql_case *explored, struct text *problem) {
    struct case_left_out ignored = {0};
    return (options->replay == NULL || explore_check_order(explored, options->replay, problem)) &&
           (options->without == NULL || case_read_left_out(explored, options->without, &ignored, problem));
}

static bool check_cases(const struct options *options, struct input *input) {
    for (size_t i = 0; i < input->list.count; i++) {
        const struct sql_case *each = &input->list.cases[i];
        bool is_run = options->only_case == NULL || strcmp(options->only_case, each->name) == 0;
        if (is_run && !check_names(options, each, &input->problem)) {
            return false;
        }
    }
    return true;
}

static void read_input(const struct options *options, struct input *input) {
    bool is_script = input->file == NULL;
    bool was_read;
    if (is_script) {
        input->file = options->scripts[0];
        was_read = case_read_pgbench(options->setup_path, options->scripts, options->script_count, 1, &input->list,
                                     &input->problem);
    } else {
        was_read = case_read(input->file, &input->list, &input->problem) && add_setup(options, input);
    }
    if (was_read && check_cases(options, input) && input->list.count == 0) {
        text_append_format(&input->problem, "%s: has no case", input->file);
    }
}

void inputs_read(const struct options *options, struct inputs *inputs) {
    size_t scripts = options->script_count > 0;
    inputs->count = scripts + options->file_count;
    inputs->items = memory_allocate_zeroed((inputs->count + 1) * sizeof *inputs->items);
    for (size_t i = 0; i < inputs->count; i++) {
        inputs->items[i].file = i < scripts ? NULL : options->files[i - scripts];
        read_input(options, &inputs->items[i]);
    }
}

size_t inputs_sessions(const struct inputs *inputs) {
    size_t most = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        const struct case_list *list = &inputs->items[i].list;
        for (size_t j = 0; j < list->count && inputs->items[i].problem.length == 0; j++) {
            most = MAX(most, list->cases[j].session_count);
        }
    }
    return most;
}

void inputs_free(struct inputs *inputs) {
    for (size_t i = 0; i < inputs->count; i++) {
        text_free(&inputs->items[i].problem);
        case_list_free(&inputs->items[i].list);
    }
    free(inputs->items);
    *inputs = (struct inputs){0};
}
