// --stepper: a person is the scheduler. Another program, such as bank-api, sends the order so far, and gets where the
// sessions stand.
//
// A request is a line, and the text of a case behind it:
//     LEVEL ORDER BYTES PATH     "rc A,B,A 812 vulnerable.sql"; an order without a step is "-"
// Before the first request there may be a line "server URL", which stands for --server.
// An answer is one line:
//     ok JSON          where the sessions stand
//     step WORDS       the last step cannot be launched: its session waits or has ended
//     case WORDS       the case or the request is wrong
//     database WORDS   the server cannot be used now; another request may succeed
// The program ends when its input ends, and drops its database. It ignores SIGINT, SIGTERM and SIGHUP, because a
// terminal sends them to both programs.
#include "server/explorer/explorer_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STEPS_MAX = 200,
    CASE_BYTES_MAX = 64 * 1024,
    LINE_BYTES_MAX = 4096,
};

#define SERVER_LINE "server "

struct stepper {
    uv_loop_t *loop;
    struct explore_settings settings;
    struct text server;
    struct explorer *explorer; // NULL until it is needed, and after the server has failed
    struct text content;       // the text of `list`
    struct case_list list;     // the last request's
};

struct request {
    enum case_level level;
    const char *order, *path;
    size_t bytes;
    uint8_t sessions[STEPS_MAX];
    size_t count;
};

static void answer(const char *kind, struct slice words) {
    (void)printf("%s %.*s\n", kind, (int)words.length, words.data);
    (void)fflush(stdout);
}

static void close_explorer(struct stepper *stepper) {
    if (stepper->explorer != NULL) {
        explorer_close(stepper->explorer);
        stepper->explorer = NULL;
        (void)uv_run(stepper->loop, UV_RUN_NOWAIT);
    }
}

// The text of the last request is read once.
static bool take_case(struct stepper *stepper, const char *path, struct text *content, struct text *problem) {
    if (stepper->list.count == 1 && slice_equals(text_slice(content), text_slice(&stepper->content))) {
        return true;
    }
    if (stepper->explorer != NULL) {
        explorer_forget_case(stepper->explorer);
    }
    case_list_free(&stepper->list);
    text_free(&stepper->content);
    if (!case_read_text(path, text_slice(content), &stepper->list, problem)) {
        return false;
    }
    if (stepper->list.count != 1) {
        text_append_string(problem, "the text has more than one case");
        return false;
    }
    stepper->content = *content;
    *content = (struct text){0};
    return true;
}

// The sessions of "A,B,A".
static bool take_order(const struct sql_case *explored, struct request *request, struct text *problem) {
    const char *at = strcmp(request->order, "-") == 0 ? "" : request->order;
    while (*at != '\0') {
        struct slice name = {at, strcspn(at, ",")};
        size_t session = 0;
        while (session < explored->session_count && !slice_equals(name, slice_of(explored->sessions[session].name))) {
            session++;
        }
        if (session == explored->session_count || request->count == STEPS_MAX) {
            text_append_format(problem, "the order has more than %d steps, or names a session that the case has not",
                               STEPS_MAX);
            return false;
        }
        request->sessions[request->count++] = (uint8_t)session;
        at += name.length + (at[name.length] == ',' ? 1 : 0);
    }
    return true;
}

static void add_program(struct json_writer *json, const struct case_session *session) {
    json_open_array(json, "program");
    for (size_t i = 0; i < session->count; i++) {
        if (session->instructions[i].operation == CASE_STATEMENT) {
            json_open_object(json, NULL);
            json_add_string(json, "step", session->instructions[i].name);
            json_add_string(json, "sql", session->instructions[i].source);
            json_close_object(json);
        }
    }
    json_close_array(json);
}

static void add_session(struct json_writer *json, const struct sql_case *explored, const struct explore_stand *stand,
                        const struct case_session *session) {
    static const char *const standings[] = {
        [EXPLORE_STANDS_READY] = "ready", [EXPLORE_STANDS_WAITING] = "waiting", [EXPLORE_STANDS_ENDED] = "ended"};
    json_open_object(json, NULL);
    json_add_string(json, "name", session->name);
    json_add_string(json, "standing", standings[stand->standing]);
    json_open_array(json, "waits_for");
    for (size_t i = 0; i < explored->session_count; i++) {
        if (stand->waits_for >> i & 1) {
            json_add_string(json, NULL, explored->sessions[i].name);
        }
    }
    json_close_array(json);
    bool has_next = stand->standing != EXPLORE_STANDS_ENDED;
    json_add_string_or_null(json, "next_step", has_next ? session->instructions[stand->instruction].name : NULL);
    json_add_boolean(json, "next_is_commit", stand->is_commit);
    json_add_string_or_null(json, "next_sql", stand->sql);
    add_program(json, session);
    json_close_object(json);
}

