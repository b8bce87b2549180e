// explore_begin_recording() > COMMAND > explore_end_recording() > explore_dump() > ... > explore_run(). See
// prove_explore.h.
#include "server/proxy/prove_explore.h"

#include "server/draw/draw.h"
#include "sql/proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_LINE "-- Recorded by race-proxy prove:"
#define EXPLORER "race-explore"

// --- Before the start ---

static bool is_in_path(const char *program) {
    const char *path = getenv("PATH");
    struct text file = {0};
    bool is_there = false;
    for (const char *rest = path != NULL ? path : ""; !is_there && *rest != '\0';) {
        size_t length = strcspn(rest, ":");
        text_clear(&file);
        text_append_format(&file, "%.*s/%s", (int)length, rest, program);
        is_there = access(text_terminated(&file), X_OK) == 0;
        rest += length + (rest[length] == ':');
    }
    text_free(&file);
    return is_there;
}

// Appends the path of the race-explore beside this program. False: there is none.
static bool append_neighbour(struct text *out) {
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    while (length > 0 && self[length - 1] != '/') {
        length--;
    }
    text_append_format(out, "%.*s" EXPLORER, (int)MAX(length, (ssize_t)0), self);
    return access(text_terminated(out), X_OK) == 0;
}

// A file that was recorded may be recorded again. Another one stays.
static bool is_ours(const char *path) {
    char line[sizeof FIRST_LINE] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return true;
    }
    bool is_empty = fgets(line, sizeof line, file) == NULL;
    (void)fclose(file);
    return is_empty || strcmp(line, FIRST_LINE) == 0;
}

bool explore_is_possible(const struct prove_options *options) {
    struct text neighbour = {0};
    const char *problem = NULL;
    if (!options->explores) {
        return true;
    }
    if (!is_in_path("pg_dump")) {
        problem = "there is no pg_dump in PATH, which copies the rows: install PostgreSQL's client programs "
                  "(postgresql-client)";
    } else if (options->explorer == NULL && !append_neighbour(&neighbour) && !is_in_path(EXPLORER)) {
        problem = "there is no race-explore beside race-proxy or in PATH: build it, or name it with --explorer COMMAND";
    } else if (!is_ours(options->explore_path)) {
        problem = "the file exists, and was not recorded by race-proxy prove: choose another one with --explore=FILE";
    }
    if (problem != NULL) {
        (void)fprintf(stderr, "race-proxy prove: --explore=%s: %s\n", options->explore_path, problem);
    }
    text_free(&neighbour);
    return problem == NULL;
}

// --- The snapshot ---

static void complain(struct explore *explore, const char *words, const char *more) {
    if (explore->problem.length == 0) {
        text_append_format(&explore->problem, "%s%s", words, more);
    }
    explore->task = EXPLORE_IDLE;
}

void explore_open(struct explore *explore, const struct prove_options *options, uv_loop_t *loop, char **environment,
                  const bool *is_stopped) {
    struct text problem = {0};
    char folder[] = "/tmp/race-proxy-XXXXXX";
    explore->options = options;
    explore->loop = loop;
    explore->environment = environment;
    explore->session = db_async_open(loop, options->proxy.upstream != NULL ? options->proxy.upstream : "", is_stopped,
                                     &problem);
    if (explore->session == NULL) {
        complain(explore, "the database cannot be used: ", text_terminated(&problem));
    } else if (mkdtemp(folder) == NULL) {
        complain(explore, "no folder can be made in /tmp: ", strerror(errno));
    } else {
        text_append_string(&explore->folder, folder);
    }
    text_free(&problem);
}

