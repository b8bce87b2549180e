// Keeps the series of every route, method and status it has met, so that a request costs no look-up by name.
// Loop thread.
#include "server/api/http_metrics.h"

#include "observability/base/base.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUS_FIRST 200
#define STATUS_COUNT 400         // 200..599
#define STATUS_NONE STATUS_COUNT // the place behind them

struct http_series {
    struct metric *requests;
    struct metric *duration;
};

struct http_metrics {
    struct metric_family *requests;
    struct metric_family *durations;
    // By route (the last: none), method and status; a row of statuses is made when first needed.
    struct http_series *series[ROUTES_MAX + 1][HTTP_METHOD_COUNT];
};

struct http_metrics *http_metrics_add(struct metrics *metrics) {
    struct http_metrics *http = memory_allocate_zeroed(sizeof *http);
    http->requests = metrics_add_family(metrics,
                                        &(struct metric_definition){
                                            .kind = METRIC_COUNTER,
                                            .name = "http_requests_total",
                                            .help = "Requests that have ended; code none: no answer was delivered.",
                                            .labels = {"method", "route", "code"},
                                        });
    http->durations = metrics_add_family(metrics, &(struct metric_definition){
                                                      .kind = METRIC_HISTOGRAM,
                                                      .name = "http_request_duration_seconds",
                                                      .help = "From a request's first byte to its end.",
                                                      .labels = {"method", "route", "code"},
                                                      .bounds = metrics_latency_bounds,
                                                      .bound_count = metrics_latency_bound_count,
                                                  });
    return http;
}

void http_metrics_free(struct http_metrics *http) {
    for (size_t route = 0; route <= ROUTES_MAX; route++) {
        for (size_t method = 0; method < HTTP_METHOD_COUNT; method++) {
            free(http->series[route][method]);
        }
    }
    free(http);
}

static const char *method_name(enum http_method method) {
    static const char *const names[HTTP_METHOD_COUNT] = {"GET", "HEAD", "POST", "other"};
    return names[method];
}

static struct http_series *series_of(struct http_metrics *http, const struct route *route, enum http_method method,
                                     int status) {
    CHECK(status == 0 || (status >= STATUS_FIRST && status < STATUS_FIRST + STATUS_COUNT));
    struct http_series **row = &http->series[route == NULL ? ROUTES_MAX : route_index(route)][method];
    if (*row == NULL) {
        *row = memory_allocate_zeroed((STATUS_COUNT + 1) * sizeof **row);
    }
    struct http_series *series = &(*row)[status == 0 ? STATUS_NONE : status - STATUS_FIRST];
    if (series->requests == NULL) {
        char code[8];
        (void)snprintf(code, sizeof code, "%d", status);
        const char *labels[] = {method_name(method), route == NULL ? "none" : route->template,
                                status == 0 ? "none" : code};
        series->requests = metric_with(http->requests, labels);
        series->duration = metric_with(http->durations, labels);
    }
    return series;
}

void http_metrics_publish(struct http_metrics *http, const struct route *route, enum http_method method, int status,
                          uint64_t duration_ns) {
    struct http_series *series = series_of(http, route, method, status);
    metric_add(series->requests, 1);
    metric_observe(series->duration, (double)duration_ns / (double)NANOSECONDS_PER_SECOND);
}
