// The command line of race-proxy prove.
#ifndef SERVER_PROXY_PROVE_OPTIONS_H
#define SERVER_PROXY_PROVE_OPTIONS_H

#include "server/proxy/proxy_options.h"

struct prove_options {
    struct proxy_options proxy;
    char **command;           // ends with NULL
    const char *reset;        // a line for sh, or NULL
    const char *json, *junit; // files, or NULL
    unsigned time_s;          // the longest run
    bool explores;
    const char *explore_path; // the file that --explore writes
    const char *explorer;     // a line for sh that begins with race-explore's command, or NULL
};

// PROXY_WRONG: a line on standard error says what is wrong.
MUST_CHECK enum proxy_command prove_options_read(int argc, char **argv, struct prove_options *out);
void prove_print_help(void);

#endif
