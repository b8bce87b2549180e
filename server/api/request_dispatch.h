// From a complete request to its handler: the guards, the route, the method. Loop thread.
#ifndef SERVER_API_REQUEST_DISPATCH_H
#define SERVER_API_REQUEST_DISPATCH_H

#include "server/http/http.h"

struct bank_api;

void request_dispatch(struct bank_api *api, struct conn *conn, const struct http_request *request);

#endif