static void on_snapshot(void *user) {
    struct explore *explore = user;
    const struct db_async_answer *error = db_async_error(explore->session);
    if (error != NULL || db_async_answer_count(explore->session) < 2) {
        complain(explore, "the rows cannot be kept visible: ", error != NULL ? db_async_message(error) : "no answer");
        return;
    }
    const struct db_async_answer *answer = db_async_last_answer(explore->session);
    const char *level = db_async_value(answer, 0, 1);
    text_clear(&explore->snapshot);
    text_clear(&explore->level);
    text_append_string(&explore->snapshot, db_async_value(answer, 0, 0));
    text_append_string(&explore->level, strcmp(level, "serializable") == 0      ? "ser"
                                        : strcmp(level, "repeatable read") == 0 ? "rr"
                                                                                : "rc");
    explore->task = EXPLORE_IDLE;
}

void explore_begin_recording(struct explore *explore, bool takes_snapshot) {
    static const char rollback[] = "ROLLBACK";
    const char *const statements[] = {rollback, sql_proxy[PROXY_EXPLORE_BEGIN], sql_proxy[PROXY_EXPLORE_SNAPSHOT]};
    script_begin(&explore->script);
    if (!takes_snapshot || explore->problem.length > 0) {
        return;
    }
    bool is_open = db_async_transaction(explore->session) != DB_ASYNC_NO_TRANSACTION;
    explore->task = EXPLORE_SNAPSHOT;
    db_async_execute(explore->session, statements + !is_open, 2 + (size_t)is_open, on_snapshot, explore);
}

void explore_end_recording(struct explore *explore, size_t session) {
    struct script *script = &explore->script;
    script_finish(script);
    if (script->problem.length > 0) {
        complain(explore, text_terminated(&script->problem), "");
    }
    text_clear(&explore->sessions[session]);
    text_append_slice(&explore->sessions[session], text_slice(&script->sql));
    explore->names_level |= script->names_level;
    explore->left_out = script->left_out;
}

// --- The rows ---

static void append_path(const struct explore *explore, const char *name, struct text *out) {
    text_append_slice(out, text_slice(&explore->folder));
    text_append_format(out, "/%s", name);
}

static void on_rolled_back(void *user) {
    (void)user; // an error leaves the next task without a session, which says so
}

static void start_dump(struct explore *explore, const struct db_async_answer *answer) {
    static const char *const fixed[] = {"pg_dump",
                                        "--inserts",
                                        "--rows-per-insert=100",
                                        "--no-owner",
                                        "--no-privileges",
                                        "--no-comments",
                                        "--no-password",
                                        "--no-publications",
                                        "--no-subscriptions",
                                        "--no-security-labels",
                                        "--no-tablespaces",
                                        "--lock-wait-timeout=5000"};
    enum { FIXED = sizeof fixed / sizeof fixed[0] };
    struct text snapshot = {0};
    struct text file = {0};
    struct text problem = {0};
    size_t count = FIXED;
    char **arguments = memory_allocate_zeroed((FIXED + 3 + 2 * (size_t)db_async_rows(answer)) * sizeof *arguments);
    for (size_t i = 0; i < FIXED; i++) {
        arguments[i] = (char *)(uintptr_t)fixed[i];
    }
    text_append_format(&snapshot, "--snapshot=%s", text_terminated(&explore->snapshot));
    text_append_string(&file, "--file=");
    append_path(explore, "rows.sql", &file);
    arguments[count++] = (char *)(uintptr_t)text_terminated(&snapshot);
    arguments[count++] = (char *)(uintptr_t)text_terminated(&file);
    for (int row = 0; row < db_async_rows(answer); row++) {
        if (strcmp(db_async_value(answer, row, 1), "f") == 0) {
            static char option[] = "-T";
            arguments[count++] = option;
            arguments[count++] = (char *)(uintptr_t)db_async_value(answer, row, 0);
        }
    }
    explore->task = EXPLORE_DUMP;
    if (!command_start(&explore->command, explore->loop, arguments, explore->environment, &problem)) {
        complain(explore, text_terminated(&problem), "");
    }
    free(arguments);
    text_free(&snapshot);
    text_free(&file);
    text_free(&problem);
}

