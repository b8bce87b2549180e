// The tables and views of this very program, and what a bank begins with. Worker threads.
#ifndef WORKERS_BANK_BANK_SCHEMA_H
#define WORKERS_BANK_BANK_SCHEMA_H

#include "workers/database/database.h"

// Makes the tables and views unless all of them are there as this program makes them: then no lock is waited for. Tables
// of an older version are altered. Gives a bank without any account the initial ones. Safe with several servers at once.
// All sessions opened afterwards work in the schema where the tables are.
// When the database holds other objects under the same names, or the role may not do what is needed, nothing is changed
// and the database has a problem (db_problem()): one line that says what is wrong and what to change. Then the status is
// DB_UNAVAILABLE.
// The session must have been opened with db_session_open_any_schema().
MUST_CHECK enum db_status bank_ensure_schema(struct db_session *session);

#endif
