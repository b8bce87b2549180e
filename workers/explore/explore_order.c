// Orders that a person gives: their text, and the step that cannot be launched.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

// The session of a step's or a session's name; "A2c" is the COMMIT of A2, and "A2d" checks what is deferred before it.
static uint8_t session_named(const struct sql_case *explored, struct slice name) {
    for (unsigned stripped = 0; stripped < 2 && name.length > stripped; stripped++) {
        struct slice wanted = {name.data, name.length - stripped};
        if (stripped == 1 && name.data[name.length - 1] != 'c' && name.data[name.length - 1] != 'd') {
            break;
        }
        for (uint8_t i = 0; i < explored->session_count; i++) {
            const struct case_session *session = &explored->sessions[i];
            bool found = slice_equals(wanted, slice_of(session->name));
            for (size_t j = 0; j < session->count && !found; j++) {
                found = session->instructions[j].operation == CASE_STATEMENT &&
                        slice_equals(wanted, slice_of(session->instructions[j].name));
            }
            if (found) {
                return i;
            }
        }
    }
    return NO_SESSION;
}

struct prefix *order_read(const struct sql_case *explored, const char *order, struct text *problem) {
    struct prefix *given = memory_allocate_zeroed(sizeof *given + strlen(order));
    for (const char *at = order; *at != '\0';) {
        size_t length = strcspn(at, " \t,");
        if (length > 0) {
            uint8_t session = session_named(explored, (struct slice){at, length});
            if (session == NO_SESSION) {
                text_append_format(problem, "%s: the order names \"%.*s\", which is no step and no session",
                                   explored->file, (int)length, at);
                free(given);
                return NULL;
            }
            given->sessions[given->count++] = session;
        }
        at += length + (at[length] == '\0' ? 0 : 1);
    }
    return given;
}

uint8_t order_next(const struct explore_run *like, uint16_t ready) {
    for (size_t i = 0; i < like->step_count; i++) {
        if (ready >> like->steps[i].session & 1) {
            return like->steps[i].session;
        }
    }
    return (uint8_t)__builtin_ctz(ready);
}

bool explore_check_order(const struct sql_case *explored, const char *order, struct text *problem) {
    struct prefix *read = order_read(explored, order, problem);
    free(read);
    return read != NULL;
}

void order_complain(const struct cell *cell, struct text *problem) {
    const struct explore_run *run = cell->job.run;
    uint8_t session = cell->prefix->sessions[run->diverged_at - 1];
    const struct cell_session *asked = &cell->sessions[session];
    const struct case_session *program = &cell->explored->sessions[session];
    text_append_format(problem, "%s: step %u of the order cannot be launched: ", cell->explored->file,
                       run->diverged_at);
    uint16_t blockers = run->step_count == 0 ? 0 : run->steps[asked->launched].blocked_by;
    if (asked->at >= program->count) {
        text_append_format(problem, "session %s has no further step", program->name);
    } else {
        text_append_format(problem, "%s waits for", program->instructions[asked->at].name);
        for (uint8_t i = 0; i < cell->explored->session_count; i++) {
            text_append_format(problem, "%s%s", (blockers >> i & 1) ? " " : "",
                               (blockers >> i & 1) ? cell->explored->sessions[i].name : "");
        }
    }
}
