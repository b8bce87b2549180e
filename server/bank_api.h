// Everything a handler may need: the program's parts, put together by main.c. Loop thread.
#ifndef SERVER_BANK_API_H
#define SERVER_BANK_API_H

#include "bank_metrics.h"
#include "config.h"
#include "database_watch.h"
#include "http_metrics.h"
#include "metrics.h"
#include "otlp_exporter.h"
#include "pool.h"
#include "process_metrics.h"
#include "settings.h"

struct events;

#define BANK_API_VERSION "0.1.0"

struct bank_api {
    struct config config;
    struct settings settings; // the one that counts; changed by the admin handlers
    struct pool *pool;
    struct events *events;
    struct database_watch watch;
    struct metrics *metrics;
    struct bank_metrics *bank_metrics;
    struct http_metrics *http_metrics;
    struct process_metrics *process_metrics;
    struct otlp_exporter *exporter; // or NULL: traces go nowhere
    struct metric *spans_exported;
    struct metric *spans_dropped;
};

#endif
