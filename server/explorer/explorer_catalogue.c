// Runs cases that state in their comments what an exploration finds, and compares:
//     -- expect rc: anomaly, invariant
//     -- expect ser: clean
//
// explorer_catalogue_read() > read_path() > read_file() > read_expectations(); explorer_catalogue_run() > run_level().
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

struct catalogue_file {
    struct case_list list;
    struct expectation expected[EXPECTATIONS_MAX];
};

struct catalogue {
    struct explorer *explorer;
    struct ending *ending;
    struct catalogue_file *files;
    size_t count;
    int status;
    size_t checked, differing;
};

static void worsen(struct catalogue *catalogue, int status) {
    catalogue->status = worse_status(catalogue->status, status);
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

static void write_line(struct ending *ending, const struct exploration *found, const char *level, unsigned expected,
                       bool differs) {
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
    text_append_string(&line, "\n");
    output_print(ending, text_slice(&line));
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
        if (!catalogue->ending->is_stopped) {
            (void)fprintf(stderr, "race-explore: %s\n", text_terminated(&problem));
            worsen(catalogue, explorer_is_lost(catalogue->explorer) ? EXIT_DATABASE : EXIT_WRONG);
        }
        exploration_free(&found);
    } else {
        bool differs = findings_of(&found) != expected->found;
        worsen(catalogue, !found.is_complete ? EXIT_INCOMPLETE : differs ? EXIT_ANOMALY : EXIT_CLEAN);
        write_line(catalogue->ending, &found, keys[level], expected->found, found.is_complete && differs);
        catalogue->checked++;
        catalogue->differing += found.is_complete && differs;
        exploration_free(&found);
    }
    text_free(&problem);
}

static void read_file(struct catalogue *catalogue, const char *path) {
    struct catalogue_file file = {0};
    struct text problem = {0};
    if (!read_expectations(catalogue, path, file.expected)) {
        return;
    }
    if (case_read(path, &file.list, &problem)) {
        catalogue->files = memory_resize(catalogue->files, (catalogue->count + 1) * sizeof *catalogue->files);
        catalogue->files[catalogue->count++] = file;
    } else {
        (void)fprintf(stderr, "race-explore: %s\n", text_terminated(&problem));
        worsen(catalogue, EXIT_WRONG);
        case_list_free(&file.list);
    }
    text_free(&problem);
}

static int is_sql(const struct dirent *entry) {
    return slice_ends_with(slice_of(entry->d_name), SLICE_LITERAL(".sql"));
}

static void read_path(struct catalogue *catalogue, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) {
        (void)complain(catalogue, path, 0, strerror(errno));
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        read_file(catalogue, path);
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
        read_file(catalogue, text_terminated(&file));
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

struct catalogue *explorer_catalogue_read(char *const *paths, size_t count, struct ending *ending) {
    struct catalogue *catalogue = memory_allocate_zeroed(sizeof *catalogue);
    catalogue->ending = ending;
    struct text folder = {0};
    if (count == 0) {
        append_folder(&folder);
        read_path(catalogue, text_terminated(&folder));
    }
    for (size_t i = 0; i < count; i++) {
        read_path(catalogue, paths[i]);
    }
    text_free(&folder);
    return catalogue;
}

size_t explorer_catalogue_sessions(const struct catalogue *catalogue) {
    size_t most = 0;
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct case_list *list = &catalogue->files[i].list;
        for (size_t j = 0; j < list->count; j++) {
            most = MAX(most, list->cases[j].session_count);
        }
    }
    return most;
}

static void run_file(struct catalogue *catalogue, const struct catalogue_file *file) {
    for (size_t i = 0; i < file->list.count; i++) {
        for (int level = 0; level < EXPECTATIONS_MAX; level++) {
            bool may_run = !catalogue->ending->is_stopped && !explorer_is_lost(catalogue->explorer);
            if (file->expected[level].line != 0 && may_run) {
                run_level(catalogue, &file->list.cases[i], level, &file->expected[level]);
            }
        }
    }
}

int explorer_catalogue_run(struct catalogue *catalogue, struct explorer *explorer) {
    struct text line = {0};
    catalogue->explorer = explorer;
    for (size_t i = 0; i < catalogue->count && explorer != NULL; i++) {
        run_file(catalogue, &catalogue->files[i]);
    }
    text_append_format(&line, "%zu checked, %zu differ\n", catalogue->checked, catalogue->differing);
    output_print(catalogue->ending, text_slice(&line));
    text_free(&line);
    return catalogue->status;
}

void explorer_catalogue_free(struct catalogue *catalogue) {
    for (size_t i = 0; i < catalogue->count; i++) {
        case_list_free(&catalogue->files[i].list);
    }
    free(catalogue->files);
    free(catalogue);
}
