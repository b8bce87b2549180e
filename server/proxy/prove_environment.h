// The environment of a process that race-proxy prove starts: ours, with another address of the database.
#ifndef SERVER_PROXY_PROVE_ENVIRONMENT_H
#define SERVER_PROXY_PROVE_ENVIRONMENT_H

#include "workers/database/database.h"

// DATABASE_URL and the PG* variables name this host and port, or those of `identity` if `host` is NULL. `copy`: the
// value of PROVE_COPY; 0: there is none. The list ends with NULL.
MUST_CHECK char **environment_new(const struct db_identity *identity, const char *host, unsigned port, unsigned copy);
void environment_free(char **environment);
// Appends postgresql://USER:PASSWORD@HOST:PORT/DATABASE.
void environment_append_url(const struct db_identity *identity, const char *host, const char *port, struct text *out);

#endif
