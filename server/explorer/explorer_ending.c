// The exit status, and a standard output that cannot be written, which ends the program.
#include "server/explorer/explorer_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int worse_status(int one, int other) {
    // A wrong case and a database that fails say more than what was found before them.
    static const int order[] = {EXIT_CLEAN, EXIT_INCOMPLETE, EXIT_ANOMALY, EXIT_WRONG, EXIT_DATABASE, EXIT_INTERRUPTED};
    size_t i = 0;
    while (order[i] != one && order[i] != other) {
        i++;
    }
    return order[i] == one ? other : one;
}

bool output_is_open(void) {
    bool is_open = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++) {
        if (fcntl(number, F_GETFD) < 0) {
            CHECK(open("/dev/null", number == STDIN_FILENO ? O_RDONLY : O_WRONLY) == number);
        }
    }
    if (!is_open) {
        (void)fputs("race-explore: the standard output is closed: direct it to a file, such as /dev/null\n", stderr);
    }
    return is_open;
}

void output_print(struct ending *ending, struct slice content) {
    if (content.length == 0 || ending->output_status != EXIT_CLEAN ||
        (fwrite(content.data, 1, content.length, stdout) == content.length && fflush(stdout) == 0)) {
        return;
    }
    bool has_reader = errno != EPIPE;
    if (has_reader) {
        (void)fprintf(stderr, "race-explore: the standard output cannot be written: %s\n", strerror(errno));
    }
    ending->is_stopped = true;
    ending->output_status = has_reader ? EXIT_WRONG : EXIT_INCOMPLETE;
}
