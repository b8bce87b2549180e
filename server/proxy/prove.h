// race-proxy prove -- COMMAND: runs a command alone through the proxy, finds what could race in it, then runs it twice
// at once for each candidate and forces the order that would go wrong. Loop thread.
//
//   prove_options.c   the command line
//   prove_runs.c      the runs, one after another
//   prove_news.c      the callbacks of the sessions
//   prove_environment.c, prove_command.c   a process, its environment and its output
//   prove_trace.c     the events of a run
//   prove_verdict.c   the verdict of a candidate, from its trace; pure
//   prove_explore.c   --explore: all orders of two COMMANDs
//   prove_report.c    the texts for the terminal, prove_files.c JSON and JUnit
#ifndef SERVER_PROXY_PROVE_H
#define SERVER_PROXY_PROVE_H

#include "server/draw/draw.h"
#include "server/proxy/prove_explore.h"
#include "server/proxy/prove_options.h"
#include "server/proxy/prove_verdict.h"

enum {
    PROVE_CLEAN = 0,
    PROVE_FORCED = 1,
    PROVE_WRONG = 2,     // an option, the database, --reset, or the command alone
    PROVE_UNDECIDED = 3, // never a pass
    PROVE_INTERRUPTED = 130,
};

// The exit status.
MUST_CHECK int prove_main(int argc, char **argv);

// All candidates, with their verdicts.
struct prove_result {
    const struct prove_options *options;
    const struct candidate *candidates;
    size_t count;
    size_t dropped;      // candidates beyond CANDIDATES_MAX
    uint64_t statements; // that passed when the command ran alone
    int status;
    const char *problem; // why there is no result; NULL: there is one
    double seconds;
    const struct explore *explore; // NULL: no --explore
};

// --- prove_report.c ---
void report_candidate(const struct candidate *candidate, size_t number, struct canvas canvas, struct text *out);
// Every order of the two: the story, or why there is none.
void report_explore(const struct explore *explore, struct canvas canvas, struct text *out);
void report_summary(const struct prove_result *result, struct canvas canvas, struct text *out);

// --- prove_files.c ---
// Writes --json and --junit. False: one cannot be written; a line on standard error says why.
MUST_CHECK bool files_write(const struct prove_result *result);
// False: a file could not be written; a line on standard error says why.
MUST_CHECK bool files_are_possible(const struct prove_options *options);

#endif
