// The lesson: a person chooses which of two transfers takes the next step, on a real PostgreSQL.
//
// The program race-explore, which stands beside this one, runs the steps in a database of its own: it is started at the
// first question and ended when none has come for a while. So the bank's accounts are not touched, and a question that
// has been answered leaves nothing open. Loop thread.
#ifndef SERVER_LESSON_LESSON_H
#define SERVER_LESSON_LESSON_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <uv.h>

enum { LESSON_STEPS_MAX = 64 };

struct lesson;

enum lesson_end {
    LESSON_ANSWERED,   // `words` is a JSON object
    LESSON_IMPOSSIBLE, // the last step cannot be taken; `words` says why
    LESSON_DATABASE,   // the database cannot be used; `words` says why
    LESSON_NO_PROGRAM, // race-explore cannot be run, or has failed; `words` says why
    LESSON_BUSY,       // too many questions wait
    LESSON_STOPPED,    // the server is stopping
};

// Where do the sessions stand after some steps? The caller owns it, and keeps it until it is answered.
struct lesson_question {
    STAILQ_ENTRY(lesson_question) next; // used by the lesson
    const char *name;                   // lesson_exists() is true for it
    char order[2 * LESSON_STEPS_MAX];   // the sessions of the steps: "A,B,A", or "-" for none
    // Called once, maybe before lesson_ask() returns. `words` is valid during the call.
    void (*answered)(struct lesson_question *question, enum lesson_end end, struct slice words);
};

// `database_url`: of the server on which the database is made; NULL: libpq's PG* variables. It must outlive the lesson.
MUST_CHECK struct lesson *lesson_new(uv_loop_t *loop, const char *database_url);
void lesson_free(struct lesson *lesson); // after the loop has ended

MUST_CHECK bool lesson_exists(struct slice name);
void lesson_append_names(struct text *out); // "vulnerable, for_update, ..."
void lesson_ask(struct lesson *lesson, struct lesson_question *question);

// Answers the questions that wait with LESSON_STOPPED, and lets the program drop its database and end. `ended` is
// called once, maybe before this returns, when nothing of the lesson is on the loop any more.
void lesson_close(struct lesson *lesson, void (*ended)(void *owner), void *owner);
MUST_CHECK bool lesson_has_ended(const struct lesson *lesson);
// Does not wait for the program any longer. Its database stays until the next one drops it.
void lesson_kill(struct lesson *lesson);

#endif
