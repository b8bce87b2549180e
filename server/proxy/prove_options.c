// Reads the command line of race-proxy prove.
#include "server/proxy/prove_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PROVE_LIMIT_MS_DEFAULT = 5000,
    PROVE_LIMIT_MS_MAX = 600000,
    TIME_S_DEFAULT = 60,
    TIME_S_MAX = 86400,
};

#define EXPLORE_PATH_DEFAULT "prove-explore.sql"

static const char help[] =
    "Usage: race-proxy prove [options] -- COMMAND...\n"
    "\n"
    "Runs COMMAND once, alone, and looks at what its sessions read and write through the proxy. Whatever is read and\n"
    "then written is a candidate. For each candidate it runs COMMAND twice at once, and holds both before that write,\n"
    "so that both have read before either writes. The verdict is one of three:\n"
    "  forced      a wrong result happened: a lost update, a check that no longer held, a row inserted twice\n"
    "  refuted     it cannot happen in this order: a lock, 40001, 0 rows, 23505; the verdict says which\n"
    "  not forced  not decided: the second request never came, or wrote another row; the verdict says why\n"
    "\n"
    "COMMAND is a request to an application that is already running with the proxy's address (a curl, a script), or\n"
    "starts one itself (pytest). It gets in its environment, with the address of the proxy and the user, the password\n"
    "and the database of --upstream:\n"
    "  DATABASE_URL=postgresql://USER:PASSWORD@127.0.0.1:6432/DATABASE\n"
    "  PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE\n"
    "  PROVE_COPY=1, or 2 for the second of two at once\n"
    "\n"
    "  --upstream URL    the PostgreSQL, as a URL or as keyword=value; default: DATABASE_URL, else the PG* variables\n"
    "  --listen ADDRESS  HOST:PORT or a port; default: " PROXY_LISTEN_DEFAULT "; port 0: any free one\n"
    "  --reset COMMAND   a line for sh that puts the data back. It runs before each run, with DATABASE_URL and PG* of\n"
    "                    --upstream itself. Without it nothing is put back: the second run finds what the first left,\n"
    "                    such as a spent balance\n"
    "  --explore[=FILE]  write the statements of COMMAND and the rows that it needs as FILE, and run all orders of two "
    "of\n"
    "                    them with race-explore, in a database of its own; default: " EXPLORE_PATH_DEFAULT
    ". With --reset\n"
    "                    COMMAND runs once more, alone, with PROVE_COPY=2. './lab explore FILE' repeats it. Needs "
    "pg_dump\n"
    "  --explorer LINE   how race-explore is called; default: the one beside this program, which makes databases\n"
    "                    explore_* on the server of --upstream. ./lab prove starts a PostgreSQL for it instead\n"
    "  --limit MS        hold a session at most so long for the other one; default: 5000\n"
    "  --time S          end a run after so many seconds; default: 60\n"
    "  --json FILE       write each candidate with its verdict and its statements as JSON\n"
    "                    (docs/prove.schema.json); - is the standard output\n"
    "  --junit FILE      write a test report: a testcase for each candidate; forced is a failure, not forced an error\n"
    "  --verbose         log what the proxy does\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0 nothing was forced, and every candidate was refuted; 1 a wrong result was forced; 2 a wrong "
    "option,\n"
    "no connection, or COMMAND alone or --reset has failed; 3 not decided; 130 after Ctrl-C.\n";

enum {
    OPTION_UPSTREAM = 256,
    OPTION_LISTEN,
    OPTION_RESET,
    OPTION_EXPLORE,
    OPTION_EXPLORER,
    OPTION_LIMIT,
    OPTION_TIME,
    OPTION_JSON,
    OPTION_JUNIT,
    OPTION_VERBOSE,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option known[] = {
    {"upstream", required_argument, NULL, OPTION_UPSTREAM},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"reset", required_argument, NULL, OPTION_RESET},
    {"explore", optional_argument, NULL, OPTION_EXPLORE},
    {"explorer", required_argument, NULL, OPTION_EXPLORER},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"time", required_argument, NULL, OPTION_TIME},
    {"json", required_argument, NULL, OPTION_JSON},
    {"junit", required_argument, NULL, OPTION_JUNIT},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

void prove_print_help(void) {
    (void)fputs(help, stdout);
}

// False: `problem` says why, or getopt has printed it.
static bool read_option(int option, const char *value, struct prove_options *out, struct text *problem) {
    switch (option) {
    case OPTION_UPSTREAM: out->proxy.upstream = value; return true;
    case OPTION_LISTEN:
        if (!proxy_read_listen(value, &out->proxy)) {
            text_append_format(problem, "--listen %s: write HOST:PORT, such as " PROXY_LISTEN_DEFAULT, value);
            return false;
        }
        return true;
    case OPTION_RESET: out->reset = value; return true;
    case OPTION_EXPLORE:
        out->explores = true;
        out->explore_path = value != NULL ? value : EXPLORE_PATH_DEFAULT;
        return true;
    case OPTION_EXPLORER: out->explorer = value; return true;
    case OPTION_LIMIT:
        if (!proxy_read_number(value, 1, PROVE_LIMIT_MS_MAX, &out->proxy.limit_ms)) {
            text_append_format(problem, "--limit %s: give milliseconds from 1 to %d", value, PROVE_LIMIT_MS_MAX);
            return false;
        }
        return true;
    case OPTION_TIME:
        if (!proxy_read_number(value, 1, TIME_S_MAX, &out->time_s)) {
            text_append_format(problem, "--time %s: give seconds from 1 to %d", value, TIME_S_MAX);
            return false;
        }
        return true;
    case OPTION_JSON: out->json = value; return true;
    case OPTION_JUNIT: out->junit = value; return true;
    case OPTION_VERBOSE: out->proxy.is_verbose = true; return true;
    default: text_append_string(problem, "see race-proxy prove --help"); return false;
    }
}

static bool read_arguments(int argc, char **argv, struct prove_options *out, enum proxy_command *command,
                           struct text *problem) {
    int option;
    while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) { // +: COMMAND has options of its own
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            *command = option == OPTION_HELP ? PROXY_HELP : PROXY_VERSION;
            return true;
        }
        if (!read_option(option, optarg, out, problem)) {
            return false;
        }
    }
    out->command = argv + optind;
    if (optind == argc) {
        text_append_string(problem, "give a command behind --, such as: race-proxy prove -- curl -sf -X POST "
                                    "http://127.0.0.1:3000/withdraw?amount=80");
        return false;
    }
    if (out->json != NULL && out->junit != NULL && strcmp(out->json, "-") == 0 && strcmp(out->junit, "-") == 0) {
        text_append_string(problem, "--json and --junit: only one of them can be the standard output");
        return false;
    }
    return proxy_read_upstream(&out->proxy, problem);
}

enum proxy_command prove_options_read(int argc, char **argv, struct prove_options *out) {
    enum proxy_command command = PROXY_RUN;
    struct text problem = {0};
    *out = (struct prove_options){.time_s = TIME_S_DEFAULT};
    out->proxy.upstream = getenv("DATABASE_URL");
    out->proxy.limit_ms = PROVE_LIMIT_MS_DEFAULT;
    out->proxy.finds = true;
    out->proxy.rules[out->proxy.rule_count++] = rule_of_force(2);
    CHECK(proxy_read_listen(PROXY_LISTEN_DEFAULT, &out->proxy));
    if (!read_arguments(argc, argv, out, &command, &problem)) {
        (void)fprintf(stderr, "race-proxy prove: %s\n", text_terminated(&problem));
        command = PROXY_WRONG;
    }
    text_free(&problem);
    return command;
}
