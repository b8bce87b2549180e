// Shared by the files of a connection. Loop thread.
#ifndef SERVER_HTTP_CONN_INTERNAL_H
#define SERVER_HTTP_CONN_INTERNAL_H

#include "server/http/conn.h"

// Begins a state, which may last so long.
void conn_enter(struct conn *conn, enum conn_state state, uint64_t allowed_ms);
void conn_read(struct conn *conn);
// Writes the last bytes of an answer. False: the client is known to have left.
bool conn_write(struct conn *conn, const char *data, size_t length);
// Counts the request being worked on, once. The status is 0 when its answer was not delivered.
void conn_count_answer(struct conn *conn, int status);
void conn_leave_stream(struct conn *conn);
// The context as its connections use it.
// Called at each sweep, because the clock may be set.
void conn_context_learn_time(struct conn_context *context);
MUST_CHECK struct text *conn_context_write_buffer(struct conn_context *context); // empty
MUST_CHECK int64_t conn_context_now_s(const struct conn_context *context); // since 1970; as coarse as the loop's turns

#endif
