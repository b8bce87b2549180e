// Decides by the headers whether the server can read a body, and in which format it answers. Loop thread.
#ifndef SERVER_HTTP_CONTENT_TYPE_H
#define SERVER_HTTP_CONTENT_TYPE_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

#include <stdbool.h>

// True if Content-Type is application/json, with any parameters.
MUST_CHECK bool content_type_is_json(const struct http_request *request);
// True if the body is not compressed: there is no Content-Encoding other than identity.
MUST_CHECK bool content_is_plain(const struct http_request *request);
// True if Accept prefers OpenMetrics to the Prometheus text format.
MUST_CHECK bool accepts_openmetrics(const struct http_request *request);
// True if Accept-Encoding has gzip, or "*", with a weight above 0 (RFC 9110 section 12.5.3).
MUST_CHECK bool accepts_gzip(const struct http_request *request);

#endif
