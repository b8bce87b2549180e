// The request target and the Host header: they name the server and the resource of a request (RFC 9112 section 3.2).
// Loop thread.
#ifndef SERVER_HTTP_HTTP_TARGET_H
#define SERVER_HTTP_HTTP_TARGET_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

// Sets the authority, scheme, path and query of the request; its headers must be set already. `is_options`: the method
// is OPTIONS, which allows the target "*". Returns NULL, or a constant error text for a 400.
MUST_CHECK const char *http_target_read(struct http_request *request, struct slice target, bool is_options);

#endif
