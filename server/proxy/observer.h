// How a module sees the statements and the rows that pass through the proxy, without sockets. The relay calls these
// functions on the loop's thread; they must not block. `session` is the pointer that `began` returned.
//
// The order of the calls of a session is the order of the messages on the wire, in each direction. `statement` is
// called before a byte of the statement is forwarded, and before a rule holds it. `forwarded` is called when its bytes
// leave for the server: at once, or at the end of the hold. A client in a pipeline may send the next statement before
// the answer to the last one, so answers belong to statements in their order. Every slice is valid during the call
// only. Times are monotonic nanoseconds.
#ifndef SERVER_PROXY_OBSERVER_H
#define SERVER_PROXY_OBSERVER_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct observed_statement {
    bool is_simple;        // a Query; false: a Bind of the extended protocol, whose Execute follows
    struct slice sql;      // a Query's text; for a Bind see `prepared`
    struct slice prepared; // the name of the prepared statement, which `parsed` has reported; "": the unnamed one
    struct slice portal;   // a Bind's
    struct slice bind;     // the body of the Bind: formats and values
    bool is_whole;         // false: the message is larger than what is looked at, so `sql` or `bind` is its start
};

struct observer {
    void *owner;
    // A session was authenticated. `backend` is the process id that the server gave.
    void *(*began)(void *owner, uint64_t number, uint32_t backend);
    void (*ended)(void *session);
    void (*parsed)(void *session, struct slice name, struct slice sql);
    void (*closed)(void *session, char kind, struct slice name); // Close: kind 'S' or 'P'
    void (*statement)(void *session, const struct observed_statement *statement, uint64_t now_ns);
    void (*forwarded)(void *session, uint64_t now_ns);
    void (*executed)(void *session, struct slice portal); // Execute
    void (*row_description)(void *session, struct slice body);
    void (*row)(void *session, struct slice body, bool is_whole, uint64_t now_ns);
    void (*complete)(void *session, struct slice tag, uint64_t now_ns);
    void (*failed)(void *session, struct slice sqlstate, uint64_t now_ns);
    void (*ready)(void *session, char status, uint64_t now_ns);
};

#endif
