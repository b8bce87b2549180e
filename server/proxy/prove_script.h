// Records the statements of a run as SQL that can be run again: one session, in the order in which the statements went
// out, with the values of their parameters. Loop thread.
#ifndef SERVER_PROXY_PROVE_SCRIPT_H
#define SERVER_PROXY_PROVE_SCRIPT_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum { SCRIPT_STATEMENTS_MAX = 60 };

struct script_backend;

struct script {
    bool is_on;      // else only the names of prepared statements are kept
    struct text sql; // the session, a statement in each line
    size_t statements, left_out;
    uint32_t open;       // the backend whose transaction is open; 0: none
    bool names_level;    // a statement names an isolation level
    struct text problem; // why it cannot be run again; empty: it can
    LIST_HEAD(, script_backend) backends;
};

// Forgets what was recorded, and records from now on.
void script_begin(struct script *script);
void script_message(struct script *script, uint32_t backend, bool of_client, char type, struct slice body);
// The run is over: a transaction that is still open is rolled back.
void script_finish(struct script *script);
void script_free(struct script *script);

#endif
