// Makes and checks the tables, the views and the initial accounts. Worker threads.
#ifndef WORKERS_BANK_BANK_SCHEMA_H
#define WORKERS_BANK_BANK_SCHEMA_H

#include "workers/database/database.h"

// Makes the tables and views, unless all of them exist as this program makes them; in that case it waits for no lock.
// Alters the tables of an older version. Gives a bank without any account the initial accounts. Several servers may
// call it at once. All sessions opened afterwards work in the schema where the tables are. If the database holds other
// objects under the same names, or the role lacks a privilege, nothing is changed. Then the status is DB_UNAVAILABLE,
// and db_problem() is one line that says what is wrong and what to change. The session must have been opened with
// db_session_open_any_schema().
MUST_CHECK enum db_status bank_ensure_schema(struct db_session *session);

#endif
