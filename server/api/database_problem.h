// The answers for requests that failed because of the database. Loop thread.
#ifndef SERVER_API_DATABASE_PROBLEM_H
#define SERVER_API_DATABASE_PROBLEM_H

#include "server/http/http.h"
#include "workers/database/database.h"

void respond_database_problem(struct conn *conn, enum db_status status);

#endif
