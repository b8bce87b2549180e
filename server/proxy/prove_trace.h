// The events of one run, in the order in which the proxy saw them. Pure.
#ifndef SERVER_PROXY_PROVE_TRACE_H
#define SERVER_PROXY_PROVE_TRACE_H

#include "server/proxy/hold.h"
#include "server/sight/sight.h"

enum { TRACE_EVENTS_MAX = 4000 };

#define TRACE_FIRST '\1'  // the unit of `backend`
#define TRACE_SECOND '\2' // the unit of `other`

enum trace_kind {
    TRACE_OUTCOME,   // a statement has ended
    TRACE_HELD,      // a session is held before the write of the candidate
    TRACE_RELEASED,  // the end of that
    TRACE_WAITS,     // `other` waits for a lock of `backend`
    TRACE_COMMITTED, // a write behind a read is committed
    TRACE_PROVED,    // a finding with two units; `sql` is its sentence, TRACE_FIRST and TRACE_SECOND stand for them
};

struct trace_event {
    enum trace_kind kind;
    uint32_t backend;
    uint64_t at_ns;       // for an outcome, when the statement went out
    uint64_t end_ns;      // for an outcome, when its end came in
    char *sql, *row;      // NULL: none
    char tag[32];         // an outcome has it
    char sqlstate[6];     // "": no error
    enum sight_verb verb; // only for an outcome, as the next two
    uint64_t rows;
    uint64_t statement; // its fingerprint
    uint64_t pair;      // only for TRACE_COMMITTED and TRACE_PROVED
    enum hold_end end;  // only for TRACE_RELEASED
    uint32_t other;     // only for TRACE_WAITS and TRACE_PROVED
    bool other_is_foreign;
};

struct trace {
    struct trace_event *events;
    size_t count, capacity;
    bool is_cut; // later events are missing
};

void trace_add_outcome(struct trace *trace, const struct sight_outcome *outcome);
void trace_add_notice(struct trace *trace, const struct hold_notice *notice, uint64_t now_ns);
void trace_add_pattern(struct trace *trace, const struct sight_pattern *pattern, uint64_t now_ns);
void trace_add_finding(struct trace *trace, const struct sight_finding *finding, uint64_t now_ns);
void trace_free(struct trace *trace);

#endif
