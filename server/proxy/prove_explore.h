// --explore: writes the recorded sessions and the rows that they began with as a file for race-explore, and runs it.
// The rows are copied into a database of the explorer; nothing is explored on the user's own. Loop thread.
//
//   prove_script.c, prove_literal.c   the statements of a run
//   prove_found.c                     what race-explore has written
#ifndef SERVER_PROXY_PROVE_EXPLORE_H
#define SERVER_PROXY_PROVE_EXPLORE_H

#include "server/proxy/prove_command.h"
#include "server/proxy/prove_found.h"
#include "server/proxy/prove_options.h"
#include "server/proxy/prove_script.h"
#include "workers/database/database.h"

enum { EXPLORE_SESSIONS = 2, EXPLORE_BYTES_MAX = 16 * 1024 * 1024 };

enum explore_task {
    EXPLORE_IDLE,     // also when `problem` says why nothing more is done
    EXPLORE_SNAPSHOT, // the rows of this moment are kept visible
    EXPLORE_TABLES,   // asks which tables the statements need
    EXPLORE_DUMP,     // pg_dump runs
    EXPLORE_RUN,      // race-explore runs
};

struct explore {
    const struct prove_options *options;
    uv_loop_t *loop;
    char **environment; // with the address of PostgreSQL itself
    enum explore_task task;
    struct db_async *session; // has the snapshot; NULL: not connected
    struct script script;
    struct text sessions[EXPLORE_SESSIONS];
    bool names_level;
    size_t left_out;
    struct text snapshot, level;
    struct text folder; // its files are removed at the end
    struct prove_command command;
    struct text problem; // why there is no result; empty: there is one, or it is still to come
    struct found found;
};

// False: a program is missing, or FILE is another's; a line on standard error says so.
MUST_CHECK bool explore_is_possible(const struct prove_options *options);
// Runs the loop meanwhile. `environment` is borrowed.
void explore_open(struct explore *explore, const struct prove_options *options, uv_loop_t *loop, char **environment,
                  const bool *is_stopped);
// The next three begin a task. It goes on with each explore_tick(), until that returns false.
void explore_begin_recording(struct explore *explore, bool takes_snapshot);
void explore_dump(struct explore *explore); // behind explore_end_recording()
void explore_run(struct explore *explore);
void explore_end_recording(struct explore *explore, size_t session);
MUST_CHECK bool explore_tick(struct explore *explore);
void explore_close(struct explore *explore); // leaves the loop; explore->command has ended
void explore_free(struct explore *explore);

#endif
