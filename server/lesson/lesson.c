// The process that plays the lesson: its start, its questions one after another, and its end.
//
// lesson_ask() > ask_next() > start_program() if none runs > uv_write(); on_read() takes the answer > ask_next() ...
// The program ends when its input is closed: then it drops its database. One that does not answer is killed.
#include "server/lesson/lesson.h"

#include "observability/log/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    QUESTIONS_MAX = 16,            // that wait
    ANSWER_LIMIT_MS = 15000,       // the first answer makes a database
    IDLE_LIMIT_MS = 60000,         // then the program ends
    END_LIMIT_MS = 30000,          // for dropping the database
    ANSWER_BYTES_MAX = 256 * 1024, // an answer has a few kilobytes
};

extern const char sql_lesson_vulnerable[], sql_lesson_for_update[], sql_lesson_atomic_update[],
    sql_lesson_serializable[];

static const struct {
    const char *name, *sql;
} lessons[] = {
    {"vulnerable", sql_lesson_vulnerable},
    {"for_update", sql_lesson_for_update},
    {"atomic_update", sql_lesson_atomic_update},
    {"serializable", sql_lesson_serializable},
};
#define LESSONS (sizeof lessons / sizeof lessons[0])

STAILQ_HEAD(question_list, lesson_question);

enum program_state {
    PROGRAM_NONE,
    PROGRAM_RUNS,
    PROGRAM_ENDS, // its input is closed, or it was killed; on_program_exit() follows
};

struct lesson {
    uv_loop_t *loop;
    const char *database_url;
    enum program_state state;
    bool is_closed; // by lesson_close()
    bool has_ended;
    void (*ended)(void *owner);
    void *owner;
    struct question_list waiting;
    size_t waiting_count;
    struct lesson_question *asked; // that the program has, or NULL
    uv_process_t process;
    uv_pipe_t input, output; // the program's
    unsigned open_handles;   // the program's: process, input, output
    uv_timer_t timer;
    struct text answer; // its part that was read
};

bool lesson_exists(struct slice name) {
    for (size_t i = 0; i < LESSONS; i++) {
        if (slice_equals(name, slice_of(lessons[i].name))) {
            return true;
        }
    }
    return false;
}

void lesson_append_names(struct text *out) {
    for (size_t i = 0; i < LESSONS; i++) {
        text_append_format(out, "%s%s", i == 0 ? "" : ", ", lessons[i].name);
    }
}

static const char *sql_of(const char *name) {
    for (size_t i = 0; i < LESSONS; i++) {
        if (strcmp(name, lessons[i].name) == 0) {
            return lessons[i].sql;
        }
    }
    UNREACHABLE("name of a lesson");
}

static void finish(struct lesson_question *question, enum lesson_end end, const char *words) {
    question->answered(question, end, slice_of(words));
}

static void finish_asked(struct lesson *lesson, enum lesson_end end, struct slice words) {
    struct lesson_question *asked = lesson->asked;
    lesson->asked = NULL;
    if (asked != NULL) {
        asked->answered(asked, end, words);
    }
}

static void ask_next(struct lesson *lesson);

static void on_timer_closed(uv_handle_t *timer) {
    struct lesson *lesson = timer->data;
    lesson->has_ended = true;
    lesson->ended(lesson->owner);
}

static void leave_loop(struct lesson *lesson) {
    uv_close((uv_handle_t *)&lesson->timer, on_timer_closed);
}

// --- The end of the program ---

static void on_handle_closed(uv_handle_t *handle) {
    struct lesson *lesson = handle->data;
    if (--lesson->open_handles > 0) {
        return;
    }
    lesson->state = PROGRAM_NONE;
    text_clear(&lesson->answer);
    if (lesson->is_closed) {
        leave_loop(lesson);
    } else {
        ask_next(lesson);
    }
}

static void on_program_exit(uv_process_t *process, int64_t status, int signal) {
    struct lesson *lesson = process->data;
    lesson->state = PROGRAM_ENDS;
    CHECK(uv_timer_stop(&lesson->timer) == 0);
    if (lesson->asked != NULL) {
        log_write(LOG_LEVEL_WARN, NULL, "race-explore has ended before its answer (status %d, signal %d)", (int)status,
                  signal);
        finish_asked(lesson, LESSON_NO_PROGRAM, slice_of("race-explore has ended before its answer: try again"));
    }
    uv_handle_t *handles[] = {(uv_handle_t *)process, (uv_handle_t *)&lesson->input, (uv_handle_t *)&lesson->output};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        if (!uv_is_closing(handles[i])) {
            uv_close(handles[i], on_handle_closed);
        }
    }
}

