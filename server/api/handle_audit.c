// GET /audit: does all money add up, and if not, which transfers are to blame? Loop thread.
#include "server/api/api.h"
#include "server/api/database_problem.h"
#include "server/api/exchange.h"
#include "server/api/handlers.h"
#include "server/api/parameters.h"
#include "server/http/http.h"
#include "server/json/json.h"
#include "workers/jobs/jobs.h"

static void audit_finished(struct job *job) {
    struct audit_job *audit = CONTAINER_OF(job, struct audit_job, job);
    struct conn *conn = conn_to_answer(job);
    if (conn != NULL) {
        struct text body = {0};
        json_write_audit(&body, &audit->audit);
        respond_json(conn, &body);
    }
    audit_job_free(audit);
}

void handle_audit(struct exchange *exchange) {
    if (parameters_are_absent(exchange)) {
        struct audit_job *audit = audit_job_new();
        exchange_submit(exchange, &audit->job, audit_finished);
    }
}
