// Which steps may change places without another outcome. The rules follow PostgreSQL's concurrency control
// (https://www.postgresql.org/docs/current/transaction-iso.html): a plain read does not see the uncommitted write of
// another transaction, but its COMMIT; two writes of a row wait for each other; at REPEATABLE READ all statements read
// the snapshot of the first one; at SERIALIZABLE a read and a write of one row conflict as well.
//
// `--verify` compares what follows from these rules with all orders.
#include "workers/explore/explore_internal.h"

#include <stdlib.h>

// The facts about a step that the rules need.
struct effects {
    const struct explorer *explorer;
    uint8_t session;
    uint16_t began, at;          // its transaction's statements up to this one
    const struct footprint *own; // NULL: the step is only a COMMIT
    bool is_unclear;
    bool ends;           // its transaction ends with it
    bool may_fail;       // an error may end its transaction
    bool takes_snapshot; // it may be the first statement that reads
};

static const struct footprint *statement(const struct explorer *explorer, uint8_t session, uint16_t instruction) {
    return &explorer->footprints[session][instruction];
}

// An UPDATE that matched nothing in this state may match in another one, so what it looked at counts as written.
static bool writes_what_it_reads(const struct explorer *explorer, uint8_t session, uint16_t instruction) {
    const struct case_statement_shape *shape = &explorer->cells[0]->shapes[session][instruction];
    return !shape->is_read_only && !shape->is_simple_insert;
}

static bool has_writes(const struct explorer *explorer, uint8_t session, uint16_t instruction) {
    const struct footprint *footprint = statement(explorer, session, instruction);
    for (size_t i = 0; i < footprint->count; i++) {
        if (footprint->touches[i].writes || writes_what_it_reads(explorer, session, instruction)) {
            return true;
        }
    }
    return false;
}

// Statements of the transaction before this step: they must all be clear, and the first that reads takes the snapshot.
static void look_back(const struct sql_case *explored, struct effects *effects) {
    const struct case_session *program = &explored->sessions[effects->session];
    for (uint16_t i = effects->began; i < effects->at; i++) {
        if (program->instructions[i].operation == CASE_STATEMENT) {
            const struct footprint *each = statement(effects->explorer, effects->session, i);
            const struct case_statement_shape *shape = &effects->explorer->cells[0]->shapes[effects->session][i];
            effects->is_unclear |= !each->was_measured || each->is_unclear || each->misses_texts ||
                                   shape->opens_cursor || shape->is_deferrable;
            effects->takes_snapshot &= each->count == 0;
        }
    }
}

// True if the program has a statement that ends the transaction, at or behind the place.
static bool has_end(const struct explorer *explorer, const struct sql_case *explored, struct step_place step) {
    for (size_t i = step.instruction; i < explored->sessions[step.session].count; i++) {
        if (explorer->cells[0]->shapes[step.session][i].ends_transaction) {
            return true;
        }
    }
    return false;
}

static struct effects effects_of(const struct explorer *explorer, const struct sql_case *explored,
                                 struct step_place step) {
    const struct footprint *footprint = statement(explorer, step.session, step.instruction);
    const struct case_statement_shape *shape = &explorer->cells[0]->shapes[step.session][step.instruction];
    bool is_lone = footprint->is_lone;
    struct effects effects = {
        .explorer = explorer,
        .session = step.session,
        .began = footprint->began,
        .at = step.instruction,
        .own = step.is_commit ? NULL : footprint,
        .is_unclear = !footprint->was_measured || footprint->is_unclear || footprint->misses_texts ||
                      shape->skips_locked || shape->opens_cursor || shape->is_deferrable,
        .ends = step.is_commit ||
                (!step.is_check &&
                 (shape->ends_transaction || (is_lone && !program_splits(explorer, step.session, step.instruction)))),
        // The server may refuse it or choose it as the victim of a deadlock, which ends its transaction.
        .may_fail = !step.is_commit && has_writes(explorer, step.session, step.instruction),
        .takes_snapshot = !step.is_commit,
    };
    effects.is_unclear |= !is_lone && !has_end(explorer, explored, step);
    look_back(explored, &effects);
    return effects;
}

static bool writes(const struct touch *touch, bool reads_count) {
    return touch->writes || touch->locks || touch->indexes || (reads_count && touch->reads && touch->row != ROW_GAP);
}

static bool same_row(const struct touch *one, const struct touch *other) {
    return one->row == other->row || one->row == ROW_ANY || other->row == ROW_ANY;
}

static bool has_unique(const struct explorer *explorer, unsigned table) {
    const struct cell *cell = explorer->cells[0];
    for (size_t i = 0; i < cell->table_count; i++) {
        if (cell->tables[i].oid == table) {
            return cell->tables[i].has_unique;
        }
    }
    return true;
}

