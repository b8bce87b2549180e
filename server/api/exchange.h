// One request and its answer, as a handler sees them. Loop thread.
#ifndef SERVER_API_EXCHANGE_H
#define SERVER_API_EXCHANGE_H

#include "server/http/http.h"
#include "workers/jobs/jobs.h"

struct bank_api;

// The argument of a handler. The handler answers with conn_respond() now, or submits a job and answers when it is back.
struct exchange {
    struct bank_api *api;
    struct conn *conn;
    const struct http_request *request;
    struct slice parameter; // the text in the place of the template's parameter, still percent-encoded
};

// Answers with 200 and the JSON, and frees the text.
void respond_json(struct conn *conn, struct text *body);

// A GET that answers with what it reads from the database: how it is read, and how it is answered.
struct database_get {
    struct read read;
    // Answers with the job's result. Not called when the database has failed: the client has its answer then.
    void (*respond)(struct conn *conn, const struct get_job *job);
};

// Reads what the GET describes, which must be a constant, and answers. `id` may be NULL.
void exchange_read(const struct exchange *exchange, const struct database_get *get, unsigned limit, const char *id);

// Submits a job to the pool. Its `finished` answers the connection, if conn_of_job() still has one.
void exchange_submit(const struct exchange *exchange, struct job *job, void (*finished)(struct job *job));
// The job will answer. If the client leaves first, the job's owner becomes NULL, and the job ends by itself.
void exchange_expect(const struct exchange *exchange, struct job *job);

// For a job's `finished`: the connection that waits for the job, parted from it. NULL: no client waits any more.
MUST_CHECK struct conn *conn_of_job(struct job *job);
// The same for a job whose answer is only what it has read. If the database failed, this answers so and returns NULL.
MUST_CHECK struct conn *conn_to_answer(struct job *job);
// The connection closes before its job has answered.
void conn_abandon_job(struct conn *conn);

#endif
