// The request target and the Host header: which resource of which server a request is for (RFC 9112 section 3.2).
// Loop thread.
#ifndef SERVER_HTTP_HTTP_TARGET_H
#define SERVER_HTTP_HTTP_TARGET_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

// Sets the request's authority, path and query. Its headers and method are set already. NULL, or what is wrong: a text
// that lives for ever, for a 400.
MUST_CHECK const char *http_target_read(struct http_request *request, struct slice target, bool is_options);

#endif
