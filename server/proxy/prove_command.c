// Starts a process in a process group of its own, so that a signal reaches its children too. Its output goes to a file
// without a name: a child that outlives the process can then hold nothing up.
#include "server/proxy/prove_command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OUTPUT_SHOWN = 4096 };

void command_init(struct prove_command *command) {
    *command = (struct prove_command){.output = -1};
}

static void on_closed(uv_handle_t *handle) {
    CONTAINER_OF(handle, struct prove_command, process)->is_open = false;
}

static void on_exit_of(uv_process_t *process, int64_t status, int number) {
    struct prove_command *command = CONTAINER_OF(process, struct prove_command, process);
    command->is_running = false;
    command->status = status;
    command->signal = number;
    uv_close((uv_handle_t *)process, on_closed);
}

bool command_start(struct prove_command *command, uv_loop_t *loop, char **arguments, char **environment,
                   struct text *problem) {
    CHECK(!command->is_open);
    command_free(command);
    command->output = memfd_create("output", MFD_CLOEXEC);
    if (command->output < 0) {
        text_append_format(problem, "no memory for the output of %s", arguments[0]);
        return false;
    }
    uv_stdio_container_t streams[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = command->output},
        {.flags = UV_INHERIT_FD, .data.fd = command->output},
    };
    uv_process_options_t options = {
        .file = arguments[0],
        .args = arguments,
        .env = environment,
        .exit_cb = on_exit_of,
        .flags = UV_PROCESS_DETACHED,
        .stdio = streams,
        .stdio_count = 3,
    };
    int status = uv_spawn(loop, &command->process, &options);
    command->is_open = true;
    command->is_running = status == 0;
    if (status != 0) {
        text_append_format(problem, "%s cannot be started: %s", arguments[0], uv_strerror(status));
        uv_close((uv_handle_t *)&command->process, on_closed);
    }
    return status == 0;
}

void command_signal(struct prove_command *command, int number) {
    if (command->is_running) {
        (void)kill(-command->process.pid, number);
    }
}

bool command_has_failed(const struct prove_command *command) {
    return command->status != 0 || command->signal != 0;
}

void command_append_end(const struct prove_command *command, struct text *out) {
    if (command->signal != 0) {
        text_append_format(out, "signal %d", command->signal);
    } else {
        text_append_format(out, "exit status %lld", (long long)command->status);
    }
}

void command_append_output(const struct prove_command *command, struct text *out) {
    char bytes[OUTPUT_SHOWN];
    off_t length = command->output < 0 ? 0 : lseek(command->output, 0, SEEK_END);
    off_t start = length > OUTPUT_SHOWN ? length - OUTPUT_SHOWN : 0;
    ssize_t count = length > 0 ? pread(command->output, bytes, sizeof bytes, start) : 0;
    if (count > 0) {
        text_append_string(out, start > 0 ? "...\n" : "");
        text_append(out, bytes, (size_t)count);
    }
}

void command_free(struct prove_command *command) {
    if (command->output >= 0) {
        (void)close(command->output);
        command->output = -1;
    }
}
