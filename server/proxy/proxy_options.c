// Reads the command line of race-proxy.
#include "server/proxy/proxy_options.h"

#include "server/console/console.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LIMIT_MS_DEFAULT = 2000,
    LIMIT_MS_MAX = 600000,
};

static const char help[] =
    "Usage: race-proxy [options]\n"
    "       race-proxy prove [options] -- COMMAND...   (see race-proxy prove --help)\n"
    "\n"
    "Stands between an application and its PostgreSQL. Give the application the proxy's address in its DATABASE_URL; "
    "user,\n"
    "password and database stay the same. Every byte passes unchanged. With --force or --rule the proxy holds "
    "statements\n"
    "until others come, so that a race between two requests happens each time.\n"
    "\n"
    "  --upstream URL     the PostgreSQL, as a URL or as keyword=value; default: DATABASE_URL, else the PG* variables\n"
    "  --listen ADDRESS   HOST:PORT or a port; default: " PROXY_LISTEN_DEFAULT "\n"
    "  --tls-cert FILE    answer clients that ask for TLS with this certificate (PEM, followed by its chain)\n"
    "  --tls-key FILE     the key of that certificate\n"
    "  --force[=N]        hold each session that is about to write a row that it has read, until N sessions (2) that\n"
    "                     have read it are there; if one has a lock that another waits for, it continues at once\n"
    "  --rule RULE        hold the statements that RULE matches; may be given several times\n"
    "  --limit MS         hold no session longer than that; default: 2000\n"
    "  --find[=FILE]      log each race that the application's transactions run into; FILE gets them as JSON at the "
    "end\n"
    "  --http ADDRESS     HOST:PORT or a port of the page, /findings and /metrics, or off; "
    "default: " CONSOLE_ADDRESS_DEFAULT "\n"
    "  --exact            with --find: triggers in the database of --upstream record each row write, and races on one "
    "row\n"
    "                     are judged by row versions; only for a database whose name contains \"test\" or begins with\n"
    "                     explore_; removes the triggers when it stops, or at the next start if it was killed\n"
    "  --verbose          log the begin and the end of each session\n"
    "  --version, --help\n"
    "\n";

static const char help_end[] = "\n"
                               "Signals: SIGUSR1 lets all held sessions go. SIGTERM and SIGINT stop the proxy; a "
                               "session in a transaction has 10 s to\n"
                               "end it, and a second signal ends all sessions at once. Exit status: 0, 1 if it cannot "
                               "listen, 2 for a wrong option.\n";

enum {
    OPTION_UPSTREAM = 256,
    OPTION_LISTEN,
    OPTION_TLS_CERTIFICATE,
    OPTION_TLS_KEY,
    OPTION_FORCE,
    OPTION_RULE,
    OPTION_LIMIT,
    OPTION_FIND,
    OPTION_HTTP,
    OPTION_EXACT,
    OPTION_VERBOSE,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option known[] = {
    {"upstream", required_argument, NULL, OPTION_UPSTREAM},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"tls-cert", required_argument, NULL, OPTION_TLS_CERTIFICATE},
    {"tls-key", required_argument, NULL, OPTION_TLS_KEY},
    {"force", optional_argument, NULL, OPTION_FORCE},
    {"rule", required_argument, NULL, OPTION_RULE},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"find", optional_argument, NULL, OPTION_FIND},
    {"http", required_argument, NULL, OPTION_HTTP},
    {"exact", no_argument, NULL, OPTION_EXACT},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

void proxy_print_help(void) {
    (void)fputs(help, stdout);
    (void)fputs(rules_help, stdout);
    (void)fputs(help_end, stdout);
}

bool proxy_read_number(const char *words, unsigned long least, unsigned long most, unsigned *out) {
    if (words[0] == '\0' || strlen(words) > 9 || strspn(words, "0123456789") != strlen(words)) {
        return false;
    }
    unsigned long number = strtoul(words, NULL, 10);
    *out = (unsigned)number;
    return number >= least && number <= most;
}

