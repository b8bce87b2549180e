// Runs cases that state in their comments what an exploration finds, and compares:
//     -- expect rc: anomaly, invariant
//     -- expect ser: clean
//
// catalogue_run() > run_path() > run_file() > read_expectations(), run_level().
#include "server/explorer/explorer_internal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum finding { FOUND_ANOMALY = 1, FOUND_INVARIANT = 2, FOUND_ERROR = 4 }; // bits; none: clean

static const struct {
    const char *word;
    unsigned bit;
} findings[] = {{"clean", 0}, {"anomaly", FOUND_ANOMALY}, {"invariant", FOUND_INVARIANT}, {"error", FOUND_ERROR}};
#define FINDINGS (sizeof findings / sizeof findings[0])

enum { AS_WRITTEN = CASE_LEVELS, EXPECTATIONS_MAX };
static const char *const keys[EXPECTATIONS_MAX] = {"rc", "rr", "ser", "as-written"};

struct expectation {
    int line;       // 0: the file says nothing about this level
    unsigned found; // bits
};

struct catalogue {
    struct explorer *explorer;
    enum exit_status status;
    size_t checked, differing;
};

static void worsen(struct catalogue *catalogue, enum exit_status status) {
    // A file that cannot be used says more than a difference, and a difference more than a run that was stopped.
    static const int rank[] = {[EXIT_CLEAN] = 0, [EXIT_INCOMPLETE] = 1, [EXIT_ANOMALY] = 2, [EXIT_WRONG] = 3};
    if (rank[status] > rank[catalogue->status]) {
        catalogue->status = status;
    }
}

static bool complain(struct catalogue *catalogue, const char *path, int line, const char *problem) {
    (void)fprintf(stderr, "race-explore: %s:%d: %s\n", path, line, problem);
    worsen(catalogue, EXIT_WRONG);
    return false;
}

static bool read_words(const char *words, unsigned *found) {
    *found = 0;
    size_t count = 0;
    bool is_clean = false;
    for (const char *at = words + strspn(words, " ,\r\n"); *at != '\0'; count++) {
        size_t length = strcspn(at, " ,\r\n");
        size_t i = 0;
        while (i < FINDINGS && (strlen(findings[i].word) != length || strncmp(findings[i].word, at, length) != 0)) {
            i++;
        }
        if (i == FINDINGS) {
            return false;
        }
        is_clean = is_clean || findings[i].bit == 0;
        *found |= findings[i].bit;
        at += length;
        at += strspn(at, " ,\r\n");
    }
    return count > 0 && (!is_clean || count == 1);
}

static bool read_expectation(struct catalogue *catalogue, const char *path, int line, const char *text,
                             struct expectation *expected) {
    const char *colon = strchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    for (int i = 0; i < EXPECTATIONS_MAX; i++) {
        if (strlen(keys[i]) != length || strncmp(keys[i], text, length) != 0) {
            continue;
        }
        if (expected[i].line != 0) {
            return complain(catalogue, path, line, "a second expectation of one level: leave one of them out");
        }
        expected[i].line = line;
        return read_words(colon + 1, &expected[i].found) ||
               complain(catalogue, path, line,
                        "expected clean, or some of anomaly, invariant, error behind the colon, separated by commas");
    }
    return complain(catalogue, path, line,
                    "expected \"-- expect LEVEL: ...\", and rc, rr, ser or as-written as the level");
}

static bool read_expectations(struct catalogue *catalogue, const char *path, struct expectation *expected) {
    static const char mark[] = "-- expect ";
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return complain(catalogue, path, 0, strerror(errno));
    }
    char *line = NULL;
    size_t capacity = 0;
    int number = 0;
    bool good = true, has_some = false;
    while (good && getline(&line, &capacity, file) >= 0) {
        number++;
        if (strncmp(line, mark, sizeof mark - 1) == 0) {
            has_some = true;
            good = read_expectation(catalogue, path, number, line + sizeof mark - 1, expected);
        }
    }
    free(line);
    (void)fclose(file);
    return good &&
           (has_some || complain(catalogue, path, 1,
                                 "there is no line such as \"-- expect rc: clean\", so nothing can be checked"));
}

static void append_words(unsigned found, struct text *out) {
    const char *separator = "";
    for (size_t i = 0; i < FINDINGS; i++) {
        if ((found & findings[i].bit) != 0 || (found == 0 && findings[i].bit == 0)) {
            text_append_format(out, "%s%s", separator, findings[i].word);
            separator = ", ";
        }
    }
}

static unsigned findings_of(const struct exploration *found) {
    return (found->anomalous > 0 ? (unsigned)FOUND_ANOMALY : 0) | (found->broken > 0 ? (unsigned)FOUND_INVARIANT : 0) |
           (found->new_errors > 0 ? (unsigned)FOUND_ERROR : 0);
}

// The name of the anomaly that the most orders show.
static const char *name_of(const struct exploration *found) {
    const struct explore_outcome *most = NULL;
    for (size_t i = 0; i < found->outcome_count; i++) {
        const struct explore_outcome *each = &found->outcomes[i];
        if (each->is_anomalous && each->name != NULL && (most == NULL || each->orders > most->orders)) {
            most = each;
        }
    }
    return most == NULL ? "" : most->name;
}

