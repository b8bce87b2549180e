// Runs statements on one connection without blocking: uv_poll watches the socket, libpq keeps the buffers.
// https://www.postgresql.org/docs/current/libpq-async.html
//
// db_async_query(), db_async_execute() > begin() ... launched() > receive() > finish() > the caller's `done`.
// on_socket() > receive() when more bytes have come.
#include "workers/database/db_async_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

enum {
    PREPARED_BUCKETS = 64,
    PREPARED_MAX = 512, // more texts than that: the connection forgets them all
};

struct prepared {
    SLIST_ENTRY(prepared) next;
    size_t bucket;
    unsigned number; // its name is s<number>
    char sql[];
};

// One message of a pipeline whose answer is still to come.
struct expected {
    struct prepared *prepared;
    bool is_prepare; // PREPARE, else the execution
};

struct db_async {
    uv_poll_t poll;
    PGconn *connection;
    const bool *is_stopped; // see db_async_open(); or NULL
    db_async_done *done;    // NULL: nothing is unanswered
    void *done_user;
    db_async_notice *notice;
    db_async_notification *notification;
    void *notice_user;
    PGresult **answers;
    size_t answer_count, answer_capacity;
    struct expected *expected; // the answers of the running pipeline, in order
    size_t expected_count, expected_capacity, expected_next;
    bool in_pipeline;
    bool is_broken;
    bool is_receiving; // keeps receive() from being entered by a `done` that sends again
    SLIST_HEAD(, prepared) prepared[PREPARED_BUCKETS];
    unsigned prepared_count, prepared_number;
};

static void on_notice(void *user, const PGresult *result) {
    struct db_async *connection = user;
    if (connection->notice != NULL) {
        connection->notice(connection->notice_user, PQresultErrorMessage(result));
    }
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void watch(struct db_async *connection) {
    // libpq holds bytes back only when the socket's buffer is full.
    int events = UV_READABLE | (PQflush(connection->connection) > 0 ? UV_WRITABLE : 0);
    CHECK(uv_poll_start(&connection->poll, events, on_socket) == 0);
}

struct db_async *db_async_open(uv_loop_t *loop, const char *conninfo, const bool *is_stopped, struct text *problem) {
    PGconn *opened = db_async_connect(loop, conninfo, is_stopped, problem);
    if (opened == NULL) {
        return NULL;
    }
    struct db_async *connection = memory_allocate_zeroed(sizeof *connection);
    connection->connection = opened;
    connection->is_stopped = is_stopped;
    for (size_t i = 0; i < PREPARED_BUCKETS; i++) {
        SLIST_INIT(&connection->prepared[i]);
    }
    (void)PQsetNoticeReceiver(opened, on_notice, connection);
    CHECK(uv_poll_init(loop, &connection->poll, PQsocket(opened)) == 0);
    connection->poll.data = connection;
    watch(connection);
    return connection;
}

static void clear_answers(struct db_async *connection) {
    for (size_t i = 0; i < connection->answer_count; i++) {
        PQclear(connection->answers[i]);
    }
    connection->answer_count = 0;
}

void db_async_forget_prepared(struct db_async *connection) {
    for (size_t i = 0; i < PREPARED_BUCKETS; i++) {
        struct prepared *each;
        while ((each = SLIST_FIRST(&connection->prepared[i])) != NULL) {
            SLIST_REMOVE_HEAD(&connection->prepared[i], next);
            free(each);
        }
    }
    connection->prepared_count = 0;
}

static void free_connection(uv_handle_t *handle) {
    free(CONTAINER_OF((uv_poll_t *)handle, struct db_async, poll));
}

void db_async_close(struct db_async *connection) {
    if (connection == NULL) {
        return;
    }
    (void)uv_poll_stop(&connection->poll);
    clear_answers(connection);
    free(connection->answers);
    free(connection->expected);
    db_async_forget_prepared(connection);
    PQfinish(connection->connection);
    uv_close((uv_handle_t *)&connection->poll, free_connection);
}

void db_async_on_notice(struct db_async *connection, db_async_notice *notice, db_async_notification *notification,
                        void *user) {
    connection->notice = notice;
    connection->notification = notification;
    connection->notice_user = user;
}

static void keep_answer(struct db_async *connection, PGresult *answer) {
    if (connection->answer_count == connection->answer_capacity) {
        connection->answer_capacity = MAX(8, connection->answer_capacity * 2);
        connection->answers = memory_resize(connection->answers, connection->answer_capacity * sizeof(void *));
    }
    connection->answers[connection->answer_count++] = answer;
}

static void finish(struct db_async *connection) {
    if (connection->in_pipeline && !connection->is_broken) {
        connection->in_pipeline = false;
        connection->is_broken = PQexitPipelineMode(connection->connection) != 1;
    }
    db_async_done *done = connection->done;
    connection->done = NULL;
    done(connection->done_user);
}

static void give_notifications(struct db_async *connection) {
    PGnotify *each;
    while ((each = PQnotifies(connection->connection)) != NULL) {
        if (connection->notification != NULL) {
            connection->notification(connection->notice_user, each->relname, each->extra, each->be_pid);
        }
        PQfreemem(each);
    }
}

static void forget(struct db_async *connection, struct prepared *prepared) {
    SLIST_REMOVE(&connection->prepared[prepared->bucket], prepared, prepared, next);
    connection->prepared_count--;
    free(prepared);
}

// A PREPARE that failed, or that the server skipped, leaves its name unknown to the server.
static void take_prepare(struct db_async *connection, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK) {
        struct expected *expected = &connection->expected[connection->expected_next];
        forget(connection, expected->prepared);
        expected[0].prepared = expected[1].prepared = NULL; // its execution follows and is skipped
    }
    if (status == PGRES_FATAL_ERROR) {
        keep_answer(connection, result);
    } else {
        PQclear(result);
    }
}