static void on_end_over(uv_timer_t *timer) {
    lesson_kill(timer->data);
}

// Closes the program's input.
static void end_program(struct lesson *lesson) {
    lesson->state = PROGRAM_ENDS;
    uv_close((uv_handle_t *)&lesson->input, on_handle_closed);
    CHECK(uv_timer_start(&lesson->timer, on_end_over, END_LIMIT_MS, 0) == 0);
}

static void on_idle(uv_timer_t *timer) {
    end_program(timer->data);
}

static void kill_program(struct lesson *lesson, const char *why) {
    log_write(LOG_LEVEL_WARN, NULL, "race-explore is stopped: %s", why);
    finish_asked(lesson, LESSON_NO_PROGRAM, slice_of(why));
    lesson->state = PROGRAM_ENDS;
    lesson_kill(lesson);
}

static void on_answer_over(uv_timer_t *timer) {
    kill_program(timer->data, "race-explore did not answer within 15 s: try again");
}

// --- Its answers ---

static void take_answer(struct lesson *lesson, struct slice line) {
    static const struct {
        struct slice kind;
        enum lesson_end end;
    } kinds[] = {
        {{"ok ", 3}, LESSON_ANSWERED},
        {{"step ", 5}, LESSON_IMPOSSIBLE},
        {{"database ", 9}, LESSON_DATABASE},
    };
    CHECK(uv_timer_start(&lesson->timer, on_idle, IDLE_LIMIT_MS, 0) == 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_starts_with(line, kinds[i].kind)) {
            struct slice words = {line.data + kinds[i].kind.length, line.length - kinds[i].kind.length};
            finish_asked(lesson, kinds[i].end, words);
            return;
        }
    }
    finish_asked(lesson, LESSON_NO_PROGRAM, line); // the case is wrong: it is not of this program's version
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    struct lesson *lesson = handle->data;
    (void)suggested;
    text_reserve(&lesson->answer, 16 * 1024);
    *room = uv_buf_init(lesson->answer.data + lesson->answer.length, 16 * 1024);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room) {
    struct lesson *lesson = stream->data;
    (void)room;
    if (length <= 0 || lesson->state != PROGRAM_RUNS) {
        return; // on_program_exit() follows the end of its output
    }
    lesson->answer.length += (size_t)length;
    const char *end = memchr(lesson->answer.data, '\n', lesson->answer.length);
    if (end == NULL && lesson->answer.length > ANSWER_BYTES_MAX) {
        kill_program(lesson, "race-explore's answer is too long");
    } else if (end != NULL) {
        struct text answer = lesson->answer;
        lesson->answer = (struct text){0};
        take_answer(lesson, (struct slice){answer.data, (size_t)(end - answer.data)});
        text_free(&answer);
        ask_next(lesson);
    }
}

// --- Its start, and its questions ---

// The path of the program beside this one.
static void append_program(struct text *out) {
    char own[4096];
    size_t length = sizeof own;
    CHECK(uv_exepath(own, &length) == 0);
    const char *slash = memrchr(own, '/', length);
    text_append(out, own, slash == NULL ? 0 : (size_t)(slash - own) + 1);
    text_append(out, "race-explore", sizeof "race-explore"); // with its NUL
}

static int spawn(struct lesson *lesson, char *program) {
    static char stepper[] = "--stepper"; // it has one database
    char *arguments[] = {program, stepper, NULL};
    uv_stdio_container_t streams[] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&lesson->input},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&lesson->output},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    return uv_spawn(
        lesson->loop, &lesson->process,
        &(uv_process_options_t){
            .file = program, .args = arguments, .exit_cb = on_program_exit, .stdio = streams, .stdio_count = 3});
}

struct write {
    uv_write_t request;
    struct text bytes;
};

static void on_written(uv_write_t *request, int status) {
    struct write *write = CONTAINER_OF(request, struct write, request);
    (void)status; // a program that cannot be written to ends: on_program_exit()
    text_free(&write->bytes);
    free(write);
}

// Takes the text over.
static void send_text(struct lesson *lesson, struct text bytes) {
    struct write *write = memory_allocate_zeroed(sizeof *write);
    write->bytes = bytes;
    uv_buf_t buffer = uv_buf_init(write->bytes.data, (unsigned)write->bytes.length);
    if (uv_write(&write->request, (uv_stream_t *)&lesson->input, &buffer, 1, on_written) != 0) {
        on_written(&write->request, 0);
    }
}

