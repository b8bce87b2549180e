// GET /metrics: a job reads the balances and /proc, the loop renders. Without a database the page has no balances.
#include "server/api/api.h"
#include "server/api/database_problem.h"
#include "server/api/exchange.h"
#include "server/api/routes.h"
#include "server/http/http.h"

// Counted by the exporter's thread, and only shown here.
static void refresh_span_counts(struct bank_api *api) {
    if (api->exporter != NULL) {
        struct otlp_counts counts = otlp_exporter_counts(api->exporter);
        metric_set(api->spans_exported, (double)counts.exported);
        metric_set(api->spans_dropped, (double)counts.dropped);
    }
}

static void metrics_finished(struct job *job) {
    struct scrape_job *scrape = CONTAINER_OF(job, struct scrape_job, job);
    struct conn *conn = conn_of_job(job);
    if (conn != NULL && job->database == DB_NOT_ASKED) {
        respond_database_problem(conn, job->database);
    } else if (conn != NULL) {
        struct bank_api *api = api_of(conn);
        database_watch_report(&api->watch, job->database);
        bank_metrics_set_available(api->bank_metrics, api->watch.state == DATABASE_READY);
        process_metrics_set(api->process_metrics, &scrape->process);
        bank_metrics_set_balances(api->bank_metrics, &scrape->accounts);
        bank_metrics_set_money_drift(api->bank_metrics, job->database == DB_OK, scrape->money_drift);
        bank_metrics_set_settings(api->bank_metrics, &api->settings);
        pool_refresh_gauges(api->pool);
        refresh_span_counts(api);
        enum metrics_format format = accepts_openmetrics(http_parser_request(conn->parser)) ? METRICS_FORMAT_OPENMETRICS
                                                                                            : METRICS_FORMAT_PROMETHEUS;
        struct text page = {0};
        metrics_render(api->metrics, format, &page);
        conn_respond(conn, &(struct http_response){
                               .status = 200,
                               .content_type = metrics_content_type(format),
                               .body = text_slice(&page),
                           });
        text_free(&page);
    }
    scrape_job_free(scrape);
}

void handle_metrics(struct exchange *exchange) {
    struct scrape_job *scrape = scrape_job_new();
    exchange_submit(exchange, &scrape->job, metrics_finished);
}