// Takes one result. True: the last one of the send has come.
static bool take_result(struct db_async *connection, PGresult *result) {
    if (result == NULL) {
        connection->expected_next += connection->in_pipeline ? 1 : 0;
        return !connection->in_pipeline;
    }
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        return true;
    }
    if (connection->in_pipeline && connection->expected_next < connection->expected_count &&
        connection->expected[connection->expected_next].is_prepare) {
        take_prepare(connection, result);
        return false;
    }
    if (status == PGRES_PIPELINE_ABORTED) {
        PQclear(result);
        return false;
    }
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        connection->is_broken = true; // nobody here sends or reads COPY data: the connection cannot go on
    }
    keep_answer(connection, result);
    return false;
}

static void receive(struct db_async *connection) {
    if (connection->is_receiving) {
        return;
    }
    connection->is_receiving = true;
    while (connection->done != NULL) {
        if (connection->is_broken || PQstatus(connection->connection) != CONNECTION_OK) {
            connection->is_broken = true;
            (void)uv_poll_stop(&connection->poll);
            finish(connection);
            continue; // `done` may have sent again: that send ends at once
        }
        if (PQisBusy(connection->connection)) {
            break;
        }
        if (take_result(connection, PQgetResult(connection->connection))) {
            give_notifications(connection);
            finish(connection);
        }
    }
    connection->is_receiving = false;
}

static void on_socket(uv_poll_t *poll, int status, int events) {
    struct db_async *connection = CONTAINER_OF(poll, struct db_async, poll);
    if (status < 0 || ((events & UV_READABLE) && PQconsumeInput(connection->connection) != 1)) {
        connection->is_broken = true;
        if (connection->done != NULL) { // a copy of the connection's error text is the last answer
            keep_answer(connection, PQmakeEmptyPGresult(connection->connection, PGRES_FATAL_ERROR));
        }
    }
    if (connection->is_broken) {
        (void)uv_poll_stop(poll);
    } else {
        if (events & UV_WRITABLE) {
            watch(connection);
        }
        give_notifications(connection);
    }
    receive(connection);
}

