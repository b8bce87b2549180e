// Joins findings with the units that they are about.
#include "server/console/record.h"

static bool ran_at(const struct shown_statement *statement, uint64_t ns) {
    return ns != 0 && statement->sent_ns <= ns && (statement->done_ns == 0 || ns <= statement->done_ns);
}

static struct unit *find_unit(struct record *record, const struct found_side *side) {
    struct unit *unit;
    TAILQ_FOREACH(unit, &record->units, link) {
        struct shown_statement *statement;
        bool is_found = false;
        if (unit->backend != side->backend) {
            continue;
        }
        TAILQ_FOREACH(statement, &unit->statements, link) {
            bool reads = ran_at(statement, side->read_ns);
            bool writes = ran_at(statement, side->write_ns);
            statement->in_finding_reads |= reads;
            statement->in_finding_writes |= writes;
            is_found |= writes || (side->write_ns == 0 && reads);
        }
        if (is_found) {
            return unit;
        }
    }
    return NULL;
}

static struct found_units *found_of(struct record *record, uint64_t id) {
    for (size_t i = 0; i < FINDINGS_WITH_UNITS; i++) {
        if (record->found[i].id == id) {
            return &record->found[i];
        }
    }
    struct found_units *free_one = &record->found[record->next_found];
    record->next_found = (record->next_found + 1) % FINDINGS_WITH_UNITS;
    return free_one;
}

static void release_found(struct record *record, struct found_units *found) {
    for (size_t i = 0; i < 2; i++) {
        if (found->units[i] != NULL) {
            record_release_unit(record, found->units[i]);
        }
    }
    *found = (struct found_units){0};
}

const struct found_units *record_find_units(struct record *record, uint64_t id, const char *kind, const char *level,
                                            const struct found_side sides[2]) {
    struct found_units *found = found_of(record, id);
    release_found(record, found);
    found->id = id;
    found->at_us = clock_realtime_us();
    for (size_t i = 0; i < 2; i++) {
        struct unit *unit = sides[i].backend == 0 ? NULL : find_unit(record, &sides[i]);
        found->units[i] = unit;
        if (unit != NULL) {
            unit->references++;
            unit->finding = id;
            unit->kind = kind;
            unit->level = level;
        }
    }
    for (size_t i = 0; i < 2 && found->units[0] != NULL && found->units[1] != NULL; i++) {
        found->units[i]->has_other = true;
        found->units[i]->other = found->units[1 - i]->span;
    }
    return found;
}

const struct found_units *record_found(const struct record *record, uint64_t id) {
    for (size_t i = 0; i < FINDINGS_WITH_UNITS; i++) {
        if (id != 0 && record->found[i].id == id) {
            return &record->found[i];
        }
    }
    return NULL;
}

void record_forget_findings(struct record *record) {
    for (size_t i = 0; i < FINDINGS_WITH_UNITS; i++) {
        release_found(record, &record->found[i]);
    }
}
