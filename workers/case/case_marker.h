// A marker of the .sql dialect: a comment such as "-- session A dst=bob". Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_MARKER_H
#define WORKERS_CASE_CASE_MARKER_H

#include "workers/case/case_reader.h"

enum case_marker_kind {
    CASE_MARKER_NONE, // a comment as any other
    CASE_MARKER_SETUP,
    CASE_MARKER_TEARDOWN,
    CASE_MARKER_SESSION,
    CASE_MARKER_INVARIANT,
    CASE_MARKER_SERIALIZABLE,
};

struct case_marker {
    enum case_marker_kind kind;
    const char *name; // the session's or the invariant's
    const char *like; // "-- session B like A": A, else NULL
    struct case_variable *variables;
    size_t variable_count;
    bool is_serializable;
};

// Reads a comment that begins with "--" and stands alone on its line. False: it is a marker with a mistake.
MUST_CHECK bool case_marker_read(struct case_reader *reader, struct slice comment, int line,
                                 struct case_marker *marker);

#endif