// Returns the answers' slot to a new send. The connection may be broken: then launched() ends the send.
static void begin(struct db_async *connection, db_async_done *done, void *user) {
    CHECK(connection->done == NULL);
    clear_answers(connection);
    connection->done = done;
    connection->done_user = user;
}

static void launched(struct db_async *connection, bool sent) {
    if (!sent) {
        connection->is_broken = true;
    }
    if (!connection->is_broken && PQflush(connection->connection) > 0) {
        watch(connection);
    }
    if (connection->is_broken) {
        receive(connection);
    }
}

void db_async_query(struct db_async *connection, const char *sql, db_async_done *done, void *user) {
    begin(connection, done, user);
    launched(connection, !connection->is_broken && PQsendQuery(connection->connection, sql) == 1);
}

// FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
static size_t bucket_of(const char *sql) {
    uint64_t hash = 14695981039346656037U;
    for (const char *at = sql; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 1099511628211U;
    }
    return hash % PREPARED_BUCKETS;
}

static void expect(struct db_async *connection, struct prepared *prepared, bool is_prepare) {
    if (connection->expected_count == connection->expected_capacity) {
        connection->expected_capacity = MAX(8, connection->expected_capacity * 2);
        connection->expected = memory_resize(connection->expected,
                                             connection->expected_capacity * sizeof *connection->expected);
    }
    connection->expected[connection->expected_count++] = (struct expected){prepared, is_prepare};
}

static struct prepared *find_prepared(struct db_async *connection, const char *sql, size_t bucket) {
    struct prepared *each;
    SLIST_FOREACH(each, &connection->prepared[bucket], next) {
        if (strcmp(each->sql, sql) == 0) {
            return each;
        }
    }
    return NULL;
}

static struct prepared *add_prepared(struct db_async *connection, const char *sql, size_t bucket) {
    size_t length = strlen(sql) + 1;
    struct prepared *added = memory_allocate(sizeof *added + length);
    memcpy(added->sql, sql, length);
    added->bucket = bucket;
    added->number = connection->prepared_number++;
    SLIST_INSERT_HEAD(&connection->prepared[bucket], added, next);
    connection->prepared_count++;
    return added;
}

static bool send_prepared(struct db_async *connection, const char *sql, const char *const *values, int value_count) {
    size_t bucket = bucket_of(sql);
    struct prepared *prepared = find_prepared(connection, sql, bucket);
    bool is_new = prepared == NULL;
    if (is_new) {
        prepared = add_prepared(connection, sql, bucket);
        expect(connection, prepared, true);
    }
    expect(connection, prepared, false);
    char name[16];
    (void)snprintf(name, sizeof name, "s%u", prepared->number);
    if (is_new && PQsendPrepare(connection->connection, name, sql, 0, NULL) != 1) {
        return false;
    }
    return PQsendQueryPrepared(connection->connection, name, value_count, values, NULL, NULL, 0) == 1;
}

static void begin_pipeline(struct db_async *connection) {
    if (connection->prepared_count > PREPARED_MAX) {
        db_async_forget_prepared(connection); // the server keeps them until DISCARD; numbers are never used twice
    }
    if (!connection->is_broken && PQenterPipelineMode(connection->connection) != 1) {
        connection->is_broken = true;
    }
    connection->in_pipeline = !connection->is_broken;
    connection->expected_count = connection->expected_next = 0;
}

void db_async_execute(struct db_async *connection, const char *const *sql, size_t count, db_async_done *done,
                      void *user) {
    begin(connection, done, user);
    begin_pipeline(connection);
    bool sent = !connection->is_broken;
    for (size_t i = 0; i < count && sent; i++) {
        sent = send_prepared(connection, sql[i], NULL, 0);
    }
    launched(connection, sent && PQpipelineSync(connection->connection) == 1);
}

