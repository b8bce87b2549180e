// row_versions_new() > row_versions_watch() > on_triggers(), then on_tick() > on_records() > sight_add_version() until
// row_versions_end(). The session has an advisory lock: without it the triggers record nothing.
#include "server/proxy/row_versions.h"

#include "observability/log/log.h"
#include "sql/proxy.h"
#include "workers/database/database.h"

#include <stdlib.h>

enum {
    LOCK_TRIES = 50, // another proxy may be about to end, and a killed one's backend too
    LOCK_PAUSE_MS = 100,
    RECORDS_AT_ONCE = 5000, // the LIMIT of the statement
    CLOSE_MS = 1000,        // at most so long, the answer to the last reading is waited for
    CLOSE_STEP_MS = 10,
    CELLS_MAX = 1600, // PostgreSQL's MaxHeapAttributeNumber
};

struct row_versions {
    uv_loop_t *loop;
    uv_timer_t timer;
    const char *conninfo;
    char *database;
    struct db_async *session;
    struct sight *sight; // NULL: the catalogue was not read yet
    uint64_t mark, asked;
    size_t tables;
    bool wants_triggers, has_failed;
    bool was_full; // the last reading has left records
    uint64_t close_before_ms;
};

// --- The name of a test database ---

static bool is_for_tests(const char *database) {
    struct slice name = slice_of(database);
    bool is_test = false;
    for (size_t i = 0; i + 4 <= name.length; i++) {
        is_test |= slice_equals_ignoring_case((struct slice){name.data + i, 4}, SLICE_LITERAL("test"));
    }
    return is_test || slice_starts_with(name, SLICE_LITERAL("explore_"));
}

// --- Begin ---

static void on_answer(void *user) {
    (void)user; // run() waits for it
}

static bool run(struct row_versions *versions, const char *sql, struct text *problem) {
    db_async_query(versions->session, sql, on_answer, NULL);
    db_async_await(versions->loop, versions->session);
    const struct db_async_answer *error = db_async_error(versions->session);
    if (error != NULL) {
        text_append_string(problem, db_async_message(error));
    }
    return error == NULL;
}

// Takes the lock. The answer names the database.
static bool take_lock(struct row_versions *versions, struct text *problem) {
    for (unsigned attempt = 0; attempt < LOCK_TRIES && !db_async_is_stopped(versions->session); attempt++) {
        if (!run(versions, sql_proxy[PROXY_EXACT_LOCK], problem)) {
            return false;
        }
        const struct db_async_answer *answer = db_async_last_answer(versions->session);
        if (versions->database == NULL) {
            const char *name = db_async_value(answer, 0, 0);
            versions->database = memory_allocate(strlen(name) + 1);
            memcpy(versions->database, name, strlen(name) + 1);
        }
        if (!is_for_tests(versions->database)) {
            text_append_format(problem,
                               "--exact creates triggers, so it needs a database for tests: its name must contain "
                               "\"test\" or begin with \"explore_\", and this one is \"%s\"",
                               versions->database);
            return false;
        }
        if (strcmp(db_async_value(answer, 0, 1), "t") == 0) {
            return true;
        }
        db_async_run_loop(versions->loop, -1, 0, LOCK_PAUSE_MS);
    }
    text_append_format(problem, "--exact: another race-proxy records the row writes of the database %s",
                       versions->database);
    return false;
}

static bool create(struct row_versions *versions, struct text *problem) {
    static const enum proxy_sql steps[] = {PROXY_EXACT_REMOVE, PROXY_EXACT_CREATE, PROXY_EXACT_TABLE,
                                           PROXY_EXACT_FUNCTION};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (!run(versions, sql_proxy[steps[i]], problem)) {
            struct text words = {0};
            text_append_format(&words, "--exact needs a role that may create a schema and triggers in %s: %s",
                               versions->database, text_terminated(problem));
            text_free(problem);
            *problem = words;
            return false;
        }
    }
    return true;
}

static void drop_session(struct row_versions *versions) {
    if (versions->session != NULL) {
        db_async_close(versions->session);
        versions->session = NULL;
    }
}

