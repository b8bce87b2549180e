// Judges the run of two at once. The order of the questions matters: a proof counts more than a lock that was seen,
// because an application may lock a row too late.
//
//   proved                    forced
//   an error of a session     refuted: 40001, 23505 ..., or not decided
//   a write of 0 rows         refuted
//   released together         forced if both writes were committed, with a read that came before both
//   somebody waited           refuted: a lock
//   else                      not decided: the second request did not come
#include "server/proxy/prove_verdict.h"

#include <stdlib.h>

static char *copy_string(const char *string) {
    size_t size = strlen(string) + 1;
    char *copy = memory_allocate(size);
    memcpy(copy, string, size);
    return copy;
}

void candidate_fill(struct candidate *candidate, const struct sight_pattern *pattern) {
    *candidate = (struct candidate){
        .pair = pattern->pair,
        .write = pattern->write,
        .kind = pattern->kind,
        .level = SIGHT_POSSIBLE,
        .is_certain = pattern->is_certain,
        .is_locked = pattern->is_locked,
        .is_locked_late = pattern->is_locked_late,
        .is_guarded = pattern->is_guarded,
        .is_repeatable = pattern->is_repeatable,
        .table = copy_string(pattern->table),
        .row = copy_string(pattern->row),
        .sql_read = copy_string(pattern->sql_read),
        .sql_write = copy_string(pattern->sql_write),
        .reason = "not_run",
    };
}

void candidate_free(struct candidate *candidate) {
    free(candidate->table);
    free(candidate->row);
    free(candidate->sql_read);
    free(candidate->sql_write);
    trace_free(&candidate->trace);
    text_free(&candidate->happened);
    text_free(&candidate->sentence);
    text_free(&candidate->ends[0]);
    text_free(&candidate->ends[1]);
}

const char *verdict_name(enum verdict verdict) {
    static const char *const names[] = {"not_forced", "refuted", "forced"};
    return names[verdict];
}

// --- The sessions ---

static size_t add_session(uint32_t sessions[2], size_t count, uint32_t backend) {
    bool is_known = (count > 0 && sessions[0] == backend) || (count > 1 && sessions[1] == backend);
    if (count == 2 || is_known || backend == 0) {
        return count;
    }
    sessions[count] = backend;
    return count + 1;
}

size_t verdict_sessions(const struct candidate *candidate, uint32_t sessions[2]) {
    const struct trace *trace = &candidate->trace;
    size_t count = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        count = event->kind == TRACE_HELD ? add_session(sessions, count, event->backend) : count;
    }
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        count = event->kind == TRACE_WAITS && !event->other_is_foreign ? add_session(sessions, count, event->other)
                                                                       : count;
    }
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        bool is_work = event->kind == TRACE_OUTCOME && event->verb != SIGHT_OTHER;
        count = is_work ? add_session(sessions, count, event->backend) : count;
    }
    return count;
}

static bool is_session(const uint32_t sessions[2], size_t count, uint32_t backend) {
    return (count > 0 && sessions[0] == backend) || (count > 1 && sessions[1] == backend);
}

// --- The facts of a trace ---

struct facts {
    const struct trace_event *proof;
    const struct trace_event *error;    // the first error of one of the two sessions
    const struct trace_event *no_rows;  // the write of the candidate, without effect
    const struct trace_event *waits;    // one of the proxy's sessions waits for the other one's lock
    const struct trace_event *foreign;  // another program's session waits
    const struct trace_event *released; // the first end of a hold
    const char *rows[2];                // that the two writes named; NULL: no such write
    bool has_committed[2];              // both statements
    size_t held;
    bool is_other_row;
};

static void note_write(struct facts *facts, const struct trace_event *event, const uint32_t sessions[2]) {
    size_t place = event->backend == sessions[0] ? 0 : 1;
    facts->rows[place] = facts->rows[place] == NULL ? event->row : facts->rows[place];
    facts->no_rows = facts->no_rows == NULL && event->rows == 0 ? event : facts->no_rows;
}