static uint64_t bad_orders(const struct exploration *found) {
    uint64_t count = 0;
    for (size_t i = 0; i < found->outcome_count; i++) {
        const struct explore_outcome *each = &found->outcomes[i];
        count += each->is_anomalous || each->has_new_error || each->broken != 0 ? each->orders : 0;
    }
    return count;
}

static void write_line(const struct exploration *found, const char *level, unsigned expected, bool differs) {
    struct text line = {0};
    struct text words = {0};
    append_words(findings_of(found), &words);
    text_append_format(&line,
                       "%-34s %-10s %-18s %5" PRIu64 " of %5" PRIu64 " orders, %5" PRIu64 " wait, %5" PRIu64 " abort",
                       found->explored->name, level, text_terminated(&words), bad_orders(found), found->orders,
                       found->blocked, found->aborted);
    const char *name = name_of(found);
    text_append_format(&line, "%s%s", name[0] == '\0' ? "" : "  ", name);
    if (!found->is_complete) {
        text_append_format(&line, "  not complete: %s", found->incomplete_because);
    }
    if (differs) {
        text_clear(&words);
        append_words(expected, &words);
        text_append_format(&line, "  DIFFERS: expected %s", text_terminated(&words));
    }
    (void)printf("%s\n", text_terminated(&line));
    (void)fflush(stdout);
    text_free(&line);
    text_free(&words);
}

static void run_level(struct catalogue *catalogue, const struct sql_case *explored, int level,
                      const struct expectation *expected) {
    struct exploration found;
    struct text problem = {0};
    bool as_written = level == AS_WRITTEN;
    if (explored->names_levels && !as_written) {
        (void)complain(catalogue, explored->file, expected->line,
                       "the statements name their isolation levels: expect something of as-written");
    } else if (!explore(catalogue->explorer, explored, as_written ? CASE_READ_COMMITTED : (enum case_level)level,
                        as_written, &found, &problem)) {
        (void)fprintf(stderr, "race-explore: %s\n", text_terminated(&problem));
        worsen(catalogue, EXIT_WRONG);
        exploration_free(&found);
    } else {
        bool differs = findings_of(&found) != expected->found;
        worsen(catalogue, !found.is_complete ? EXIT_INCOMPLETE : differs ? EXIT_ANOMALY : EXIT_CLEAN);
        write_line(&found, keys[level], expected->found, found.is_complete && differs);
        catalogue->checked++;
        catalogue->differing += found.is_complete && differs;
        exploration_free(&found);
    }
    text_free(&problem);
}

static void run_file(struct catalogue *catalogue, const char *path) {
    struct expectation expected[EXPECTATIONS_MAX] = {0};
    if (!read_expectations(catalogue, path, expected)) {
        return;
    }
    struct case_list list = {0};
    struct text problem = {0};
    if (!case_read(path, &list, &problem)) {
        (void)fprintf(stderr, "race-explore: %s\n", text_terminated(&problem));
        worsen(catalogue, EXIT_WRONG);
    } else {
        for (size_t i = 0; i < list.count; i++) {
            for (int level = 0; level < EXPECTATIONS_MAX; level++) {
                if (expected[level].line != 0 && catalogue->status != EXIT_INCOMPLETE) {
                    run_level(catalogue, &list.cases[i], level, &expected[level]);
                }
            }
        }
    }
    text_free(&problem);
    explorer_forget_case(catalogue->explorer);
    case_list_free(&list);
}

static int is_sql(const struct dirent *entry) {
    return slice_ends_with(slice_of(entry->d_name), SLICE_LITERAL(".sql"));
}

static void run_path(struct catalogue *catalogue, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) {
        (void)complain(catalogue, path, 0, strerror(errno));
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        run_file(catalogue, path);
        return;
    }
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_sql, alphasort);
    if (count <= 0) {
        (void)complain(catalogue, path, 0, count < 0 ? strerror(errno) : "there is no .sql file in this folder");
    }
    for (int i = 0; i < count; i++) {
        struct text file = {0};
        text_append_format(&file, "%s/%s", path, entries[i]->d_name);
        run_file(catalogue, text_terminated(&file));
        text_free(&file);
        free(entries[i]);
    }
    free(entries);
}

// The catalogue's folder in the source tree that the program was built in: build/PRESET/race-explore.
static void append_folder(struct text *out) {
    char program[4096];
    size_t size = sizeof program;
    if (uv_exepath(program, &size) != 0) {
        size = 0;
    }
    for (int up = 0; up < 3; up++) {
        while (size > 0 && program[--size] != '/') {}
    }
    text_append(out, program, size);
    text_append_string(out, "/sql/cases");
}

int catalogue_run(struct explorer *explorer, char *const *paths, size_t count) {
    struct catalogue catalogue = {.explorer = explorer};
    struct text folder = {0};
    if (count == 0) {
        append_folder(&folder);
        run_path(&catalogue, text_terminated(&folder));
    }
    for (size_t i = 0; i < count; i++) {
        run_path(&catalogue, paths[i]);
    }
    (void)printf("%zu checked, %zu differ\n", catalogue.checked, catalogue.differing);
    text_free(&folder);
    return (int)catalogue.status;
}