struct row_versions *row_versions_new(uv_loop_t *loop, const char *conninfo, const bool *is_stopped,
                                      struct text *problem) {
    struct row_versions *versions = memory_allocate_zeroed(sizeof *versions);
    versions->loop = loop;
    versions->conninfo = conninfo;
    versions->session = db_async_open(loop, conninfo, is_stopped, problem);
    if (versions->session == NULL || !take_lock(versions, problem) || !create(versions, problem)) {
        drop_session(versions);
        free(versions->database);
        free(versions);
        return NULL;
    }
    CHECK(uv_timer_init(loop, &versions->timer) == 0);
    return versions;
}

const char *row_versions_database(const struct row_versions *versions) {
    return versions->database;
}

// --- Records ---

static uint64_t number_of(const char *digits) {
    return digits == NULL ? 0 : strtoull(digits, NULL, 10);
}

// Adds the record whose columns begin at `row`. Returns the row behind them.
static int add_record(struct row_versions *versions, const struct db_async_answer *answer, int row) {
    struct sight_cell *cells = memory_allocate_zeroed(CELLS_MAX * sizeof *cells);
    const char *id = db_async_value(answer, row, 0);
    const char *sql = db_async_value(answer, row, 7);
    size_t count = 0;
    int end = row;
    for (; end < db_async_rows(answer) && strcmp(db_async_value(answer, end, 0), id) == 0; end++) {
        if (count < CELLS_MAX) {
            cells[count++] = (struct sight_cell){(int16_t)number_of(db_async_value(answer, end, 8)),
                                                 db_async_value(answer, end, 9), db_async_value(answer, end, 10)};
        }
    }
    struct sight_row_version version = {
        .backend_pid = (uint32_t)number_of(db_async_value(answer, row, 1)),
        .xid = number_of(db_async_value(answer, row, 2)),
        .table = (uint32_t)number_of(db_async_value(answer, row, 3)),
        .operation = db_async_value(answer, row, 4)[0],
        .old_xmin = (uint32_t)number_of(db_async_value(answer, row, 5)),
        .new_xmin = (uint32_t)number_of(db_async_value(answer, row, 6)),
        .sql = sql != NULL ? sql : "",
        .cells = cells,
        .cell_count = count,
    };
    sight_add_version(versions->sight, &version);
    free(cells);
    return end;
}

static void fail(struct row_versions *versions, const char *what) {
    const struct db_async_answer *error = db_async_error(versions->session);
    if (!versions->has_failed) {
        log_write(LOG_LEVEL_WARN, NULL, "%s, so from now on races are judged by the order of the messages: %s", what,
                  error != NULL ? db_async_message(error) : "no answer");
    }
    versions->has_failed = true;
    sight_versions_end(versions->sight);
}

static void on_records(void *user) {
    struct row_versions *versions = user;
    const struct db_async_answer *answer = db_async_last_answer(versions->session);
    if (db_async_error(versions->session) != NULL || answer == NULL) {
        fail(versions, "The records of the triggers cannot be read");
        return;
    }
    unsigned records = 0;
    for (int row = 0; row < db_async_rows(answer); records++) {
        row = add_record(versions, answer, row);
    }
    versions->was_full = records == RECORDS_AT_ONCE;
    if (!versions->was_full) {
        sight_settle(versions->sight, versions->mark, false);
    }
}

// Triggers may not be there yet because a table was locked; then they are asked for again.
static void on_triggers(void *user) {
    struct row_versions *versions = user;
    const struct db_async_answer *answer = db_async_last_answer(versions->session);
    versions->wants_triggers = db_async_error(versions->session) != NULL;
    if (db_async_transaction(versions->session) == DB_ASYNC_BROKEN) {
        fail(versions, "The session of --exact is lost");
        return;
    }
    if (versions->wants_triggers || answer == NULL) {
        log_write(LOG_LEVEL_WARN, NULL, "The triggers of --exact are not there yet: %s",
                  db_async_message(db_async_error(versions->session)));
        return;
    }
    for (int row = 0; row < db_async_rows(answer); row++) {
        sight_versions_of(versions->sight, (uint32_t)number_of(db_async_value(answer, row, 0)), versions->asked);
    }
    if (versions->tables != (size_t)db_async_rows(answer)) {
        versions->tables = (size_t)db_async_rows(answer);
        log_event(LOG_LEVEL_INFO, "exact", NULL, "Triggers record the row writes of %zu tables of %s", versions->tables,
                  versions->database);
    }
}

