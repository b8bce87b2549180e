// The command line of race-proxy.
#ifndef SERVER_PROXY_PROXY_OPTIONS_H
#define SERVER_PROXY_PROXY_OPTIONS_H

#include "observability/base/base.h"
#include "server/config/config.h"
#include "server/proxy/rules.h"
#include "workers/database/database.h"

#include <stdbool.h>

#define PROXY_LISTEN_DEFAULT "127.0.0.1:6432"

// An address to listen on.
struct proxy_address {
    char host[256];
    char port[8]; // "": do not listen
};

enum proxy_command { PROXY_RUN, PROXY_HELP, PROXY_VERSION, PROXY_WRONG };

struct proxy_options {
    const char *upstream;        // connection parameters
    struct db_servers *servers;  // `upstream` names these
    struct db_tls tls;           // to the server
    const char *tls_certificate; // to clients; NULL: they get no TLS
    const char *tls_key;
    struct proxy_address listen;
    struct proxy_address http; // the page, /findings and /metrics
    bool wants_http;           // it was asked for, so the start fails without it
    const char *allowed_hosts; // RACE_PROXY_ALLOWED_HOSTS, or NULL
    struct tracing_config tracing;
    struct rule rules[RULES_MAX];
    unsigned rule_count;
    unsigned limit_ms; // the longest hold
    bool is_verbose;
    bool finds;           // races that happen
    bool is_exact;        // triggers record the row writes
    const char *findings; // the file for them, or NULL
};

// Reads the arguments. PROXY_WRONG: a line on standard error says what is wrong.
MUST_CHECK enum proxy_command proxy_options_read(int argc, char **argv, struct proxy_options *out);
// Reads the servers and the TLS of `upstream`; one of the servers must have an address now.
// False: `problem` says what cannot be used.
MUST_CHECK bool proxy_read_upstream(struct proxy_options *out, struct text *problem);
void proxy_options_free(struct proxy_options *options); // after PROXY_RUN
void proxy_print_help(void);
// Reads "HOST:PORT", "[HOST]:PORT" or "PORT" of --listen.
MUST_CHECK bool proxy_read_listen(const char *words, struct proxy_options *out);
MUST_CHECK bool proxy_read_number(const char *words, unsigned long least, unsigned long most, unsigned *out);

#endif
