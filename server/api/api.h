// Everything a handler may need: the program's parts, put together by main.c. Loop thread.
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

#include "observability/metrics/metrics.h"
#include "observability/otlp/otlp.h"
#include "server/api/exchange.h"
#include "server/api/http_metrics.h"
#include "server/api/replica_settings.h"
#include "server/api/request_dispatch.h"
#include "server/config/config.h"
#include "workers/bank/bank.h"
#include "workers/pool/pool.h"
#include "workers/replicas/replicas.h"
#include "workers/transfer/transfer.h"

#define BANK_URL_LENGTH 300

struct events;
struct lesson;

struct bank_api {
    struct config config;
    struct settings settings; // the one that counts; changed by the admin handlers
    struct pool *pool;
    struct events *events;
    struct lesson *lesson;
    struct replicas *replicas; // or NULL: this program is alone
    char url[BANK_URL_LENGTH]; // where it listens
    int64_t started_us;
    struct database_watch watch;
    struct metrics *metrics;
    struct bank_metrics *bank_metrics;
    struct http_metrics *http_metrics;
    struct process_metrics *process_metrics;
    struct otlp_exporter *exporter; // or NULL: traces go nowhere
    struct metric *spans_exported;
    struct metric *spans_dropped;
};

// The program's parts, for a job's `finished`, which knows the connection only.
MUST_CHECK static inline struct bank_api *api_of(const struct conn *conn) {
    return conn->context->user_data;
}

#endif