static void on_tick(uv_timer_t *timer) {
    struct row_versions *versions = CONTAINER_OF(timer, struct row_versions, timer);
    if (versions->has_failed || db_async_is_busy(versions->session)) {
        return;
    }
    if (versions->wants_triggers && !versions->was_full) {
        const char *const statements[] = {sql_proxy[PROXY_EXACT_TRIGGERS], sql_proxy[PROXY_EXACT_TABLES]};
        versions->wants_triggers = false;
        versions->asked = sight_mark(versions->sight);
        db_async_execute(versions->session, statements, 2, on_triggers, versions);
        return;
    }
    versions->mark = sight_mark(versions->sight);
    const char *const statements[] = {sql_proxy[PROXY_EXACT_TAKE]};
    db_async_execute(versions->session, statements, 1, on_records, versions);
}

void row_versions_watch(struct row_versions *versions, struct sight *sight) {
    if (versions->sight == NULL) {
        versions->sight = sight;
        sight_versions_begin(sight, versions->database);
        CHECK(uv_timer_start(&versions->timer, on_tick, 0, ROW_VERSIONS_MS) == 0);
    }
    versions->wants_triggers = true;
}

void row_versions_await(struct row_versions *versions) {
    while ((versions->wants_triggers || db_async_is_busy(versions->session)) &&
           !db_async_is_stopped(versions->session)) {
        db_async_run_loop(versions->loop, -1, 0, ROW_VERSIONS_MS);
    }
}

// --- End ---

// A reading deletes the records that it takes, so its answer must not be lost.
static void on_closing(uv_timer_t *timer) {
    struct row_versions *versions = CONTAINER_OF(timer, struct row_versions, timer);
    if (db_async_is_busy(versions->session) && uv_now(versions->loop) < versions->close_before_ms) {
        return;
    }
    drop_session(versions);
    uv_close((uv_handle_t *)timer, NULL);
}

void row_versions_close(struct row_versions *versions) {
    versions->close_before_ms = uv_now(versions->loop) + CLOSE_MS;
    CHECK(uv_timer_start(&versions->timer, on_closing, 0, CLOSE_STEP_MS) == 0);
}

static void take_last_records(struct row_versions *versions) {
    do {
        versions->mark = sight_mark(versions->sight);
        const char *const statements[] = {sql_proxy[PROXY_EXACT_TAKE]};
        db_async_execute(versions->session, statements, 1, on_records, versions);
        db_async_await(versions->loop, versions->session);
    } while (versions->was_full && !versions->has_failed);
    sight_settle(versions->sight, versions->mark, true);
}

void row_versions_end(struct row_versions *versions) {
    struct text problem = {0};
    versions->session = db_async_open(versions->loop, versions->conninfo, NULL, &problem);
    if (versions->session != NULL && take_lock(versions, &problem)) {
        if (versions->sight != NULL && !versions->has_failed) {
            take_last_records(versions);
        }
        (void)run(versions, "SET lock_timeout = '10s'", &problem);
        (void)run(versions, sql_proxy[PROXY_EXACT_REMOVE], &problem);
    }
    if (problem.length > 0) {
        log_write(LOG_LEVEL_WARN, NULL,
                  "The triggers of --exact are still in %s; they record nothing, and the next start with --exact "
                  "removes them: %s",
                  versions->database, text_terminated(&problem));
    }
    drop_session(versions);
    (void)uv_run(versions->loop, UV_RUN_DEFAULT);
    text_free(&problem);
    free(versions->database);
    free(versions);
}