// Two writes of one row wait for each other. So do two index entries of which a unique index allows only one.
static bool writes_meet(const struct explorer *explorer, const struct touch *one, const struct touch *other) {
    if (one->table != other->table) {
        return false;
    }
    bool are_inserts = one->row == ROW_NEW && other->row == ROW_NEW && !one->writes && !other->writes;
    if (!are_inserts && same_row(one, other)) {
        return true;
    }
    return (one->indexes || other->indexes) && has_unique(explorer, one->table);
}

// The write changes what a later read finds.
static bool write_is_read(const struct touch *write, const struct touch *read) {
    return read->reads && write->table == read->table &&
           (same_row(write, read) || (read->row == ROW_GAP && write->indexes));
}

static bool any_write_meets(const struct explorer *explorer, const struct footprint *one, bool one_writes_reads,
                            const struct footprint *other, bool other_writes_reads) {
    for (size_t i = 0; i < one->count; i++) {
        for (size_t j = 0; j < other->count; j++) {
            if (writes(&one->touches[i], one_writes_reads) && writes(&other->touches[j], other_writes_reads) &&
                writes_meet(explorer, &one->touches[i], &other->touches[j])) {
                return true;
            }
        }
    }
    return false;
}

static bool any_write_is_read(const struct footprint *writer, bool writes_reads, const struct footprint *reader) {
    for (size_t i = 0; i < writer->count; i++) {
        for (size_t j = 0; j < reader->count; j++) {
            if (writes(&writer->touches[i], writes_reads) && write_is_read(&writer->touches[i], &reader->touches[j])) {
                return true;
            }
        }
    }
    return false;
}

// The transaction that ends with `ender` has written something that the statement writes or, if it sees it, reads.
static bool end_meets(const struct effects *ender, const struct footprint *other, bool other_writes_reads,
                      bool other_sees) {
    for (uint16_t i = ender->began; i <= ender->at; i++) {
        const struct footprint *each = statement(ender->explorer, ender->session, i);
        bool writes_reads = writes_what_it_reads(ender->explorer, ender->session, i);
        if (any_write_meets(ender->explorer, each, writes_reads, other, other_writes_reads) ||
            (other_sees && any_write_is_read(each, writes_reads, other))) {
            return true;
        }
    }
    return false;
}

static bool end_meets_step(const struct sql_case *explored, const struct effects *ender, const struct effects *other,
                           enum case_level level) {
    if (other->own == NULL) {
        return false; // two COMMITs
    }
    bool other_writes_reads = writes_what_it_reads(other->explorer, other->session, other->at);
    bool sees = ender->ends && (level == CASE_READ_COMMITTED || other->takes_snapshot);
    if (end_meets(ender, other->own, other_writes_reads, sees)) {
        return true;
    }
    if (level == CASE_READ_COMMITTED || !sees) {
        return false;
    }
    // The snapshot is for all statements of the transaction.
    for (size_t i = other->at; i < explored->sessions[other->session].count; i++) {
        const struct footprint *each = statement(other->explorer, other->session, (uint16_t)i);
        if (each->was_measured && each->began == other->began && end_meets(ender, each, true, true)) {
            return true;
        }
    }
    return false;
}

// --- SERIALIZABLE ---

// Statements `from` to `to` of a session.
struct part {
    uint8_t session;
    size_t from, to;
};

static bool parts_meet(const struct explorer *explorer, struct part one, struct part other) {
    for (size_t i = one.from; i <= one.to; i++) {
        for (size_t j = other.from; j <= other.to; j++) {
            const struct footprint *a = &explorer->footprints[one.session][i];
            const struct footprint *b = &explorer->footprints[other.session][j];
            if (any_write_meets(explorer, a, true, b, true) || any_write_is_read(a, true, b) ||
                any_write_is_read(b, true, a)) {
                return true;
            }
        }
    }
    return false;
}

// The statements of the transaction so far. If the other step ends a transaction and this one may take the snapshot,
// the order decides which of its statements are concurrent with the one that ends: all of them count.
static struct part done_by(const struct sql_case *explored, const struct effects *effects,
                           const struct effects *against) {
    struct part part = {effects->session, effects->began, effects->at};
    for (size_t i = part.to + 1; against->ends && effects->takes_snapshot && i < explored->sessions[part.session].count;
         i++) {
        const struct footprint *each = statement(effects->explorer, part.session, (uint16_t)i);
        part.to = each->was_measured && each->began == effects->began ? i : part.to;
    }
    return part;
}

