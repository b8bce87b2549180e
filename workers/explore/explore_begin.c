// A BEGIN that is sent with the statement behind it: one round trip less for each transaction.
#include "workers/explore/explore_internal.h"

#include <string.h>

bool begin_may_wait(const struct cell_session *session) {
    const struct cell *cell = session->cell;
    const struct case_session *program = &cell->explored->sessions[session->index];
    const struct case_instruction *begin = &program->instructions[session->at];
    const struct case_statement_shape *shape = &cell->shapes[session->index][session->at];
    size_t next = session->at + 1;
    if (session->in_transaction || !shape->begins_transaction || shape->ends_transaction || shape->is_several ||
        begin->is_block || begin->parameters != NULL || cell->measures || cell->changes_schema ||
        cell->may_show_begin || next >= program->count) {
        return false;
    }
    const struct case_instruction *behind = &program->instructions[next];
    const struct case_statement_shape *shape_behind = &cell->shapes[session->index][next];
    const bool *left_out = cell->reference == NULL ? NULL : cell->reference->left_out[session->index];
    return behind->operation == CASE_STATEMENT && !behind->is_block && !shape_behind->begins_transaction &&
           !shape_behind->ends_transaction && (left_out == NULL || !left_out[next]) &&
           !case_is_left_out(&cell->explorer->left_out, session->index, next);
}

void begin_wait(struct cell_session *session) {
    struct explore_run *run = session->cell->run;
    run->steps[session->launched].completed = (uint32_t)run->step_count;
    session->begins_late = true;
    session->late_begin = session->launched;
    session->at++;
    session->transaction_began = run->sessions[session->index].count;
    case_variables_succeed(&session->variables, "");
}

const char *begin_before(const struct cell_session *session) {
    if (session->begins_late) {
        return session->cell->run->steps[session->late_begin].sql;
    }
    return session->is_split ? sql_explore[EXPLORE_BEGIN] : NULL;
}

enum db_async_transaction begin_transaction(const struct cell_session *session) {
    return session->begins_late ? DB_ASYNC_IN_TRANSACTION : db_async_transaction(session->connection);
}

bool begin_may_show(const char *sql) {
    static const char *const words[] = {"now(",       "now (",    "'now",      "'today", "'tomorrow",
                                        "'yesterday", "current_", "localtime", "age(",   "transaction_timestamp",
                                        "pg_stat"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasestr(sql, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}
