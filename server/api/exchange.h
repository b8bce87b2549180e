// One request and its answer, as a handler sees them. Loop thread.
#ifndef SERVER_API_EXCHANGE_H
#define SERVER_API_EXCHANGE_H

#include "server/http/http.h"
#include "workers/jobs/jobs.h"

struct bank_api;

// What a handler is called with: it answers with conn_respond() now, or submits a job and answers when it is back.
struct exchange {
    struct bank_api *api;
    struct conn *conn;
    const struct http_request *request;
    struct slice parameter; // what stood in the place of the template's parameter, still percent-encoded
};

// Answers with 200 and the JSON, and frees the text.
void respond_json(struct conn *conn, struct text *body);

// Submits a job to the pool. Its `finished` answers the connection, if conn_of_job() still has one.
void exchange_submit(const struct exchange *exchange, struct job *job, void (*finished)(struct job *job));
// The job will answer. If the client leaves first, the job's owner becomes NULL, and the job ends by itself.
void exchange_expect(const struct exchange *exchange, struct job *job);

// For a job's `finished`: the connection that waits for the job, parted from it. NULL: no client waits any more.
MUST_CHECK struct conn *conn_of_job(struct job *job);
// The same for a job that answers nothing but what it read: NULL as well if the database failed, which is answered then.
MUST_CHECK struct conn *conn_to_answer(struct job *job);
// The connection closes before its job has answered.
void conn_abandon_job(struct conn *conn);
// The program's parts, for a job's `finished`.
MUST_CHECK struct bank_api *api_of(const struct conn *conn);

#endif
