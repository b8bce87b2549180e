// Where the sessions stand between two steps.
#include "workers/explore/explore_internal.h"

static enum explore_standing standing_of(const struct cell_session *session) {
    switch (session->activity) {
    case SESSION_READY: return EXPLORE_STANDS_READY;
    case SESSION_RUNNING:
    case SESSION_WAITING: return EXPLORE_STANDS_WAITING;
    case SESSION_ENDED: break;
    }
    return EXPLORE_STANDS_ENDED;
}

static const char *next_sql(const struct cell_session *session) {
    struct explore_run *run = session->cell->run;
    if (session->activity != SESSION_READY) {
        return session->activity == SESSION_ENDED ? NULL : run->steps[session->launched].sql;
    }
    struct text sql = {0};
    struct text problem = {0};
    const char *kept = NULL;
    if (program_render(session, &sql, &problem)) {
        kept = arena_copy(&run->memory, text_slice(&sql));
    }
    text_free(&sql);
    text_free(&problem); // the step itself complains of it
    return kept;
}

void stand_take(struct cell *cell) {
    for (size_t i = 0; i < cell->session_count; i++) {
        const struct cell_session *session = &cell->sessions[i];
        cell->position->stands[i] = (struct explore_stand){
            .standing = standing_of(session),
            .waits_for = session->activity == SESSION_WAITING ? (uint16_t)cell->blocked_by[i] : 0,
            .instruction = (uint16_t)session->at,
            .is_commit = session->owes_commit,
            .sql = next_sql(session),
        };
    }
}
