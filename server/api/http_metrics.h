// http_requests_total and http_request_duration_seconds. The route is the template, never the raw path.
// Loop thread.
#ifndef SERVER_API_HTTP_METRICS_H
#define SERVER_API_HTTP_METRICS_H

#include "observability/metrics/metrics.h"
#include "server/api/router.h"
#include "server/http/http.h"

#include <stdint.h>

struct http_metrics; // handles into a registry, which must outlive them

MUST_CHECK struct http_metrics *http_metrics_add(struct metrics *metrics);
void http_metrics_free(struct http_metrics *http);

// A request has ended. `route` is NULL for a request that found none, or was never understood. The status is 0 when no
// answer was delivered, because the client had left or the server was stopped: its code is "none".
void http_metrics_publish(struct http_metrics *http, const struct route *route, enum http_method method, int status,
                          uint64_t duration_ns);

#endif