// SSI looks for two conflicts in a row, of which the last transaction has committed first. So the order of two
// transactions counts if they meet, or if both meet a third one.
static bool are_related(const struct sql_case *explored, const struct effects *one, const struct effects *other) {
    struct part a = done_by(explored, one, other);
    struct part b = done_by(explored, other, one);
    if (parts_meet(one->explorer, a, b)) {
        return true;
    }
    for (uint8_t i = 0; i < explored->session_count; i++) {
        struct part third = {i, 0, explored->sessions[i].count - 1};
        if (i != a.session && i != b.session && explored->sessions[i].count > 0 &&
            parts_meet(one->explorer, a, third) && parts_meet(one->explorer, b, third)) {
            return true;
        }
    }
    return false;
}

// The transaction only reads, so that SSI refuses none but its own reads. A branch may have left a statement out.
static bool only_reads(const struct sql_case *explored, const struct effects *effects) {
    const struct explorer *explorer = effects->explorer;
    const struct case_session *program = &explored->sessions[effects->session];
    for (size_t i = effects->began; i < program->count; i++) {
        const struct footprint *each = statement(explorer, effects->session, (uint16_t)i);
        if (!each->was_measured || program->instructions[i].operation != CASE_STATEMENT) {
            return false;
        }
        if (each->began == effects->began && has_writes(explorer, effects->session, (uint16_t)i)) {
            return false;
        }
    }
    return true;
}

static bool has_touch(const struct footprint *footprint, const struct touch *touch) {
    for (size_t i = 0; i < footprint->count; i++) {
        if (footprint->touches[i].table == touch->table && footprint->touches[i].row == touch->row) {
            return true;
        }
    }
    return false;
}

// True if the step reads only what its transaction has read before, which adds no conflict.
static bool only_repeats(const struct sql_case *explored, const struct effects *effects) {
    if (effects->own == NULL || effects->own->count == 0 || effects->ends || effects->at == effects->began) {
        return false;
    }
    const struct footprint *before = statement(effects->explorer, effects->session, (uint16_t)(effects->at - 1));
    for (size_t i = 0; i < effects->own->count; i++) {
        if (!has_touch(before, &effects->own->touches[i])) {
            return false;
        }
    }
    return only_reads(explored, effects);
}

static bool steps_conflict_at(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                              struct step_place one, struct step_place other) {
    struct effects a = effects_of(explorer, explored, one);
    struct effects b = effects_of(explorer, explored, other);
    if (a.is_unclear || b.is_unclear) {
        return true;
    }
    if (a.own != NULL && b.own != NULL &&
        any_write_meets(explorer, a.own, writes_what_it_reads(explorer, a.session, a.at), b.own,
                        writes_what_it_reads(explorer, b.session, b.at))) {
        return true;
    }
    if (((a.ends || a.may_fail) && end_meets_step(explored, &a, &b, level)) ||
        ((b.ends || b.may_fail) && end_meets_step(explored, &b, &a, level))) {
        return true;
    }
    return level == CASE_SERIALIZABLE && !only_repeats(explored, &a) && !only_repeats(explored, &b) &&
           are_related(explored, &a, &b);
}

// If statements name levels, the rules of all levels count. The rules of SERIALIZABLE include those of REPEATABLE READ.
bool steps_conflict(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                    struct step_place one, struct step_place other) {
    if (!explorer->mixes_levels) {
        return steps_conflict_at(explorer, explored, level, one, other);
    }
    return steps_conflict_at(explorer, explored, CASE_READ_COMMITTED, one, other) ||
           steps_conflict_at(explorer, explored, CASE_SERIALIZABLE, one, other);
}

bool step_may_wait(const struct explorer *explorer, const struct sql_case *explored, struct step_place step,
                   struct step_place holder) {
    struct effects own = effects_of(explorer, explored, step);
    struct effects other = effects_of(explorer, explored, holder);
    return own.is_unclear || other.is_unclear ||
           (own.own != NULL && end_meets(&other, own.own, writes_what_it_reads(explorer, own.session, own.at), false));
}

// --- How many orders are alike ---

enum { STATES_MAX = 1 << 20 };

struct counting {
    const struct explore_run *run;
    size_t sessions;
    size_t length[CASE_SESSIONS_MAX]; // steps of each session
    size_t *step[CASE_SESSIONS_MAX];  // by session and place: the index in the run
    // By step and session: how many of that session's steps must come before it.
    uint16_t (*needs)[CASE_SESSIONS_MAX];
};

static struct step_place place_of(const struct explore_step *step) {
    return (struct step_place){step->session, step->is_commit, step->is_check, step->instruction};
}

