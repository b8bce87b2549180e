// The command line of race-explore.
#include "server/explorer/explorer_internal.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "Usage: race-explore [options] FILE...\n"
    "\n"
    "Runs the sessions of each file in every order on a real PostgreSQL, and compares each outcome with those of the\n"
    "serial orders. A file is .sql with markers in comments, .spec of PostgreSQL's isolationtester, .md in the form "
    "of\n"
    "Hermitage's page, or a .json or .csv log of PostgreSQL with log_statement=all.\n"
    "\n"
    "  --levels LIST        rc, rr, ser, separated by commas, or as-written; default: all three, or as-written if the\n"
    "                       file names levels itself\n"
    "  --unit UNIT          what must look atomic: session (default) or transaction\n"
    "  --whole-statements   the COMMIT of an autocommit statement is no step of its own\n"
    "  --no-reduction       run also the orders that differ only in steps that do not conflict\n"
    "  --verify             run also all orders, and compare them with what the reduced run says of them\n"
    "  --fix                try changes at each level: a transaction around each session, FOR UPDATE at its reads,\n"
    "                       and the check of a value in the WHERE of the UPDATE that depends on it\n"
    "  --preemptions N      run only orders that leave a session at most N times while it could go on\n"
    "  --max N              run at most N orders of a file at a level\n"
    "  --time S             run orders of a file at a level for at most S seconds\n"
    "  --replay ORDER       run one order, such as 'A1 B1 B2 A2', and show it\n"
    "  --without NAMES      leave out sessions and steps, such as C,A2\n"
    "  --no-shrink          show the smallest order with all of its steps, also those that it does not need\n"
    "  --case NAME          only the case of this name, of a file with several\n"
    "  --session FILE       a pgbench script as a session; give it once for each session\n"
    "  --catalogue          run files or folders that state what must be found, with comments such as\n"
    "                       '-- expect rc: anomaly'; without a file or folder: the lab's catalogue, sql/cases\n"
    "  --setup FILE         SQL that runs before the setup of each file: the tables for --session, or for a log\n"
    "  --jobs N             databases that run orders side by side; default 2\n"
    "  --json FILE          write what was found as JSON (docs/explore.schema.json)\n"
    "  --html FILE          write a page for a browser: steps through an order, the same order at other levels\n"
    "  --junit FILE         write a test report in JUnit's XML; FILE is - for the standard output, which then has\n"
    "                       nothing else\n"
    "  --server URL         make databases explore_* on this server; default: PG* variables\n"
    "  --url URL            use this database, whose name must begin with explore_; its tables are dropped\n"
    "  --isolationtester    write what PostgreSQL's isolationtester writes for a .spec; uses the database of --url,\n"
    "                       --server or the PG* variables as it is, whatever its name\n"
    "  --stepper            answer orders that come in on the standard input: how the bank's page plays a case\n"
    "                       (server/explorer/explorer_stepper.c describes the lines)\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0 complete and clean, 1 an anomaly, a broken invariant or a new error, 2 a wrong file or option,\n"
    "3 not complete, 4 the database cannot be used, 130 interrupted by a signal.\n";

enum {
    OPTION_LEVELS = 256,
    OPTION_UNIT,
    OPTION_WHOLE,
    OPTION_NO_REDUCTION,
    OPTION_VERIFY,
    OPTION_FIX,
    OPTION_PREEMPTIONS,
    OPTION_MAX,
    OPTION_TIME,
    OPTION_REPLAY,
    OPTION_WITHOUT,
    OPTION_NO_SHRINK,
    OPTION_CASE,
    OPTION_SESSION,
    OPTION_SETUP,
    OPTION_JOBS,
    OPTION_CATALOGUE,
    OPTION_JSON,
    OPTION_HTML,
    OPTION_JUNIT,
    OPTION_SERVER,
    OPTION_URL,
    OPTION_ISOLATIONTESTER,
    OPTION_STEPPER,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option known[] = {
    {"levels", required_argument, NULL, OPTION_LEVELS},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"whole-statements", no_argument, NULL, OPTION_WHOLE},
    {"no-reduction", no_argument, NULL, OPTION_NO_REDUCTION},
    {"verify", no_argument, NULL, OPTION_VERIFY},
    {"fix", no_argument, NULL, OPTION_FIX},
    {"preemptions", required_argument, NULL, OPTION_PREEMPTIONS},
    {"max", required_argument, NULL, OPTION_MAX},
    {"time", required_argument, NULL, OPTION_TIME},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"without", required_argument, NULL, OPTION_WITHOUT},
    {"no-shrink", no_argument, NULL, OPTION_NO_SHRINK},
    {"case", required_argument, NULL, OPTION_CASE},
    {"session", required_argument, NULL, OPTION_SESSION},
    {"setup", required_argument, NULL, OPTION_SETUP},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"catalogue", no_argument, NULL, OPTION_CATALOGUE},
    {"json", required_argument, NULL, OPTION_JSON},
    {"html", required_argument, NULL, OPTION_HTML},
    {"junit", required_argument, NULL, OPTION_JUNIT},
    {"server", required_argument, NULL, OPTION_SERVER},
    {"url", required_argument, NULL, OPTION_URL},
    {"isolationtester", no_argument, NULL, OPTION_ISOLATIONTESTER},
    {"stepper", no_argument, NULL, OPTION_STEPPER},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool refuse(const char *option, const char *value, const char *expected) {
    (void)fprintf(stderr, "race-explore: --%s %s: %s\n", option, value, expected);
    return false;
}