static void on_tables(void *user) {
    struct explore *explore = user;
    const struct db_async_answer *error = db_async_error(explore->session);
    uint64_t bytes = 0;
    if (error != NULL) {
        complain(explore, "the tables cannot be listed: ", db_async_message(error));
        return;
    }
    const struct db_async_answer *answer = db_async_last_answer(explore->session);
    for (int row = 0; row < db_async_rows(answer); row++) {
        bool is_needed = strcmp(db_async_value(answer, row, 1), "t") == 0;
        bytes += is_needed ? strtoull(db_async_value(answer, row, 2), NULL, 10) : 0;
    }
    if (bytes > EXPLORE_BYTES_MAX) {
        struct text words = {0};
        text_append_format(&words,
                           "the tables that COMMAND needs have %llu MiB, and at most %d are copied: use a test "
                           "database with fewer rows",
                           (unsigned long long)(bytes >> 20), EXPLORE_BYTES_MAX >> 20);
        complain(explore, text_terminated(&words), "");
        text_free(&words);
        return;
    }
    start_dump(explore, answer);
}

void explore_dump(struct explore *explore) {
    struct text both = {0};
    text_append_slice(&both, text_slice(&explore->sessions[0]));
    text_append_slice(&both, text_slice(&explore->sessions[1]));
    const char *const values[] = {text_terminated(&both)};
    if (explore->problem.length == 0) {
        explore->task = EXPLORE_TABLES;
        db_async_execute_with(explore->session, sql_proxy[PROXY_EXPLORE_TABLES], values, 1, on_tables, explore);
    }
    text_free(&both);
}

static void complain_of_command(struct explore *explore, const char *program) {
    struct text words = {0};
    text_append_format(&words, "%s has failed, with ", program);
    command_append_end(&explore->command, &words);
    text_append_string(&words, ": ");
    command_append_output(&explore->command, &words);
    while (words.data[words.length - 1] == '\n') {
        words.length--;
    }
    complain(explore, text_terminated(&words), "");
    text_free(&words);
}

// --- The file ---

