// GET /audit: does all money add up, and if not, which transfers are to blame? Loop thread.
#include "server/api/bank_api.h"
#include "server/api/database_problem.h"
#include "server/api/handlers.h"
#include "server/api/parameters.h"
#include "server/http/conn.h"
#include "server/json/json_codec.h"
#include "workers/jobs/audit_job.h"

static void audit_finished(struct job *job) {
    struct audit_job *audit = CONTAINER_OF(job, struct audit_job, job);
    struct conn *conn = conn_of_job(job);
    if (conn != NULL && job->database != DB_OK) {
        respond_database_problem(conn, job->database);
    } else if (conn != NULL) {
        struct text body = {0};
        json_write_audit(&body, &audit->audit);
        conn_respond(conn, &(struct http_response){.status = 200, .body = {body.data, body.length}});
        text_free(&body);
    }
    audit_job_free(audit);
}

void handle_audit(struct exchange *exchange) {
    if (parameters_are_absent(exchange)) {
        struct audit_job *audit = audit_job_new();
        audit->job.finished = audit_finished;
        conn_expect(exchange->conn, &audit->job);
        pool_submit(exchange->api->pool, &audit->job);
    }
}
