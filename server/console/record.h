// The last units of work that passed through the proxy, with their statements. The newest UNITS_KEPT are kept, and
// the units that a finding names. Loop thread.
//
// A unit is a transaction, or the statements of a session outside of transactions that follow each other within
// UNIT_IDLE_NS and have the same traceparent.
#ifndef SERVER_CONSOLE_RECORD_H
#define SERVER_CONSOLE_RECORD_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    UNITS_KEPT = 128,
    UNIT_STATEMENTS_MAX = 32, // in a unit; the others are counted
    UNIT_NAME_MAX = 64,
    STATEMENT_SHOWN = 320, // bytes of its SQL
    STATEMENT_PLACE_MAX = 96,
    STATEMENT_SUMMARY_MAX = 96,
    PREPARED_MAX = 64, // in a session; the one not used for longest is forgotten
    AWAITED_MAX = 1000,
    FINDINGS_WITH_UNITS = 200,
};
#define UNIT_IDLE_NS NANOSECONDS_PER_SECOND

struct hold_shown {
    char place[STATEMENT_PLACE_MAX]; // "": there was no hold
    uint64_t held_ns, released_ns;   // released_ns 0: it is held now
    const char *ending;
};

struct shown_statement {
    TAILQ_ENTRY(shown_statement) link;
    uint64_t sent_ns, done_ns;           // done_ns 0: it runs
    struct hold_shown hold;              // before it was sent
    uint64_t waits_for;                  // the session that had a lock which it waited for; 0: none is known
    char summary[STATEMENT_SUMMARY_MAX]; // "UPDATE accounts"; "": not known
    char tag[32];                        // "UPDATE 1"; "": none
    char sqlstate[6];                    // "": no error
    bool in_finding_reads, in_finding_writes;
    char sql[];
};
TAILQ_HEAD(statement_list, shown_statement);

enum unit_end { UNIT_OPEN, UNIT_COMMITTED, UNIT_ROLLED_BACK, UNIT_DONE };

struct unit {
    TAILQ_ENTRY(unit) link; // in the record, newest first
    unsigned references;
    bool is_listed;
    uint64_t id, session;
    uint32_t backend;
    char database[UNIT_NAME_MAX];
    uint64_t began_ns, ended_ns; // ended_ns 0: open
    enum unit_end end;
    bool is_transaction, has_caller, is_traced;
    struct trace_context caller, span; // the caller's is from a traceparent comment
    struct statement_list statements;
    unsigned count, left_out;
    struct hold_shown hold; // its statement was not forwarded yet
    // The last finding that names this unit; 0: none.
    uint64_t finding;
    const char *kind, *level;
    struct trace_context other; // the span of the other unit of the finding
    bool has_other;
};
TAILQ_HEAD(unit_list, unit);

struct prepared;
struct awaited;
TAILQ_HEAD(prepared_list, prepared);
STAILQ_HEAD(awaited_list, awaited);

struct record;
struct record_session {
    TAILQ_ENTRY(record_session) link;
    struct record *record;
    uint64_t number;
    uint32_t backend;
    char database[UNIT_NAME_MAX];
    char transaction; // the last ReadyForQuery
    uint64_t used_ns;
    struct unit *unit; // NULL: none is open
    struct prepared_list prepared;
    unsigned prepared_count, awaited_count;
    struct awaited_list awaited; // statements without an answer
};
TAILQ_HEAD(record_session_list, record_session);

// The units of a finding, as they were when it was found last. Either may be NULL.
struct found_units {
    uint64_t id;
    int64_t at_us;
    struct unit *units[2];
};

struct record_callbacks {
    // The first statement of the unit comes, so its caller is known: gives it its span.
    void (*began)(void *owner, struct unit *unit);
    void (*ended)(void *owner, const struct unit *unit);
    void (*statement)(void *owner);
};

struct record {
    const struct record_callbacks *callbacks;
    void *owner;
    struct unit_list units;
    unsigned unit_count;
    uint64_t last_id;
    struct record_session_list sessions;
    struct found_units found[FINDINGS_WITH_UNITS]; // a ring; id 0: free
    unsigned next_found;
    size_t bytes;
};

void record_release_unit(struct record *record, struct unit *unit); // gives back a reference
void record_init(struct record *record, const struct record_callbacks *callbacks, void *owner);
void record_free(struct record *record); // after the last session was closed
void record_sweep(struct record *record, uint64_t now_ns);

void record_open(struct record *record, struct record_session *session); // the caller has set its number and names
void record_close(struct record_session *session, uint64_t now_ns);
// `summary` is that of the statement of a Query or a Bind.
void record_client_message(struct record_session *session, char type, struct slice body, const char *summary,
                           uint64_t now_ns);
void record_server_message(struct record_session *session, char type, struct slice body, uint64_t now_ns);
void record_held(struct record_session *session, const char *place, uint64_t now_ns);
void record_let_go(struct record_session *session, const char *ending, uint64_t now_ns);
void record_waits(struct record *record, uint64_t holder, uint32_t waiter);

// A side of a finding: its unit is that of the backend whose statement ran at these times.
struct found_side {
    uint32_t backend;
    uint64_t read_ns, write_ns;
};
// Joins the finding with the units of its two sides. Returns them.
const struct found_units *record_find_units(struct record *record, uint64_t id, const char *kind, const char *level,
                                            const struct found_side sides[2]);
void record_forget_findings(struct record *record);
MUST_CHECK const struct found_units *record_found(const struct record *record, uint64_t id); // NULL: not known

#endif
