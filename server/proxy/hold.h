// Holds sessions at the rules' places until enough of them are there. Loop thread.
//
// A round is the sessions that are held by one rule at one table. Where rows are compared, a session joins the round if
// it has read the row that one of its sessions is about to write, or the other way round.
//
// A barrier's round ends when it is complete. Every round also ends at the time limit, when the proxy stops, and when
// PostgreSQL reports that somebody waits for a lock of a held session ("protected by a lock"): the session that waits
// could never come.
#ifndef SERVER_PROXY_HOLD_H
#define SERVER_PROXY_HOLD_H

#include "observability/base/base.h"
#include "server/proxy/rules.h"
#include "server/proxy/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct hold;
struct hold_round;

enum hold_end {
    HOLD_COMPLETE,  // enough sessions came
    HOLD_DELAYED,   // the time of a delay has passed
    HOLD_LIMIT,     // the time limit has passed
    HOLD_PROTECTED, // somebody waits for a lock of a held session
    HOLD_CANCELLED, // the client has sent a CancelRequest
    HOLD_LEFT,      // the client, or the server, has closed its connection
    HOLD_OPENED,    // SIGUSR1 or POST /gate
    HOLD_REPLACED,  // the rules were replaced
    HOLD_STOPPING,  // the proxy stops
};

// The names of the endings, such as "complete", with NULL behind the last.
extern const char *const hold_end_names[];

// The answer of the server that a session of a complete barrier still expects.
enum held_answer {
    HELD_ANSWER_NONE,
    HELD_ANSWER_WRITE, // the answer to the write that was held
    HELD_ANSWER_END,   // the end of its transaction, which can fail too
};

// The part of a session that can be held. Zeroes at the start.
struct held {
    TAILQ_ENTRY(held) link;
    struct hold_round *round; // NULL: not held
    uint64_t number;          // the session's
    uint32_t backend;         // its process id; 0: unknown
    uint64_t since_ns;
    // Until it is idle again, this session passes, because its round is over: the round that ended by a lock while it
    // was at work, or, with if-read, the round in which it was held.
    bool passes;
    // `meet` of the callbacks decides which round of a barrier it joins. False: its table does.
    bool compares_rows;
    enum held_answer answer;
};

enum hold_meeting {
    HOLD_APART,
    HOLD_MEET_TABLE, // the rows are unknown
    HOLD_MEET_ROW,
};

struct hold_callbacks {
    // Reports what happens. `place` is such as "before write accounts". A session that completes a round is held and
    // let go at the same moment.
    void (*held)(struct held *held, const char *place);
    void (*let_go)(struct held *held, enum hold_end end);
    void (*waits)(struct held *holder, uint32_t waiter); // this backend waits for a lock of the held session
    void (*released)(void *owner, struct held *held);
    // A round has ended as protected: the owner sets `passes` of each session that is at work.
    void (*protected)(void *owner);
    // Both compare rows, and are held by the same rule.
    enum hold_meeting (*meet)(struct held *one, struct held *other);
    // Appends the row that the session is about to write; nothing if it is unknown.
    void (*append_row)(struct held *held, struct text *out);
    // Returns the number of the session with this backend; 0: it is none of the proxy's.
    uint64_t (*session_of)(void *owner, uint32_t backend);
};

enum hold_news {
    HOLD_NEWS_HELD,
    HOLD_NEWS_RELEASED,
    HOLD_NEWS_WAITS, // somebody waits for a lock of the held session
};

struct hold_notice {
    enum hold_news news;
    enum hold_end end;    // only of HOLD_NEWS_RELEASED
    uint32_t backend;     // the held session's
    uint32_t waiter;      // only of HOLD_NEWS_WAITS: the backend that waits
    bool waiter_is_other; // it is no session of the proxy
};

struct hold_options {
    uv_loop_t *loop;
    const struct rule *rules;
    unsigned rule_count;
    unsigned limit_ms;
    const char *conninfo; // for the session that asks for locks
    const struct hold_callbacks *callbacks;
    void *owner;
    void (*on_notice)(void *listener, const struct hold_notice *notice); // NULL: nobody listens
    void *listener;
};

MUST_CHECK struct hold *hold_new(const struct hold_options *options);
// Lets all sessions go, and replaces the rules.
void hold_replace_rules(struct hold *hold, const struct rule *rules, unsigned count);
MUST_CHECK const struct rule *hold_rules(const struct hold *hold, unsigned *count);
// The session comes to the place of a rule. True: it is held, until `released` is called. False: it passes.
MUST_CHECK bool hold_arrive(struct hold *hold, struct held *held, const struct rule *rule, const char *table);
// A message of the server to this session: logs an error, or a write that has changed no row, because that is why the
// race did not happen.
void hold_answered(struct held *held, const struct wire_message *message);
// The session is idle: its round is over.
void hold_idle(struct held *held);
MUST_CHECK unsigned hold_limit_ms(const struct hold *hold);
// Lets one session go, if it is held.
void hold_leave(struct hold *hold, struct held *held, enum hold_end end);
// Lets all sessions go.
void hold_open(struct hold *hold, enum hold_end end);
// False: nobody asks PostgreSQL for locks, because the session for that could not be opened.
MUST_CHECK bool hold_is_connected(const struct hold *hold);
MUST_CHECK bool hold_wants_connection(const struct hold *hold);
void hold_connect(struct hold *hold, const bool *is_stopped); // see lock_watch_connect()
void hold_close(struct hold *hold);                           // leaves the loop
void hold_free(struct hold *hold);                            // after the loop has ended

#endif
