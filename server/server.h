// The listening socket, the list of connections, the sweep of their deadlines, and the shutdown. Loop thread.
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "observability/base/check.h"
#include "observability/base/text.h"
#include "server/api/bank_api.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct conn;
struct server;

MUST_CHECK struct server *server_new(uv_loop_t *loop, struct bank_api *api);
void server_free(struct server *server); // after the loop has ended

// Begins to listen. False: `problem` says why not, in one line.
MUST_CHECK bool server_listen(struct server *server, struct text *problem);

// Stops accepting, lets what is under way finish within the shutdown's time, and then ends the loop by having
// closed every handle. A second call gives up on what is still under way.
void server_stop(struct server *server);
MUST_CHECK bool server_is_stopping(const struct server *server);
MUST_CHECK bool server_is_draining(const struct server *server); // idle connections are not read any longer

// For the connections.
MUST_CHECK struct bank_api *server_api(struct server *server);
MUST_CHECK uv_buf_t server_read_buffer(struct server *server);      // shared: to be used up before the next read
MUST_CHECK struct text *server_write_buffer(struct server *server); // shared, empty: for one answer
MUST_CHECK int64_t server_now_s(struct server *server);             // since 1970, as coarse as the loop's turns
void server_add(struct server *server, struct conn *conn);
void server_remove(struct server *server, struct conn *conn);
MUST_CHECK bool server_is_full(const struct server *server);
void server_continue_stopping(struct server *server); // something ended: was it the last thing?

#endif
