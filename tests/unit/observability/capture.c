// Captures standard error in an unlinked file, and runs a call that must abort in a child process.
#include "capture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int real_stderr = -1;
static int captured = -1;

void capture_begin(void) {
    captured = memfd_create("captured standard error", MFD_CLOEXEC);
    real_stderr = dup(STDERR_FILENO);
    CHECK(captured >= 0 && real_stderr >= 0);
    CHECK(fcntl(captured, F_SETFL, O_APPEND) == 0); // a memfd's own position is not locked between threads
    CHECK(dup2(captured, STDERR_FILENO) == STDERR_FILENO);
}

void capture_end(struct text *out) {
    CHECK(dup2(real_stderr, STDERR_FILENO) == STDERR_FILENO);
    close(real_stderr);

    char piece[4096];
    ssize_t length;
    off_t at = 0;
    while ((length = pread(captured, piece, sizeof piece, at)) > 0) {
        text_append(out, piece, (size_t)length);
        at += length;
    }
    close(captured);
    const char *terminated = text_terminated(out);
    (void)terminated;
}

static _Noreturn void run_child(void (*call)(void)) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)signal(SIGABRT, SIG_DFL);
    call();
    _exit(0);
}

bool aborts_with(void (*call)(void), const char *message) {
    capture_begin();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run_child(call);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    struct text written = {0};
    capture_end(&written);

    bool as_wanted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(written.data, message) != NULL;
    if (!as_wanted) {
        fprintf(stderr, "wait status 0x%x, standard error: %s\n", (unsigned)status, written.data);
    }
    text_free(&written);
    return as_wanted;
}
