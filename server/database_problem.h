// What a client is told when the database is the trouble. Loop thread.
#ifndef SERVER_DATABASE_PROBLEM_H
#define SERVER_DATABASE_PROBLEM_H

#include "conn.h"
#include "db.h"

void respond_database_problem(struct conn *conn, enum db_status status);

#endif