void db_async_execute_behind(struct db_async *connection, const char *before, const char *sql,
                             const char *const *values, size_t value_count, db_async_done *done, void *user) {
    begin(connection, done, user);
    begin_pipeline(connection);
    bool sent = !connection->is_broken && (before == NULL || send_prepared(connection, before, NULL, 0)) &&
                send_prepared(connection, sql, values, (int)value_count);
    launched(connection, sent && PQpipelineSync(connection->connection) == 1);
}

void db_async_execute_calls(struct db_async *connection, const struct db_async_call *calls, size_t count,
                            db_async_done *done, void *user) {
    begin(connection, done, user);
    begin_pipeline(connection);
    bool sent = !connection->is_broken;
    for (size_t i = 0; i < count && sent; i++) {
        sent = send_prepared(connection, calls[i].sql, calls[i].values, (int)calls[i].value_count);
    }
    launched(connection, sent && PQpipelineSync(connection->connection) == 1);
}

void db_async_execute_with(struct db_async *connection, const char *sql, const char *const *values, size_t value_count,
                           db_async_done *done, void *user) {
    db_async_execute_behind(connection, NULL, sql, values, value_count, done, user);
}

bool db_async_is_stopped(const struct db_async *connection) {
    return connection->is_stopped != NULL && *connection->is_stopped;
}

void db_async_ignore_stop(struct db_async *connection) {
    connection->is_stopped = NULL;
}

// A cancel request that arrives before its statement does nothing, so it is repeated.
void db_async_await(uv_loop_t *loop, struct db_async *connection) {
    while (connection->done != NULL) {
        if (!db_async_is_stopped(connection)) {
            (void)uv_run(loop, UV_RUN_ONCE);
            continue;
        }
        db_async_cancel(connection);
        db_async_run_loop(loop, -1, 0, DB_ASYNC_CANCEL_MS);
    }
}

bool db_async_is_busy(const struct db_async *connection) {
    return connection->done != NULL;
}

enum db_async_transaction db_async_transaction(const struct db_async *connection) {
    if (connection->is_broken) {
        return DB_ASYNC_BROKEN;
    }
    switch (PQtransactionStatus(connection->connection)) {
    case PQTRANS_IDLE: return DB_ASYNC_NO_TRANSACTION;
    case PQTRANS_INERROR: return DB_ASYNC_FAILED_TRANSACTION;
    case PQTRANS_INTRANS:
    case PQTRANS_ACTIVE: return DB_ASYNC_IN_TRANSACTION;
    default: return DB_ASYNC_BROKEN;
    }
}

int db_async_backend(const struct db_async *connection) {
    return PQbackendPID(connection->connection);
}

int db_async_server_version(const struct db_async *connection) {
    return PQserverVersion(connection->connection);
}

void db_async_cancel(struct db_async *connection) {
    PGcancel *cancel = PQgetCancel(connection->connection);
    if (cancel != NULL) {
        char words[256];
        (void)PQcancel(cancel, words, sizeof words);
        PQfreeCancel(cancel);
    }
}

size_t db_async_answer_count(const struct db_async *connection) {
    return connection->answer_count;
}

const struct db_async_answer *db_async_answer(const struct db_async *connection, size_t index) {
    CHECK(index < connection->answer_count);
    return (const struct db_async_answer *)(const void *)connection->answers[index];
}

const struct db_async_answer *db_async_last_answer(const struct db_async *connection) {
    return connection->answer_count == 0 ? NULL : db_async_answer(connection, connection->answer_count - 1);
}

const struct db_async_answer *db_async_error(const struct db_async *connection) {
    for (size_t i = 0; i < connection->answer_count; i++) {
        if (PQresultStatus(connection->answers[i]) == PGRES_FATAL_ERROR) {
            return db_async_answer(connection, i);
        }
    }
    return NULL;
}