// False: `problem` says why.
static bool start_program(struct lesson *lesson, struct text *problem) {
    struct text program = {0};
    append_program(&program);
    CHECK(uv_pipe_init(lesson->loop, &lesson->input, 0) == 0);
    CHECK(uv_pipe_init(lesson->loop, &lesson->output, 0) == 0);
    lesson->process.data = lesson->input.data = lesson->output.data = lesson;
    int status = spawn(lesson, program.data);
    lesson->open_handles = 3;
    if (status != 0) {
        text_append_format(problem, "%s cannot be run: %s", program.data, uv_strerror(status));
        lesson->state = PROGRAM_ENDS;
        uv_close((uv_handle_t *)&lesson->process, on_handle_closed);
        uv_close((uv_handle_t *)&lesson->input, on_handle_closed);
        uv_close((uv_handle_t *)&lesson->output, on_handle_closed);
    } else {
        lesson->state = PROGRAM_RUNS;
        CHECK(uv_read_start((uv_stream_t *)&lesson->output, on_room, on_read) == 0);
        if (lesson->database_url != NULL) {
            struct text server = {0}; // a list of processes shows arguments to everybody
            text_append_format(&server, "server %s\n", lesson->database_url);
            send_text(lesson, server);
        }
    }
    text_free(&program);
    return status == 0;
}

static void send_question(struct lesson *lesson, const struct lesson_question *question) {
    const char *sql = sql_of(question->name);
    struct text bytes = {0};
    text_append_format(&bytes, "rc %s %zu %s.sql\n%s", question->order, strlen(sql), question->name, sql);
    send_text(lesson, bytes);
    CHECK(uv_timer_start(&lesson->timer, on_answer_over, ANSWER_LIMIT_MS, 0) == 0);
}

static struct lesson_question *take_waiting(struct lesson *lesson) {
    struct lesson_question *first = STAILQ_FIRST(&lesson->waiting);
    if (first != NULL) {
        STAILQ_REMOVE_HEAD(&lesson->waiting, next);
        lesson->waiting_count--;
    }
    return first;
}

static void ask_next(struct lesson *lesson) {
    if (lesson->asked != NULL || lesson->state == PROGRAM_ENDS || STAILQ_EMPTY(&lesson->waiting)) {
        return; // on_handle_closed() asks then
    }
    struct text problem = {0};
    if (lesson->state == PROGRAM_RUNS || start_program(lesson, &problem)) {
        lesson->asked = take_waiting(lesson);
        send_question(lesson, lesson->asked);
    } else {
        log_write(LOG_LEVEL_WARN, NULL, "%s", text_terminated(&problem));
        for (struct lesson_question *each = take_waiting(lesson); each != NULL; each = take_waiting(lesson)) {
            finish(each, LESSON_NO_PROGRAM, text_terminated(&problem));
        }
    }
    text_free(&problem);
}

void lesson_ask(struct lesson *lesson, struct lesson_question *question) {
    if (lesson->is_closed) {
        finish(question, LESSON_STOPPED, "");
    } else if (lesson->waiting_count == QUESTIONS_MAX) {
        finish(question, LESSON_BUSY, "");
    } else {
        STAILQ_INSERT_TAIL(&lesson->waiting, question, next);
        lesson->waiting_count++;
        ask_next(lesson);
    }
}

struct lesson *lesson_new(uv_loop_t *loop, const char *database_url) {
    struct lesson *lesson = memory_allocate_zeroed(sizeof *lesson);
    lesson->loop = loop;
    lesson->database_url = database_url;
    STAILQ_INIT(&lesson->waiting);
    CHECK(uv_timer_init(loop, &lesson->timer) == 0);
    lesson->timer.data = lesson;
    uv_unref((uv_handle_t *)&lesson->timer);
    return lesson;
}

void lesson_close(struct lesson *lesson, void (*ended)(void *owner), void *owner) {
    lesson->is_closed = true;
    lesson->ended = ended;
    lesson->owner = owner;
    for (struct lesson_question *each = take_waiting(lesson); each != NULL; each = take_waiting(lesson)) {
        finish(each, LESSON_STOPPED, "");
    }
    finish_asked(lesson, LESSON_STOPPED, slice_of(""));
    if (lesson->state == PROGRAM_NONE) {
        leave_loop(lesson);
    } else if (lesson->state == PROGRAM_RUNS) {
        end_program(lesson);
    }
}

bool lesson_has_ended(const struct lesson *lesson) {
    return lesson->has_ended;
}

// A process that could not be started has the number 0, which stands for the group of this program.
void lesson_kill(struct lesson *lesson) {
    if (lesson->state != PROGRAM_NONE && uv_process_get_pid(&lesson->process) > 0) {
        (void)uv_process_kill(&lesson->process, SIGKILL);
    }
}

void lesson_free(struct lesson *lesson) {
    text_free(&lesson->answer);
    free(lesson);
}
