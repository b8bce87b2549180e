// The listening socket, the list of connections, the sweep of their deadlines, and the shutdown. Loop thread.
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "observability/base/base.h"
#include "server/api/api.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct server;

MUST_CHECK struct server *server_new(uv_loop_t *loop, struct bank_api *api);
void server_free(struct server *server); // after the loop has ended

// Begins to listen. False: `problem` says why not, in one line.
MUST_CHECK bool server_listen(struct server *server, struct text *problem);

// Stops accepting, lets what is under way finish within the shutdown's time, and then ends the loop by having
// closed every handle. A second call gives up on what is still under way.
void server_stop(struct server *server);
MUST_CHECK bool server_is_stopping(const struct server *server);

#endif