// Reads "HOST:PORT", "[HOST]:PORT" or "PORT".
static bool read_address(const char *words, struct proxy_address *out) {
    const char *colon = strrchr(words, ':');
    const char *port = colon == NULL ? words : colon + 1;
    const char *host = colon == NULL ? "127.0.0.1" : words;
    size_t length = colon == NULL ? strlen(host) : (size_t)(colon - words);
    if (host[0] == '[' && length > 1 && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    unsigned number;
    if (length == 0 || length >= sizeof out->host || !proxy_read_number(port, 0, UINT16_MAX, &number)) {
        return false;
    }
    memcpy(out->host, host, length);
    out->host[length] = '\0';
    (void)snprintf(out->port, sizeof out->port, "%u", number);
    return true;
}

bool proxy_read_listen(const char *words, struct proxy_options *out) {
    return read_address(words, &out->listen);
}

static bool add_rule(struct proxy_options *out, const struct rule *rule, struct text *problem) {
    if (out->rule_count == RULES_MAX) {
        text_append_format(problem, "at most %d rules", RULES_MAX);
        return false;
    }
    out->rules[out->rule_count++] = *rule;
    return true;
}

static bool read_force(const char *value, struct proxy_options *out, struct text *problem) {
    unsigned waiters = 2;
    if (value != NULL && !proxy_read_number(value, 2, RULE_WAITERS_MAX, &waiters)) {
        text_append_format(problem, "--force=%s: give a number of sessions from 2 to %d", value, RULE_WAITERS_MAX);
        return false;
    }
    struct rule rule = rule_of_force(waiters);
    return add_rule(out, &rule, problem);
}

static bool read_http(const char *value, struct proxy_options *out, struct text *problem) {
    out->wants_http = strcmp(value, "off") != 0;
    if (!out->wants_http) {
        out->http.port[0] = '\0';
    } else if (!read_address(value, &out->http)) {
        text_append_format(problem, "--http %s: write HOST:PORT, such as " CONSOLE_ADDRESS_DEFAULT ", or off", value);
        return false;
    }
    return true;
}

static bool read_rule(const char *value, struct proxy_options *out, struct text *problem) {
    struct rule rule;
    struct text wrong = {0};
    bool is_good = rule_read(value, &rule, &wrong);
    if (!is_good) {
        text_append_format(problem, "--%s", text_terminated(&wrong));
    }
    text_free(&wrong);
    return is_good && add_rule(out, &rule, problem);
}

// False: `problem` says why.
static bool read_option(int option, const char *value, struct proxy_options *out, struct text *problem) {
    switch (option) {
    case OPTION_UPSTREAM: out->upstream = value; return true;
    case OPTION_LISTEN:
        if (!read_address(value, &out->listen)) {
            text_append_format(problem, "--listen %s: write HOST:PORT, such as " PROXY_LISTEN_DEFAULT, value);
            return false;
        }
        return true;
    case OPTION_TLS_CERTIFICATE: out->tls_certificate = value; return true;
    case OPTION_TLS_KEY: out->tls_key = value; return true;
    case OPTION_FORCE: return read_force(value, out, problem);
    case OPTION_RULE: return read_rule(value, out, problem);
    case OPTION_LIMIT:
        if (!proxy_read_number(value, 1, LIMIT_MS_MAX, &out->limit_ms)) {
            text_append_format(problem, "--limit %s: give milliseconds from 1 to %d", value, LIMIT_MS_MAX);
            return false;
        }
        return true;
    case OPTION_FIND:
        out->finds = true;
        out->findings = value;
        return true;
    case OPTION_HTTP: return read_http(value, out, problem);
    case OPTION_EXACT: out->is_exact = true; return true;
    case OPTION_VERBOSE: out->is_verbose = true; return true;
    default: text_append_string(problem, "see --help"); return false;
    }
}

bool proxy_read_upstream(struct proxy_options *out, struct text *problem) {
    out->servers = db_servers_read(out->upstream, problem);
    if (out->servers != NULL && db_servers_check(out->servers, problem) &&
        db_tls_read(out->upstream, &out->tls, problem)) {
        return true;
    }
    db_servers_free(out->servers);
    out->servers = NULL;
    return false;
}

static bool read_arguments(int argc, char **argv, struct proxy_options *out, enum proxy_command *command,
                           struct text *problem) {
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            *command = option == OPTION_HELP ? PROXY_HELP : PROXY_VERSION;
            return true;
        }
        if (!read_option(option, optarg, out, problem)) {
            return false;
        }
    }
    if (optind < argc) {
        text_append_format(problem, "%s: there is no such argument: see --help", argv[optind]);
        return false;
    }
    if (out->is_exact && !out->finds) {
        text_append_string(problem, "--exact judges findings: give --find too");
        return false;
    }
    if (!guard_hosts_are_names(out->allowed_hosts)) {
        text_append_format(problem,
                           "RACE_PROXY_ALLOWED_HOSTS=\"%s\": write names and addresses with commas between "
                           "them, without scheme and port",
                           out->allowed_hosts);
        return false;
    }
    if ((out->tls_certificate == NULL) != (out->tls_key == NULL)) {
        text_append_string(problem, "--tls-cert and --tls-key belong together: give both");
        return false;
    }
    return config_read_tracing(&out->tracing, problem) && proxy_read_upstream(out, problem);
}

void proxy_options_free(struct proxy_options *options) {
    db_servers_free(options->servers);
    db_tls_free(&options->tls);
}

enum proxy_command proxy_options_read(int argc, char **argv, struct proxy_options *out) {
    enum proxy_command command = PROXY_RUN;
    struct text problem = {0};
    *out = (struct proxy_options){.upstream = getenv("DATABASE_URL"), .limit_ms = LIMIT_MS_DEFAULT};
    out->allowed_hosts = getenv("RACE_PROXY_ALLOWED_HOSTS");
    CHECK(read_address(PROXY_LISTEN_DEFAULT, &out->listen));
    CHECK(read_address(CONSOLE_ADDRESS_DEFAULT, &out->http));
    if (!read_arguments(argc, argv, out, &command, &problem)) {
        (void)fprintf(stderr, "race-proxy: %s\n", text_terminated(&problem));
        command = PROXY_WRONG;
    }
    text_free(&problem);
    return command;
}