static bool read_number(const char *option, const char *value, uint64_t least, uint64_t most, uint64_t *number) {
    char *end;
    errno = 0;
    unsigned long long read = strtoull(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || value[0] == '-' || read < least || read > most) {
        (void)fprintf(stderr, "race-explore: --%s %s: give a whole number from %llu to %llu\n", option, value,
                      (unsigned long long)least, (unsigned long long)most);
        return false;
    }
    *number = read;
    return true;
}

static bool read_levels(const char *value, struct options *options) {
    static const char *const names[CASE_LEVELS] = {"rc", "rr", "ser"};
    if (strcmp(value, "as-written") == 0) {
        options->as_written = true;
        return true;
    }
    const char *at = value;
    do {
        size_t length = strcspn(at, ",");
        bool found = false;
        for (int i = 0; i < CASE_LEVELS; i++) {
            if (strlen(names[i]) == length && strncmp(names[i], at, length) == 0) {
                options->levels[i] = found = true;
            }
        }
        if (!found) {
            return refuse("levels", value, "give rc, rr, ser, separated by commas, or as-written");
        }
        at += length + (at[length] == ',' ? 1 : 0);
    } while (*at != '\0');
    return true;
}

static bool read_limits(int option, const char *value, struct options *options) {
    uint64_t number = 0;
    if (option == OPTION_PREEMPTIONS && read_number("preemptions", value, 0, 1000, &number)) {
        options->explore.preemptions_max = (int)number;
    } else if (option == OPTION_MAX && read_number("max", value, 0, UINT64_MAX / 2, &number)) {
        options->explore.orders_max = number;
    } else if (option == OPTION_TIME && read_number("time", value, 0, 1000000, &number)) {
        options->explore.milliseconds_max = number * 1000;
    } else if (option == OPTION_JOBS && read_number("jobs", value, 1, 8, &number)) {
        options->explore.cells = (unsigned)number;
    } else {
        return false;
    }
    return true;
}

static bool read_option(int option, char *value, struct options *options) {
    switch (option) {
    case OPTION_LEVELS: return read_levels(value, options);
    case OPTION_UNIT:
        if (strcmp(value, "session") != 0 && strcmp(value, "transaction") != 0) {
            return refuse("unit", value, "give session or transaction");
        }
        options->explore.unit = value[0] == 's' ? EXPLORE_UNIT_SESSION : EXPLORE_UNIT_TRANSACTION;
        return true;
    case OPTION_NO_REDUCTION: options->explore.reduces = false; return true;
    case OPTION_VERIFY: options->verifies = true; return true;
    case OPTION_FIX: options->tries_fixes = true; return true;
    case OPTION_WHOLE: options->explore.whole_statements = true; return true;
    case OPTION_WITHOUT: options->without = value; return true;
    case OPTION_NO_SHRINK: options->keeps_all = true; return true;
    case OPTION_REPLAY:
        options->replay = value;
        return value[strspn(value, " \t,")] != '\0' || refuse("replay", value, "give an order, such as 'A1 B1 B2 A2'");
    case OPTION_CASE: options->only_case = value; return true;
    case OPTION_SESSION:
        options->scripts = memory_resize(options->scripts, (options->script_count + 1) * sizeof *options->scripts);
        options->scripts[options->script_count++] = value;
        return true;
    case OPTION_SETUP: options->setup_path = value; return true;
    case OPTION_CATALOGUE: options->is_catalogue = true; return true;
    case OPTION_JSON: options->json_path = value; return true;
    case OPTION_HTML: options->html_path = value; return true;
    case OPTION_JUNIT: options->junit_path = value; return true;
    case OPTION_SERVER: options->explore.server = value; return true;
    case OPTION_ISOLATIONTESTER: options->as_isolationtester = true; return true;
    case OPTION_STEPPER: options->as_stepper = true; return true;
    case OPTION_URL: options->explore.database_url = value; return true;
    default: return read_limits(option, value, options);
    }
}

static bool is_same_file(const char *one, const char *other) {
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

// Two documents in one file would be neither.
static bool have_own_files(const struct options *options) {
    if (is_same_file(options->json_path, options->junit_path)) {
        return refuse("junit", options->junit_path, "give another file than to --json");
    }
    if (is_same_file(options->html_path, options->json_path) || is_same_file(options->html_path, options->junit_path)) {
        return refuse("html", options->html_path, "give another file than to --json or --junit");
    }
    return true;
}

bool options_read(int argc, char **argv, struct options *options, int *status) {
    *options = (struct options){.explore = {.server = "", .cells = 2, .preemptions_max = -1, .reduces = true}};
    *status = EXIT_WRONG;
    int option;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        if (option == OPTION_HELP || option == 'h' || option == OPTION_VERSION) {
            struct ending ending = {0};
            output_print(&ending, slice_of(option == OPTION_VERSION ? "race-explore " LAB_VERSION "\n" : help));
            *status = ending.output_status;
            return false;
        }
        if (option == '?') {
            (void)fputs("race-explore: 'race-explore --help' lists the options\n", stderr);
            return false;
        }
        if (!read_option(option, optarg, options)) {
            return false;
        }
    }
    if (!have_own_files(options)) {
        return false;
    }
    if (options->without != NULL && options->tries_fixes) {
        return refuse("without", options->without, "a fix is of the whole case: leave out --fix");
    }
    options->files = argv + optind;
    options->file_count = (size_t)(argc - optind);
    bool needs_file = options->script_count == 0 && !options->is_catalogue && !options->as_stepper;
    if (options->file_count == 0 && needs_file) {
        (void)fputs("race-explore: give a file to explore: 'race-explore --help' shows how\n", stderr);
        return false;
    }
    return true;
}
