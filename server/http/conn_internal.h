// Functions that conn.c, conn_answer.c and conn_context.c share. Loop thread.
#ifndef SERVER_HTTP_CONN_INTERNAL_H
#define SERVER_HTTP_CONN_INTERNAL_H

#include "server/http/conn.h"

// Changes the state and sets its deadline `allowed_ms` from now. Only this function changes the state.
void conn_enter(struct conn *conn, enum conn_state state, uint64_t allowed_ms);
// Starts to read from the socket, if it does not read already.
void conn_read(struct conn *conn);
// Writes the answer, or the end of a stream, and continues with the next request once the kernel has all of it. Returns
// false if the client is known to have left.
bool conn_write(struct conn *conn, const char *data, size_t length);
// Reports the end of the current request, once. The status is 0 if the answer was not delivered.
void conn_count_answer(struct conn *conn, int status);
// Ends the event stream of the connection, if it has one. The connection stays open.
void conn_leave_stream(struct conn *conn);
// Reads the realtime clock. Each sweep calls this, because somebody may set the clock.
void conn_context_learn_time(struct conn_context *context);
// Returns the shared write buffer, empty. It is valid until the next call.
MUST_CHECK struct text *conn_context_write_buffer(struct conn_context *context);
// Returns seconds since 1970, as of the beginning of this turn of the loop.
MUST_CHECK int64_t conn_context_now_s(const struct conn_context *context);

#endif
