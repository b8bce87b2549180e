// The sessions of a file with markers. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_SESSIONS_H
#define WORKERS_CASE_CASE_SESSIONS_H

#include "workers/case/case_marker.h"
#include "workers/case/case_program.h"

struct case_sessions {
    struct case_reader *reader;
    struct sql_case *made;
    struct case_marker markers[CASE_SESSIONS_MAX]; // one for each session of the case
};

// Each function returns false after it has written the problem.
MUST_CHECK bool case_sessions_begin(struct case_sessions *sessions, const struct case_marker *marker, int line);
// The session that was begun last has all its instructions.
MUST_CHECK bool case_sessions_end(struct case_sessions *sessions, struct case_program *program);
// All sessions are read: gives the sessions that are like another one their instructions, and all their variables.
MUST_CHECK bool case_sessions_finish(struct case_sessions *sessions, const struct case_variables *globals);

#endif
