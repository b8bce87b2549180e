// The savepoints and the cursors of a transaction.
#include "server/sight/sight_internal.h"

#include <stdlib.h>

static void forget_mark(struct sight_session *session, struct mark *mark) {
    LIST_REMOVE(mark, link);
    session->transaction.mark_count--;
    sql_text_release(mark->text);
    free(mark);
}

void marks_forget(struct sight_session *session) {
    for (struct mark *next, *mark = LIST_FIRST(&session->transaction.marks); mark != NULL; mark = next) {
        next = LIST_NEXT(mark, link);
        forget_mark(session, mark);
    }
}

void marks_add(struct sight_session *session, const char *name, uint64_t sent, const struct sql_text *text,
               size_t statement) {
    size_t size = name != NULL ? strlen(name) + 1 : 0;
    if (size == 0 || session->transaction.mark_count >= MARKS_MAX) {
        return;
    }
    struct mark *mark = memory_allocate_zeroed(sizeof *mark + size);
    memcpy(mark->name, name, size);
    mark->sent = sent;
    mark->text = text != NULL ? sql_text_keep((struct sql_text *)(uintptr_t)text) : NULL;
    mark->statement = statement;
    LIST_INSERT_HEAD(&session->transaction.marks, mark, link);
    session->transaction.mark_count++;
}

static struct mark *find_mark(const struct sight_session *session, const char *name, bool is_cursor) {
    struct mark *mark;
    LIST_FOREACH(mark, &session->transaction.marks, link) {
        if ((mark->text != NULL) == is_cursor && name != NULL && strcmp(mark->name, name) == 0) {
            return mark;
        }
    }
    return NULL;
}

void marks_undo_to(struct sight_session *session, const char *name) {
    const struct mark *savepoint = find_mark(session, name, false);
    struct transaction_writes *writes = &session->transaction.writes;
    struct write *next;
    for (struct write *write = TAILQ_FIRST(writes); write != NULL; write = next) {
        next = TAILQ_NEXT(write, of_transaction);
        if (savepoint == NULL || write->sent > savepoint->sent) {
            TAILQ_REMOVE(writes, write, of_transaction);
            history_undo(session->sight->history, write);
        }
    }
    if (session->transaction.unit != NULL) {
        history_doubt_reads(session->sight->history, session->transaction.unit,
                            savepoint != NULL ? savepoint->sent : 0);
    }
    session->transaction.wants_undo = false;
}

void marks_use_cursor(const struct sight_session *session, struct execution *execution) {
    const char *name = execution->statement->cursor;
    const struct mark *cursor = execution->statement->verb == SIGHT_OTHER ? find_mark(session, name, true) : NULL;
    if (cursor != NULL) {
        execution->text = cursor->text;
        execution->index = cursor->statement;
        execution->statement = &cursor->text->statements[cursor->statement];
        execution->is_fetch = true;
    }
}
