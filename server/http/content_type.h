// Whether a body is what a handler can read. Loop thread.
#ifndef SERVER_HTTP_CONTENT_TYPE_H
#define SERVER_HTTP_CONTENT_TYPE_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

#include <stdbool.h>

// application/json, whatever its parameters.
MUST_CHECK bool content_type_is_json(const struct http_request *request);
// Whether Accept asks for OpenMetrics.
// No Content-Encoding but identity, which changes nothing.
MUST_CHECK bool content_is_plain(const struct http_request *request);
MUST_CHECK bool accepts_openmetrics(const struct http_request *request);

#endif
