// The program of a session: the instructions between its statements, the statement that it sends, and what an answer
// means for it. Private to workers/explore.
#ifndef WORKERS_EXPLORE_EXPLORE_PROGRAM_H
#define WORKERS_EXPLORE_EXPLORE_PROGRAM_H

#include "observability/base/base.h"
#include "workers/database/database.h"

struct cell_session;
struct explorer;

// A step by its place in the program.
struct step_place {
    uint8_t session;
    bool is_commit; // the COMMIT of an autocommit statement
    bool is_check;  // the check of the deferred constraints, before a COMMIT
    uint16_t instruction;
};

enum program_state {
    PROGRAM_CONTINUES,
    PROGRAM_ENDED,
    PROGRAM_NEEDS_ROLLBACK, // it goes on after a ROLLBACK of the transaction that the explorer began
    PROGRAM_FAILED,         // cell->problem says why
};

// Runs the instructions before the next statement. A session without one becomes SESSION_ENDED.
MUST_CHECK enum program_state program_advance(struct cell_session *session);
// Sends the next statement, or the COMMIT that is owed. False: nothing was sent, because the statement is a BEGIN that
// goes with the statement behind it. The step is done.
MUST_CHECK bool program_send(struct cell_session *session, db_async_done *done);
// Records the answer, and goes behind the statement.
MUST_CHECK enum program_state program_take_answer(struct cell_session *session);
// Where a session's next step, or its running one, stands.
MUST_CHECK struct step_place program_place(const struct cell_session *session);
// True if the COMMIT of the statement is a step of its own when the statement is a transaction of its own.
MUST_CHECK bool program_splits(const struct explorer *explorer, uint8_t session, uint16_t instruction);
// True if the next statement must be explained first: see program_take_plan().
MUST_CHECK bool program_needs_plan(const struct cell_session *session);
void program_ask_plan(struct cell_session *session, db_async_done *done);
// Appends the next statement with its variables filled in. False: `problem` says which variable is not set.
MUST_CHECK bool program_render(const struct cell_session *session, struct text *out, struct text *problem);
// Learns from EXPLAIN whether the statement reads only the rows of one key.
void program_take_plan(struct cell_session *session);

// --- explore_begin.c: a BEGIN that is sent with the statement behind it ---

// A BEGIN takes no snapshot and no lock, so nothing but the time shows whether it is sent alone, or in one round trip
// before the statement behind it.
MUST_CHECK bool begin_may_wait(const struct cell_session *session);
// The session stands behind its BEGIN, which is not sent.
void begin_wait(struct cell_session *session);
// The BEGIN that is to be sent before the running statement, or NULL.
MUST_CHECK const char *begin_before(const struct cell_session *session);
// The state of the transaction as if each BEGIN was sent.
MUST_CHECK enum db_async_transaction begin_transaction(const struct cell_session *session);
// True if a statement, or a default or a function of the setup, may show when its transaction began. Unsure means true.
MUST_CHECK bool begin_may_show(const char *sql);

#endif
