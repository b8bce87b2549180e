// From a complete request to its handler: the guards, the route, the method. Loop thread.
#ifndef SERVER_REQUEST_DISPATCH_H
#define SERVER_REQUEST_DISPATCH_H

#include "bank_api.h"
#include "conn.h"
#include "http_request.h"

void request_dispatch(struct bank_api *api, struct conn *conn, const struct http_request *request);

#endif
