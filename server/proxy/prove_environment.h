// The environment of a process that race-proxy prove starts: ours, with another address of the database.
#ifndef SERVER_PROXY_PROVE_ENVIRONMENT_H
#define SERVER_PROXY_PROVE_ENVIRONMENT_H

#include "workers/database/database.h"

// DATABASE_URL and the PG* variables name this host and port; `copy` is the value of PROVE_COPY. The list ends with
// NULL.
MUST_CHECK char **environment_new(const struct db_identity *identity, const char *host, unsigned port, unsigned copy);
// The same for a process that connects to PostgreSQL itself: DATABASE_URL is `conninfo` if that is a URL.
MUST_CHECK char **environment_new_direct(const struct db_identity *identity, const char *conninfo);
void environment_free(char **environment);
// Appends postgresql://USER:PASSWORD@HOST:PORT/DATABASE.
void environment_append_url(const struct db_identity *identity, const char *host, const char *port, struct text *out);

#endif