static void note(struct facts *facts, const struct candidate *candidate, const struct trace_event *event,
                 const uint32_t sessions[2], size_t count) {
    switch (event->kind) {
    case TRACE_OUTCOME:
        if (!is_session(sessions, count, event->backend)) {
            return;
        }
        if (event->sqlstate[0] != '\0') {
            facts->error = facts->error == NULL ? event : facts->error;
        } else if (event->statement == candidate->write) {
            note_write(facts, event, sessions);
        }
        return;
    case TRACE_HELD: facts->held++; return;
    case TRACE_RELEASED: facts->released = facts->released == NULL ? event : facts->released; return;
    case TRACE_WAITS: *(event->other_is_foreign ? &facts->foreign : &facts->waits) = event; return;
    case TRACE_COMMITTED:
        if (event->pair == candidate->pair && is_session(sessions, count, event->backend)) {
            facts->has_committed[event->backend == sessions[0] ? 0 : 1] = true;
        }
        return;
    case TRACE_PROVED: facts->proof = event->pair == candidate->pair ? event : facts->proof; return;
    }
}

static struct facts find_facts(const struct candidate *candidate) {
    struct facts facts = {0};
    uint32_t sessions[2] = {0};
    size_t count = verdict_sessions(candidate, sessions);
    for (size_t i = 0; i < candidate->trace.count; i++) {
        note(&facts, candidate, &candidate->trace.events[i], sessions, count);
    }
    facts.is_other_row = facts.rows[0] != NULL && facts.rows[1] != NULL && facts.rows[0][0] != '\0' &&
                         facts.rows[1][0] != '\0' && strcmp(facts.rows[0], facts.rows[1]) != 0;
    return facts;
}

// --- The verdict ---

static void set(struct candidate *candidate, enum verdict verdict, const char *reason, const char *sentence) {
    candidate->verdict = verdict;
    candidate->reason = reason;
    text_clear(&candidate->sentence);
    text_append_string(&candidate->sentence, sentence);
}

static void judge_error(struct candidate *candidate, const struct trace_event *error) {
    static const struct {
        const char *sqlstate, *reason, *words;
    } known[] = {
        {"40001", "40001", "PostgreSQL ended one of the two with 40001, a serialization failure"},
        {"40P01", "40P01", "PostgreSQL ended one of the two with 40P01, a deadlock"},
        {"23505", "23505", "a unique constraint refused one of the two with 23505"},
        {"23P01", "23P01", "an exclusion constraint refused one of the two with 23P01"},
        {"23514", "23514", "a check constraint refused one of the two with 23514"},
        {"55P03", "lock", "the lock of the other session refused one of the two with 55P03"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].sqlstate, error->sqlstate) == 0) {
            set(candidate, VERDICT_REFUTED, known[i].reason, known[i].words);
            return;
        }
    }
    set(candidate, VERDICT_NOT_FORCED, "error", "one of the two ended with an error: ");
    text_append_string(&candidate->sentence, error->sqlstate);
}

static void judge_together(struct candidate *candidate, const struct facts *facts) {
    if (facts->is_other_row && candidate->is_locked) {
        set(candidate, VERDICT_REFUTED, "lock", "the second request passed over the locked row and took another one");
    } else if (facts->is_other_row) {
        set(candidate, VERDICT_NOT_FORCED, "other_row",
            "the two requests wrote different rows: let COMMAND ask for the same row both times");
    } else if (candidate->is_guarded) {
        set(candidate, VERDICT_REFUTED, "guard", "the WHERE of the write repeats the check, and it held for both");
    } else if (facts->has_committed[0] && facts->has_committed[1] && candidate->is_certain) {
        set(candidate, VERDICT_REFUTED, "unrelated",
            "both had read before either of them wrote, and neither changed a column that the other one had read");
    } else if (facts->has_committed[0] && facts->has_committed[1]) {
        bool is_insert = candidate->kind == SIGHT_PHANTOM;
        set(candidate, VERDICT_FORCED, "both_wrote",
            is_insert ? "both had looked for rows before either of them inserted one, and both inserts were committed"
                      : "both had read before either of them wrote, and both writes were committed");
    } else {
        set(candidate, VERDICT_REFUTED, "rolled_back",
            "both had read before either of them wrote, and the application took one of the two back itself");
    }
}

