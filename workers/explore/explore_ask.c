// Statements that run while nothing else does, and the words of what went wrong.
#include "workers/explore/explore_internal.h"

void cell_fail(struct cell *cell, int line, const char *what, const char *words) {
    if (cell->problem.length == 0) {
        text_append_format(&cell->problem, "%s:%d: %s: %s", cell->explored->file, line, what, words);
    }
    cell->is_cut = true;
}

const char *cell_error_words(const struct db_async *connection) {
    const struct db_async_answer *error = db_async_error(connection);
    if (error != NULL) {
        return db_async_message(error);
    }
    return db_async_transaction(connection) == DB_ASYNC_BROKEN ? "the connection to the server was lost" : NULL;
}

static void ignore_answer(void *user) {
    (void)user;
}

bool explore_ask(uv_loop_t *loop, struct db_async *connection, const char *sql, struct text *problem) {
    if (db_async_is_stopped(connection)) {
        text_append_string(problem, "interrupted");
        return false;
    }
    db_async_query(connection, sql, ignore_answer, NULL);
    db_async_await(loop, connection);
    const struct db_async_answer *error = db_async_error(connection);
    if (error != NULL) {
        text_append_string(problem, db_async_message(error));
        return false;
    }
    if (db_async_transaction(connection) == DB_ASYNC_BROKEN) {
        text_append_string(problem, "the connection to the server was lost");
        return false;
    }
    return true;
}
