// The common part of the handlers: they submit a job, and answer when it is back. Loop thread.
#include "server/api/exchange.h"

#include "server/api/api.h"
#include "server/api/database_problem.h"

void respond_json(struct conn *conn, struct text *body) {
    text_append_string(body, "\n");
    conn_respond(conn, &(struct http_response){.status = 200, .body = text_slice(body)});
    text_free(body);
}

void exchange_expect(const struct exchange *exchange, struct job *job) {
    exchange->conn->job = job;
    job->owner = exchange->conn;
}

void exchange_submit(const struct exchange *exchange, struct job *job, void (*finished)(struct job *job)) {
    job->finished = finished;
    exchange_expect(exchange, job);
    pool_submit(exchange->api->pool, job);
}

static void read_finished(struct job *job) {
    struct get_job *done = CONTAINER_OF(job, struct get_job, job);
    const struct database_get *get = done->user_data;
    struct conn *conn = conn_to_answer(job);
    if (conn != NULL) {
        get->respond(conn, done);
    }
    get_job_free(done);
}

void exchange_read(const struct exchange *exchange, const struct database_get *get, unsigned limit, const char *id) {
    struct get_job *job = get_job_new(&get->read, limit, id);
    job->user_data = get;
    exchange_submit(exchange, &job->job, read_finished);
}

struct conn *conn_of_job(struct job *job) {
    struct conn *conn = job->owner;
    if (conn != NULL) {
        conn->job = NULL;
        job->owner = NULL;
    }
    return conn;
}

struct conn *conn_to_answer(struct job *job) {
    struct conn *conn = conn_of_job(job);
    if (conn != NULL && job->database != DB_OK) {
        respond_database_problem(conn, job->database);
        conn = NULL;
    }
    return conn;
}

void conn_abandon_job(struct conn *conn) {
    conn->job->owner = NULL; // it ends by itself: a committed transfer stays
}