static void judge_lock(struct candidate *candidate, const struct facts *facts) {
    if (candidate->is_locked_late && facts->has_committed[0] && facts->has_committed[1]) {
        set(candidate, VERDICT_NOT_FORCED, "locked_late",
            "the row is locked, but only after a read without a lock, and both requests wrote it: the messages do not "
            "show which of its two reads the second one used; lock at the first read");
        return;
    }
    set(candidate, VERDICT_REFUTED, "lock",
        "protected by a lock: the second session waited in PostgreSQL until the first one had ended");
}

static void judge_alone(struct candidate *candidate, const struct facts *facts) {
    uint32_t sessions[2];
    size_t count = verdict_sessions(candidate, sessions);
    if (facts->held == 0) {
        set(candidate, VERDICT_NOT_FORCED, "not_reached",
            "neither request came to the write this time: if the data of the run before are in the way, put them back "
            "with --reset");
    } else if (facts->foreign != NULL) {
        set(candidate, VERDICT_NOT_FORCED, "foreign",
            "a session that does not come through the proxy waited for the lock of the first request");
    } else if (facts->released != NULL &&
               (facts->released->end == HOLD_LEFT || facts->released->end == HOLD_CANCELLED)) {
        set(candidate, VERDICT_NOT_FORCED, "cancelled",
            "the application gave up the held statement: choose --limit below its timeout");
    } else if (count < 2) {
        set(candidate, VERDICT_NOT_FORCED, "no_second",
            "the second request never came to the database: give the application a second worker and a second "
            "connection, or look for a lock of its own");
    } else {
        set(candidate, VERDICT_NOT_FORCED, "no_second_write",
            "the second request did not come to this write within --limit: it took another path, or it waits in the "
            "application");
    }
}

static void append_proof(struct candidate *candidate, const struct trace_event *proof) {
    uint32_t sessions[2] = {0};
    size_t count = verdict_sessions(candidate, sessions);
    for (const char *each = proof->sql; *each != '\0'; each++) {
        uint32_t backend = *each == TRACE_FIRST ? proof->backend : proof->other;
        if (*each != TRACE_FIRST && *each != TRACE_SECOND) {
            text_append(&candidate->sentence, each, 1);
        } else if (is_session(sessions, count, backend)) {
            text_append_string(&candidate->sentence, backend == sessions[0] ? "A" : "B");
        } else {
            text_append_string(&candidate->sentence, "a third session");
        }
    }
}

void verdict_judge(struct candidate *candidate) {
    struct facts facts = find_facts(candidate);
    bool was_complete = facts.released != NULL && facts.released->end == HOLD_COMPLETE;
    if (facts.proof != NULL) {
        set(candidate, VERDICT_FORCED, "proved", "");
        append_proof(candidate, facts.proof);
    } else if (candidate->happened.length > 0) {
        set(candidate, VERDICT_FORCED, "happened", text_terminated(&candidate->happened));
    } else if (candidate->was_cut_off) {
        set(candidate, VERDICT_NOT_FORCED, "time", "the run did not end within --time");
    } else if (candidate->trace.is_cut) {
        set(candidate, VERDICT_NOT_FORCED, "too_long", "the run has too many statements to be judged");
    } else if (facts.error != NULL && facts.held > 0) {
        judge_error(candidate, facts.error);
    } else if (facts.no_rows != NULL && facts.held > 0) {
        set(candidate, VERDICT_REFUTED, "0_rows",
            "the write of one of the two changed 0 rows, because its WHERE no longer held");
    } else if (was_complete) {
        judge_together(candidate, &facts);
    } else if (facts.waits != NULL) {
        judge_lock(candidate, &facts);
    } else {
        judge_alone(candidate, &facts);
    }
}
