// Writes what was found as a test report in JUnit's XML: a testcase for each case and level. A finding is a failure;
// a search that is not complete, and a case that cannot be run, are errors, so neither passes.
#include "server/explorer/explorer_internal.h"

static void begin_test(struct junit *junit, const char *file, const char *name, const char *level, double seconds) {
    struct text title = {0};
    text_append_format(&title, "%s%s%s", name, level == NULL ? "" : ", ", level == NULL ? "" : level);
    text_append_string(&junit->tests, "    <testcase");
    junit_append_attribute(&junit->tests, "classname", slice_of(file));
    junit_append_attribute(&junit->tests, "name", text_slice(&title));
    text_append_format(&junit->tests, " time=\"%.3f\"", seconds);
    junit->count++;
    junit->seconds += seconds;
    text_free(&title);
}

void junit_add_exploration(struct junit *junit, const struct exploration *found, const struct options *options) {
    const struct explore_outcome *worst = found_smallest(found);
    begin_test(junit, found->explored->file, found->explored->name, found_level_name(found),
               (double)(found->ended_ns - found->started_ns) / 1e9);
    if (worst == NULL && found->is_complete) {
        text_append_string(&junit->tests, "/>\n");
        return;
    }
    struct report report = {.options = options, .canvas = {.width = 80}};
    struct text story = {0};
    struct text message = {0};
    report_exploration(&report, found, &story);
    report_free(&report);
    if (worst != NULL) {
        found_append_kind(found, worst, &message);
        junit_append_child(&junit->tests, "failure", text_slice(&message), text_slice(&story));
        junit->failures++;
    } else {
        text_append_format(&message, "not complete: %s",
                           found->incomplete_because == NULL ? "it failed" : found->incomplete_because);
        junit_append_child(&junit->tests, "error", text_slice(&message), text_slice(&story));
        junit->errors++;
    }
    text_free(&story);
    text_free(&message);
}

void junit_add_problem(struct junit *junit, const char *file, const char *name, const char *problem) {
    begin_test(junit, file, name, NULL, 0);
    junit_append_child(&junit->tests, "error", slice_of(problem), slice_of(problem));
    junit->errors++;
}

void junit_write(const struct junit *junit, struct text *out) {
    text_append_string(out,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"race-explore\"");
    text_append_format(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" time=\"%.3f\">\n",
                       junit->count, junit->failures, junit->errors, junit->seconds);
    text_append_slice(out, text_slice(&junit->tests));
    text_append_string(out, "  </testsuite>\n</testsuites>\n");
}