static void append_file(struct text *out, const char *path) {
    char bytes[4096];
    FILE *file = fopen(path, "re");
    size_t count;
    while (file != NULL && (count = fread(bytes, 1, sizeof bytes, file)) > 0) {
        text_append(out, bytes, count);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void append_case(struct explore *explore, struct text *out) {
    struct text path = {0};
    text_append_string(out, FIRST_LINE);
    for (char *const *each = explore->options->command; *each != NULL; each++) {
        struct text word = {0};
        words_append_shell(&word, *each);
        text_append_string(out, " ");
        words_append(out, text_slice(&word));
        text_free(&word);
    }
    text_append_string(
        out, "\n-- A session has the statements of one COMMAND, with the values that it used when it ran "
             "alone. If the\n-- program calculates a value from what it has read, make it a variable (\\gset) "
             "and the decision an \\if:\n-- docs/EXPLORER.md describes both.\n");
    if (explore->left_out > 0) {
        text_append_format(out, "-- Left out: %zu statements about the connection or the catalogue.\n",
                           explore->left_out);
    }
    text_append_string(out, "\n-- session A\n");
    text_append_slice(out, text_slice(&explore->sessions[0]));
    bool is_like_a = explore->sessions[1].length == 0 ||
                     slice_equals(text_slice(&explore->sessions[0]), text_slice(&explore->sessions[1]));
    text_append_string(out, is_like_a ? "\n-- session B like A\n" : "\n-- session B\n");
    text_append_slice(out, is_like_a ? SLICE_LITERAL("") : text_slice(&explore->sessions[1]));
    text_append_string(out, "\n-- setup\n");
    append_path(explore, "rows.sql", &path);
    append_file(out, text_terminated(&path));
    text_free(&path);
}

static bool write_case(struct explore *explore) {
    struct text out = {0};
    append_case(explore, &out);
    FILE *file = fopen(explore->options->explore_path, "we");
    bool is_written = file != NULL && fwrite(out.data, 1, out.length, file) == out.length;
    is_written = file != NULL && fclose(file) == 0 && is_written;
    text_free(&out);
    if (!is_written) {
        complain(explore, "the file cannot be written: ", strerror(errno));
    }
    return is_written;
}

// --- The explorer ---

void explore_run(struct explore *explore) {
    const struct prove_options *options = explore->options;
    static char shell[] = "/bin/sh";
    static char option[] = "-c";
    struct text line = {0};
    struct text neighbour = {0};
    struct text problem = {0};
    if (explore->problem.length > 0 || !write_case(explore)) {
        return;
    }
    bool has_neighbour = options->explorer == NULL && append_neighbour(&neighbour);
    if (options->explorer != NULL) {
        text_append_string(&line, options->explorer);
    } else {
        words_append_shell(&line, has_neighbour ? text_terminated(&neighbour) : EXPLORER);
    }
    text_append_format(&line, " --levels %s --fix --time %u --json ",
                       explore->names_level ? "as-written" : text_terminated(&explore->level), options->time_s);
    append_path(explore, "found.json", &line);
    text_append_string(&line, " ");
    words_append_shell(&line, options->explore_path);
    text_append_string(&line, " > ");
    append_path(explore, "found.txt", &line);
    char *arguments[] = {shell, option, (char *)(uintptr_t)text_terminated(&line), NULL};
    explore->task = EXPLORE_RUN;
    if (!command_start(&explore->command, explore->loop, arguments, explore->environment, &problem)) {
        complain(explore, text_terminated(&problem), "");
    }
    text_free(&line);
    text_free(&neighbour);
    text_free(&problem);
}

static void end_run(struct explore *explore) {
    enum { CLEAN, ANOMALY, WRONG, INCOMPLETE };
    struct text json = {0};
    struct text story = {0};
    struct text problem = {0};
    int64_t status = explore->command.status;
    bool has_ended = explore->command.signal == 0 && (status == CLEAN || status == ANOMALY || status == INCOMPLETE);
    append_path(explore, "found.json", &json);
    append_path(explore, "found.txt", &story);
    bool is_read = has_ended && found_read(&explore->found, text_terminated(&json), text_terminated(&story), &problem);
    if (problem.length > 0) {
        complain(explore, text_terminated(&problem), "");
    } else if (!is_read) {
        complain_of_command(explore, EXPLORER);
    }
    explore->task = EXPLORE_IDLE;
    text_free(&json);
    text_free(&story);
    text_free(&problem);
}

bool explore_tick(struct explore *explore) {
    if ((explore->task == EXPLORE_DUMP || explore->task == EXPLORE_RUN) && explore->command.is_open) {
        return true;
    }
    if (explore->task == EXPLORE_DUMP) {
        if (command_has_failed(&explore->command)) {
            complain_of_command(explore, "pg_dump");
        }
        db_async_query(explore->session, "ROLLBACK", on_rolled_back, explore);
        explore->task = EXPLORE_IDLE;
    } else if (explore->task == EXPLORE_RUN) {
        end_run(explore);
    }
    return explore->task != EXPLORE_IDLE;
}

// --- The end ---

void explore_close(struct explore *explore) {
    static const char *const names[] = {"rows.sql", "found.json", "found.txt"};
    if (explore->session != NULL) {
        db_async_close(explore->session);
        explore->session = NULL;
    }
    for (size_t i = 0; explore->folder.length > 0 && i < sizeof names / sizeof names[0]; i++) {
        struct text path = {0};
        append_path(explore, names[i], &path);
        (void)unlink(text_terminated(&path));
        text_free(&path);
    }
    if (explore->folder.length > 0) {
        (void)rmdir(text_terminated(&explore->folder));
        text_free(&explore->folder);
    }
}

void explore_free(struct explore *explore) {
    script_free(&explore->script);
    for (size_t i = 0; i < EXPLORE_SESSIONS; i++) {
        text_free(&explore->sessions[i]);
    }
    text_free(&explore->snapshot);
    text_free(&explore->level);
    text_free(&explore->problem);
    command_free(&explore->command);
    found_free(&explore->found);
}
