// The sessions of a file with markers: their names, their variables, and sessions that are like another one.
#include "workers/case/case_sessions.h"

static struct case_memory *memory_of(const struct case_sessions *sessions) {
    return sessions->reader->list->memory;
}

// The index of a session, or their number.
static size_t find(const struct case_sessions *sessions, const char *name) {
    size_t i = 0;
    while (i < sessions->made->session_count && strcmp(sessions->made->sessions[i].name, name) != 0) {
        i++;
    }
    return i;
}

bool case_sessions_begin(struct case_sessions *sessions, const struct case_marker *marker, int line) {
    struct sql_case *made = sessions->made;
    size_t same = find(sessions, marker->name);
    if (same < made->session_count) {
        return case_complain(sessions->reader, line, "there is a session %s in line %d already", marker->name,
                             made->sessions[same].line);
    }
    if (made->session_count == CASE_SESSIONS_MAX) {
        return case_complain(sessions->reader, line, "a case has at most %d sessions", CASE_SESSIONS_MAX);
    }
    sessions->markers[made->session_count] = *marker;
    struct case_session *session = case_append(memory_of(sessions), &made->sessions, &made->session_count,
                                               sizeof *session);
    *session = (struct case_session){.name = marker->name, .line = line};
    return true;
}

bool case_sessions_end(struct case_sessions *sessions, struct case_program *program) {
    size_t last = sessions->made->session_count - 1;
    struct case_session *session = &sessions->made->sessions[last];
    const char *like = sessions->markers[last].like;
    if (like != NULL) {
        return program->count == 0 ||
               case_complain(sessions->reader, program->instructions[0].line,
                             "session %s is like %s, so it has no instructions of its own", session->name, like);
    }
    if (!case_program_end(program, session->line)) {
        return false;
    }
    session->instructions = program->instructions;
    session->count = program->count;
    return true;
}

static void set_variable(struct case_sessions *sessions, struct case_session *session, const char *name,
                         const char *value) {
    for (size_t i = 0; i < session->variable_count; i++) {
        if (strcmp(session->variables[i].name, name) == 0) {
            session->variables[i].value = value;
            return;
        }
    }
    struct case_variable *variable = case_append(memory_of(sessions), &session->variables, &session->variable_count,
                                                 sizeof *variable);
    *variable = (struct case_variable){name, value};
}

// Writes the chain of "like", from `first` to the session that has the instructions.
static bool follow(struct case_sessions *sessions, size_t first, size_t chain[static CASE_SESSIONS_MAX],
                   size_t *count) {
    const struct sql_case *made = sessions->made;
    *count = 0;
    for (size_t at = first; *count < made->session_count;) {
        const struct case_session *session = &made->sessions[at];
        const char *like = sessions->markers[at].like;
        chain[(*count)++] = at;
        if (like == NULL) {
            return true;
        }
        at = find(sessions, like);
        if (at == made->session_count) {
            return case_complain(sessions->reader, session->line, "session %s is like %s, but there is no session %s",
                                 session->name, like, like);
        }
    }
    return case_complain(sessions->reader, made->sessions[first].line,
                         "session %s is like %s and so on in a circle: one of these sessions needs statements",
                         made->sessions[first].name, sessions->markers[first].like);
}

// The nearest value wins: the session's own marker, then the marker of the session that it is like, then a global.
static bool finish_session(struct case_sessions *sessions, size_t index, const struct case_variables *globals) {
    struct case_memory *memory = memory_of(sessions);
    struct case_session *session = &sessions->made->sessions[index];
    size_t chain[CASE_SESSIONS_MAX];
    size_t count = 0;
    if (!follow(sessions, index, chain, &count)) {
        return false;
    }
    for (size_t i = 0; i < globals->count; i++) {
        set_variable(sessions, session, case_copy(memory, slice_of(globals->slots[i].name)),
                     case_copy(memory, slice_of(globals->slots[i].value)));
    }
    for (size_t i = count; i-- > 0;) {
        const struct case_marker *marker = &sessions->markers[chain[i]];
        for (size_t j = 0; j < marker->variable_count; j++) {
            set_variable(sessions, session, marker->variables[j].name, marker->variables[j].value);
        }
    }
    const struct case_session *source = &sessions->made->sessions[chain[count - 1]];
    if (source != session) {
        session->instructions = case_program_copy(memory, source, session->name);
        session->count = source->count;
    }
    return true;
}

bool case_sessions_finish(struct case_sessions *sessions, const struct case_variables *globals) {
    struct sql_case *made = sessions->made;
    if (made->session_count == 0) {
        return case_complain(sessions->reader, 0,
                             "has no session: a line \"-- session NAME\" with statements behind it is "
                             "expected");
    }
    for (size_t i = 0; i < made->session_count; i++) {
        if (!finish_session(sessions, i, globals)) {
            return false;
        }
        made->names_levels = made->names_levels || case_program_names_level(&made->sessions[i]);
    }
    return true;
}
