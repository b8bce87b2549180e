// A process that race-proxy prove starts: COMMAND, or the line of --reset. Loop thread.
#ifndef SERVER_PROXY_PROVE_COMMAND_H
#define SERVER_PROXY_PROVE_COMMAND_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct prove_command {
    uv_process_t process;
    bool is_open;    // the handle is open: it runs, or its end is being handled
    bool is_running; // it has not ended
    int output;      // a file without a name that takes its output; -1: none
    int64_t status;  // its exit status
    int signal;      // that has ended it; 0: none
};

void command_init(struct prove_command *command);
// `environment` ends with NULL. False: `problem` says why it cannot be started.
MUST_CHECK bool command_start(struct prove_command *command, uv_loop_t *loop, char **arguments, char **environment,
                              struct text *problem);
// Sends the signal to the process and to all that it has started, if it runs.
void command_signal(struct prove_command *command, int number);
MUST_CHECK bool command_has_failed(const struct prove_command *command);
// Appends "exit status 3" or "signal 15".
void command_append_end(const struct prove_command *command, struct text *out);
// Appends the last part of its output.
void command_append_output(const struct prove_command *command, struct text *out);
void command_free(struct prove_command *command);

#endif
