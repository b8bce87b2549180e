// The tables and views of this very program, and what a bank begins with. Worker threads.
#ifndef WORKERS_BANK_SCHEMA_H
#define WORKERS_BANK_SCHEMA_H

#include "db.h"

// Makes the tables and views unless all of them are there as this program makes them: then it waits for nobody's lock.
// Gives a bank without any account the initial ones. Safe with several servers at once.
MUST_CHECK enum db_status bank_ensure_schema(struct db_session *session);

#endif
