// What a client is answered when the database is the trouble. Loop thread.
#ifndef SERVER_API_DATABASE_PROBLEM_H
#define SERVER_API_DATABASE_PROBLEM_H

#include "server/http/http.h"
#include "workers/database/database.h"

void respond_database_problem(struct conn *conn, enum db_status status);

#endif
