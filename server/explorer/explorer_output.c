// Files that are written at the end: to a temporary file beside it, which is then renamed, so that a reader never sees
// half of one. Whether that will be possible is tried before any work.
#include "server/explorer/explorer_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_standard_output(const char *path) {
    return strcmp(path, "-") == 0;
}

// A pipe or a device is written as it is.
static bool is_written_in_place(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

// Opens what is written: the file itself, or a new file beside it whose name goes to `temporary`.
static int open_for(const char *path, struct text *temporary) {
    if (is_written_in_place(path)) {
        return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    }
    char *real = realpath(path, NULL); // a link stays a link
    text_append_format(temporary, "%s.XXXXXX", real == NULL ? path : real);
    text_append(temporary, "", 1); // its end
    temporary->length--;
    free(real);
    return mkostemp(temporary->data, O_CLOEXEC);
}

bool output_is_possible(const char *option, const char *path) {
    if (path == NULL || is_standard_output(path)) {
        return true;
    }
    struct text temporary = {0};
    struct stat status;
    bool is_pipe = stat(path, &status) == 0 && S_ISFIFO(status.st_mode); // its reader may come later
    int file = is_pipe ? -1 : open_for(path, &temporary);
    int error = errno;
    if (file >= 0) {
        (void)close(file);
        if (temporary.length > 0) {
            (void)unlink(text_terminated(&temporary));
        }
    } else if (!is_pipe) {
        (void)fprintf(stderr, "race-explore: --%s %s: the file cannot be written: %s\n", option, path, strerror(error));
    }
    text_free(&temporary);
    return file >= 0 || is_pipe;
}

static bool write_all(int file, struct slice content) {
    while (content.length > 0) {
        ssize_t written = write(file, content.data, content.length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t count = written < 0 ? 0 : (size_t)written;
        content = (struct slice){content.data + count, content.length - count};
    }
    return true;
}

// mkostemp() lets only the owner read the file; a new file has what the umask leaves.
static bool set_mode(int file, const char *path) {
    struct stat status;
    mode_t mask = umask(0);
    (void)umask(mask);
    return fchmod(file, stat(path, &status) == 0 ? status.st_mode & 07777 : 0666 & ~mask) == 0;
}

static bool write_file(const char *path, struct slice content) {
    struct text temporary = {0};
    bool is_pipe = is_written_in_place(path);
    int file = is_pipe ? open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY) : open_for(path, &temporary);
    bool good = file >= 0 && write_all(file, content) && (is_pipe || set_mode(file, path));
    int error = errno;
    if (file >= 0 && close(file) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && !is_pipe) {
        char *real = realpath(path, NULL);
        good = rename(text_terminated(&temporary), real == NULL ? path : real) == 0;
        error = errno;
        free(real);
    }
    if (!good && file >= 0 && !is_pipe) {
        (void)unlink(text_terminated(&temporary));
    }
    text_free(&temporary);
    errno = error;
    return good;
}

bool output_write(const char *option, const char *path, struct slice content) {
    bool good = is_standard_output(path) ? write_all(STDOUT_FILENO, content) : write_file(path, content);
    if (!good) {
        (void)fprintf(stderr, "race-explore: --%s %s: the file cannot be written: %s\n", option, path, strerror(errno));
    }
    return good;
}