// A session that waits has no next step before the step that lets it go on.
static void find_release(struct counting *counting, size_t blocked) {
    const struct explore_step *steps = counting->run->steps;
    size_t release = steps[blocked].completed == 0 ? 0 : steps[blocked].completed - 1;
    if (release <= blocked) {
        return;
    }
    uint16_t place = 0;
    for (size_t i = 0; i <= release; i++) {
        place = (uint16_t)(place + (steps[i].session == steps[release].session ? 1 : 0));
    }
    for (size_t i = blocked + 1; i < counting->run->step_count; i++) {
        if (steps[i].session == steps[blocked].session) {
            uint16_t *need = &counting->needs[i][steps[release].session];
            *need = MAX(*need, place);
            return;
        }
    }
}

static void find_needs(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                       struct counting *counting) {
    const struct explore_step *steps = counting->run->steps;
    uint16_t done[CASE_SESSIONS_MAX] = {0};
    for (size_t i = 0; i < counting->run->step_count; i++) {
        uint16_t before[CASE_SESSIONS_MAX] = {0};
        for (size_t j = 0; j < i; j++) {
            before[steps[j].session]++;
            struct step_place first = place_of(&steps[j]);
            struct step_place second = place_of(&steps[i]);
            if (steps[j].session != steps[i].session && steps_conflict(explorer, explored, level, first, second)) {
                counting->needs[i][steps[j].session] = before[steps[j].session];
            }
        }
        counting->step[steps[i].session][done[steps[i].session]++] = i;
    }
    for (size_t i = 0; i < counting->run->step_count; i++) {
        find_release(counting, i);
    }
}

static bool may_come_next(const struct counting *counting, const size_t *at, size_t session) {
    if (at[session] == counting->length[session]) {
        return false;
    }
    size_t step = counting->step[session][at[session]];
    for (size_t i = 0; i < counting->sessions; i++) {
        if (i != session && at[i] < counting->needs[step][i]) {
            return false;
        }
    }
    return true;
}

// The number of linear extensions of the order of conflicting steps: a state is how far each session has come.
static uint64_t count_extensions(const struct counting *counting, size_t states) {
    uint64_t *ways = memory_allocate_zeroed(states * sizeof *ways);
    ways[0] = 1;
    for (size_t state = 0; state + 1 < states; state++) {
        size_t at[CASE_SESSIONS_MAX];
        size_t rest = state;
        size_t stride = 1;
        for (size_t i = 0; i < counting->sessions; i++) {
            at[i] = rest % (counting->length[i] + 1);
            rest /= counting->length[i] + 1;
        }
        for (size_t i = 0; i < counting->sessions && ways[state] > 0; i++) {
            if (may_come_next(counting, at, i)) {
                ways[state + stride] = add_orders(ways[state + stride], ways[state]);
            }
            stride *= counting->length[i] + 1;
        }
    }
    uint64_t all = ways[states - 1];
    free(ways);
    return all;
}

uint64_t count_alike(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                     const struct explore_run *run) {
    struct counting counting = {.run = run, .sessions = explored->session_count};
    for (size_t i = 0; i < run->step_count; i++) {
        counting.length[run->steps[i].session]++;
    }
    size_t states = 1;
    for (size_t i = 0; i < counting.sessions; i++) {
        counting.step[i] = memory_allocate_zeroed((counting.length[i] + 1) * sizeof *counting.step[i]);
        states = states > STATES_MAX ? states : states * (counting.length[i] + 1);
    }
    counting.needs = memory_allocate_zeroed((run->step_count + 1) * sizeof *counting.needs);
    find_needs(explorer, explored, level, &counting);
    uint64_t count = states > STATES_MAX ? 1 : count_extensions(&counting, states);
    for (size_t i = 0; i < counting.sessions; i++) {
        free(counting.step[i]);
    }
    free(counting.needs);
    return count;
}

bool find_next_step(const struct explore_run *run, size_t place, uint8_t session, struct step_place *next) {
    for (size_t i = place; i < run->step_count; i++) {
        const struct explore_step *step = &run->steps[i];
        if (step->session == session) {
            *next = place_of(step);
            return true;
        }
    }
    const struct explore_pending *pending = &run->pending[session];
    *next = (struct step_place){session, pending->is_commit, pending->is_check, pending->instruction};
    return pending->is_known;
}

bool next_steps_conflict(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                         const struct explore_run *run, size_t place, uint8_t one, uint8_t other) {
    struct step_place a;
    struct step_place b;
    return !find_next_step(run, place, one, &a) || !find_next_step(run, place, other, &b) ||
           steps_conflict(explorer, explored, level, a, b);
}