static void answer_position(const struct sql_case *explored, enum case_level level,
                            const struct explore_position *position) {
    struct exploration found = {.explored = explored, .level = level};
    struct text body = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_add_string(&json, "level", found_level_name(&found));
    json_add_run_members(&json, &found, position->run);
    json_add_invariants(&json, "broken_invariants", explored, position->run->broken_invariants);
    json_open_array(&json, "sessions");
    for (size_t i = 0; i < explored->session_count; i++) {
        add_session(&json, explored, &position->stands[i], &explored->sessions[i]);
    }
    json_close_array(&json);
    json_close_object(&json);
    answer("ok", text_slice(&body));
    text_free(&body);
}

static void run_request(struct stepper *stepper, struct request *request, struct text *problem) {
    const struct sql_case *explored = &stepper->list.cases[0];
    if (!take_order(explored, request, problem)) {
        answer("case", text_slice(problem));
        return;
    }
    if (stepper->explorer == NULL) {
        stepper->settings.sessions_max = explored->session_count;
        stepper->explorer = explorer_open(stepper->loop, &stepper->settings, problem);
    }
    if (stepper->explorer == NULL) {
        answer("database", text_slice(problem));
        return;
    }
    struct explore_position position;
    enum explore_position_end end = explore_position(stepper->explorer, explored, request->level, request->sessions,
                                                     request->count, &position, problem);
    if (end == EXPLORE_POSITION_KNOWN) {
        answer_position(explored, request->level, &position);
    } else {
        answer(end == EXPLORE_POSITION_IMPOSSIBLE ? "step" : "database", text_slice(problem));
    }
    explore_position_free(&position);
    if (end == EXPLORE_POSITION_FAILED) {
        close_explorer(stepper);
    }
}

// Splits "LEVEL ORDER BYTES PATH". False: the line is none.
static bool read_line(char *line, struct request *request) {
    static const char *const levels[CASE_LEVELS] = {"rc", "rr", "ser"};
    char *rest = NULL;
    const char *level = strtok_r(line, " \n", &rest);
    request->order = strtok_r(NULL, " \n", &rest);
    const char *bytes = strtok_r(NULL, " \n", &rest);
    request->path = strtok_r(NULL, "\n", &rest);
    if (request->path == NULL) {
        return false;
    }
    int number = 0;
    while (number < CASE_LEVELS && strcmp(levels[number], level) != 0) {
        number++;
    }
    char *end = NULL;
    request->bytes = (size_t)strtoul(bytes, &end, 10);
    request->level = (enum case_level)number;
    return number < CASE_LEVELS && *end == '\0' && request->bytes <= CASE_BYTES_MAX;
}

// False: the input has ended, or is none of ours.
static bool serve_one(struct stepper *stepper) {
    char line[LINE_BYTES_MAX];
    struct request request = {0};
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    if (strncmp(line, SERVER_LINE, strlen(SERVER_LINE)) == 0) {
        line[strcspn(line, "\n")] = '\0';
        text_append_string(&stepper->server, line + strlen(SERVER_LINE));
        stepper->settings.server = text_terminated(&stepper->server);
        return true;
    }
    if (!read_line(line, &request)) {
        (void)fputs("race-explore: --stepper expects lines \"LEVEL ORDER BYTES PATH\"\n", stderr);
        return false;
    }
    struct text content = {0};
    struct text problem = {0};
    text_reserve(&content, request.bytes + 1);
    content.length = fread(content.data, 1, request.bytes, stdin);
    bool is_whole = content.length == request.bytes;
    if (is_whole && take_case(stepper, request.path, &content, &problem)) {
        run_request(stepper, &request, &problem);
    } else if (is_whole) {
        answer("case", text_slice(&problem));
    }
    text_free(&content);
    text_free(&problem);
    return is_whole;
}

int stepper_run(uv_loop_t *loop, const struct options *options) {
    struct stepper stepper = {.loop = loop, .settings = options->explore};
    stepper.settings.cells = 1;
    (void)signal(SIGINT, SIG_IGN); // SIGPIPE is ignored by each mode of the program
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    while (serve_one(&stepper)) {}
    close_explorer(&stepper);
    case_list_free(&stepper.list);
    text_free(&stepper.content);
    text_free(&stepper.server);
    return EXIT_CLEAN;
}
