// The files that run a .spec as isolationtester does share these declarations. Private to workers/explore.
//
// explore_as_tester() (explore_tester.c) runs the orders. explore_tester_wait.c waits for answers and decides whether
// a step waits for another session. explore_tester_print.c writes rows and errors.
#ifndef WORKERS_EXPLORE_EXPLORE_TESTER_H
#define WORKERS_EXPLORE_EXPLORE_TESTER_H

#include "workers/explore/explore_internal.h"

// A notice is written when its session is looked at, not when it arrives.
struct tester_notice {
    STAILQ_ENTRY(tester_notice) next;
    size_t place; // the answers of its statement that arrived before it
    char text[];
};

struct tester_session {
    struct tester *tester;
    struct db_async *connection;
    const char *name;
    const struct case_order_step *active; // its step that is not yet reported as completed, or NULL
    STAILQ_HEAD(, tester_notice) notices;
    unsigned notice_count;                        // that were written
    unsigned counts_at_launch[CASE_SESSIONS_MAX]; // notice_count of all sessions when the active step was launched
    struct text notifications;                    // that are not yet written
    uint64_t heard_ns;                            // when something last arrived, since the wait began
};

struct tester {
    uv_loop_t *loop;
    const bool *is_stopped; // see db_async_open()
    const struct sql_case *explored;
    struct text *out;
    struct db_async *control;
    struct tester_session sessions[CASE_SESSIONS_MAX];
    size_t session_count;
    struct tester_session *waiting[CASE_SESSIONS_MAX]; // their steps were reported as waiting, in this order
    size_t waiting_count;
    struct text backends; // "{12,13}": the sessions' backends in order
    bool has_new_notice;
    bool has_failed; // the file is not run to its end; `out` says why
    uint64_t step_limit_ns;
    int timer_fd;
    uv_poll_t timer;
    bool timer_has_fired;
};

// --- explore_tester_wait.c ---

void tester_timer_open(struct tester *tester);
// Frees the tester in a callback of the loop.
void tester_timer_close(struct tester *tester);
// Runs the loop until the connection's statement is answered.
void tester_await(struct tester *tester, struct db_async *connection);
// Waits for the answer of the session's step. False: it waits for another session, or the file has failed.
// `is_first`: the step was just launched.
MUST_CHECK bool tester_await_step(struct tester_session *session, bool may_wait, bool is_first);
// Writes the notices that arrived before the answer of this number.
void tester_print_notices(struct tester_session *session, size_t place);
// Ends the file with these words.
void tester_fail(struct tester *tester, const char *format, ...) PRINTF_LIKE(2, 3);
MUST_CHECK const char *tester_step_name(const struct tester_session *session);

// --- explore_tester_print.c ---

void tester_print_rows(const struct db_async_answer *answer, struct text *out);
// `before`: the answer before it, or NULL.
void tester_print_answer(const struct db_async_answer *answer, const struct db_async_answer *before, struct text *out);

#endif
