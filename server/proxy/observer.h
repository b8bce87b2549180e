// How a module sees the messages that pass through the proxy, without sockets, and how it answers the relay's question.
// The relay calls these functions on the loop's thread; they must not block. `session` is the pointer that `began`
// returned.
//
// The order of the calls of a session is the order of the messages on the wire, in each direction. `client_message` is
// called when the message is forwarded: for a held message, at the end of its hold. A held Bind is the exception: it is
// reported before the question about it, and its Execute comes after the hold. `server_message` is called when the
// message is received. Every slice is valid during the call only. Times are monotonic nanoseconds.
#ifndef SERVER_PROXY_OBSERVER_H
#define SERVER_PROXY_OBSERVER_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum observer_read {
    OBSERVER_UNKNOWN, // the relay's own memory of tables decides
    OBSERVER_NOT_READ,
    OBSERVER_READ,
};

enum observer_meeting {
    OBSERVER_APART,      // they cannot race
    OBSERVER_MEET_TABLE, // both write the same table, and which rows they have read or write is unknown
    OBSERVER_MEET_ROW,   // one has read the row that the other is about to write
};

struct observer {
    void *owner;
    // The types of messages that it looks at. A message of another type that a chunk cuts has an empty body.
    const char *client_wanted, *server_wanted;
    // A session was authenticated. `backend` is the process id that the server gave.
    void *(*began)(void *owner, uint64_t number, struct slice database, uint32_t backend);
    void (*ended)(void *session);
    // `body` is the whole body, or its first 32 KiB.
    void (*client_message)(void *session, char type, struct slice body, uint64_t now_ns);
    void (*server_message)(void *session, char type, struct slice body, uint64_t now_ns);
    // Whether the unit of work of this session has read the rows of the table that this Query or Bind would write.
    enum observer_read (*has_read)(void *session, char type, struct slice body, const char *table);
    // Compares the statements of the last two questions about these sessions. NULL: sessions meet by their tables.
    enum observer_meeting (*meet)(void *session, void *other);
    // Appends the row of that statement as the log shows it; nothing if it is unknown.
    void (*append_row)(void *session, struct text *out);
};

#endif
