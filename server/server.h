// The server: the listening socket, the connections and their deadlines, and the shutdown. Loop thread.
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "observability/base/base.h"
#include "server/api/api.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct server;

// Starts the sweep timer and the handlers of SIGTERM and SIGINT. `api` must outlive the server.
MUST_CHECK struct server *server_new(uv_loop_t *loop, struct bank_api *api);
void server_free(struct server *server); // call it after the loop has ended

// Listens on the configured host and port. Returns false if that fails; `problem` is then one line that says why.
MUST_CHECK bool server_listen(struct server *server, struct text *problem);

// Stops accepting, lets running requests finish within the shutdown timeout, and closes every handle, so that the loop
// ends. A second call aborts the requests that still run.
void server_stop(struct server *server);
// The port on which it listens.
MUST_CHECK uint16_t server_port(const struct server *server);
MUST_CHECK bool server_is_stopping(const struct server *server);

#endif
