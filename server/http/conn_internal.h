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
// Bytes that no request can be made of: says what is wrong with them, and ends the connection.
void conn_refuse(struct conn *conn, int status, const char *detail);

// Acts on a deadline that has passed.
void conn_check_deadline(struct conn *conn, uint64_t now_ms);

// The context as its connections use it.
MUST_CHECK struct text *conn_context_write_buffer(struct conn_context *context); // empty
MUST_CHECK int64_t conn_context_now_s(const struct conn_context *context); // since 1970; as coarse as the loop's turns

#endif
