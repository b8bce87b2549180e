// The proofs. All of them compare places in the order of the proxy's messages:
//
//   read:   its last row came in at `known`
//   write:  it went out at `sent`, its end came in at `done`, and the message that committed it went out at
//           `commit_sent`
//
// PostgreSQL ran a write between its `sent` and its `done`, and made the row that was read before `known`. So:
//   known < other.commit_sent   the read saw nothing of the other's write, which was not committed then;
//   other.done < commit_sent    ours came later: if it had the row's lock first, the other one would have had to wait
//                               for our commit.
// Both together prove that the unit wrote a row which another unit had changed since. If both units had read the row
// before either write was committed, one of the two did so, and the order of the writes is not needed. Everything else
// that overlaps is only possible. A rolled back write proves nothing; a commit is known by its tag.
#include "server/sight/sight_judge.h"

static struct proposal of_write(enum sight_kind kind, enum sight_level level, const struct write *write) {
    return (struct proposal){
        .kind = kind,
        .level = level,
        .table = write->row->table,
        .row = write->row->key,
        .first = {write->unit, write->known_ns, write->sent_ns, write->known_quote, write->quote},
    };
}

static void add_second(struct proposal *proposal, const struct write *other) {
    proposal->second = (struct side){other->unit, other->known_ns, other->sent_ns, other->known_quote, other->quote};
}

// A pool may have given a session to several requests, so its statements may not belong together.
static bool is_one_unit(const struct write *write) {
    return write->unit->scope != SIGHT_SCOPE_SESSION && !write->known_in_session;
}

// --- One row: stale read, lost update, lost check ---

// The columns of the row that the unit had read and the other unit has set, unless the WHERE checked them again.
static bool is_stale_about(const struct write *stale, const struct write *missed) {
    return (missed->set & stale->known_columns) != 0 && (missed->set & stale->guarded) == 0;
}

static enum sight_kind kind_of(const struct write *write, uint64_t changed) {
    uint64_t about = changed & write->known_columns;
    return (write->absolute & about) != 0   ? SIGHT_LOST_UPDATE
           : (write->relative & about) != 0 ? SIGHT_CHECK_LOST
                                            : SIGHT_STALE_READ;
}

static void judge_stale(struct findings *findings, const struct write *stale, const struct write *missed) {
    bool is_missed = stale->known != 0 && stale->known < missed->commit_sent;
    if (!is_missed || missed->done >= stale->commit_sent || !is_stale_about(stale, missed)) {
        return;
    }
    enum sight_level level = is_one_unit(stale) ? SIGHT_PROVED : SIGHT_POSSIBLE;
    struct proposal proposal = of_write(kind_of(stale, missed->set), level, stale);
    add_second(&proposal, missed);
    findings_propose(findings, &proposal);
}

static void judge_mutual(struct findings *findings, const struct write *write, const struct write *other) {
    bool both_read = write->known != 0 && other->known != 0 && write->known < other->commit_sent &&
                     other->known < write->commit_sent;
    bool is_ordered = other->done < write->commit_sent || write->done < other->commit_sent;
    if (!both_read || is_ordered || !is_stale_about(write, other) || !is_stale_about(other, write)) {
        return;
    }
    const struct write *later = write->done > other->done ? write : other;
    const struct write *earlier = later == write ? other : write;
    enum sight_kind kind = kind_of(later, earlier->set);
    kind = kind == kind_of(earlier, later->set) ? kind : SIGHT_STALE_READ;
    enum sight_level level = is_one_unit(write) && is_one_unit(other) ? SIGHT_PROVED : SIGHT_POSSIBLE;
    struct proposal proposal = of_write(kind, level, later);
    proposal.is_mutual = true;
    add_second(&proposal, earlier);
    findings_propose(findings, &proposal);
}

// The pairs in which a trigger records the write that may be stale are left to judge_version().
static void judge_row(struct findings *findings, const struct write *write) {
    const struct write *other;
    LIST_FOREACH(other, &write->row->writes, of_row) {
        if (other->is_committed && other->unit != write->unit) {
            if (!write->is_versioned) {
                judge_stale(findings, write, other);
            }
            if (!other->is_versioned) {
                judge_stale(findings, other, write);
            }
            if (!write->is_versioned && !other->is_versioned) {
                judge_mutual(findings, write, other);
            }
        }
    }
}

// --- One row, with the records of triggers ---

// Records of a row come in the order of its versions. So every write that was recorded before made an older version,
// and a unit that committed after the read came in has made one that the read did not see.
enum sight_version_verdict judge_version(struct findings *findings, const struct write *write, struct replaced replaced,
                                         bool *order_says) {
    uint64_t newer = replaced.newer & write->known_columns;
    if (write->known == 0 || write->known_columns == 0) {
        return SIGHT_VERSION_UNREAD;
    }
    const struct write *missed = NULL;
    const struct write *other;
    LIST_FOREACH(other, &write->row->writes, of_row) {
        bool is_before = other != write && other->is_recorded && other->unit != write->unit;
        if (is_before && is_stale_about(write, other)) {
            bool is_later = write->known < other->commit_sent;
            *order_says |= is_later && other->done < write->commit_sent;
            missed = missed == NULL && (is_later || (other->set & newer) != 0) ? other : missed;
        }
    }
    if (missed == NULL) {
        bool is_certain = newer == 0 && (write->known_columns & ~replaced.compared & ~write->guarded) == 0;
        return is_certain || (newer & write->guarded) != 0 ? SIGHT_VERSION_FRESH : SIGHT_VERSION_UNKNOWN;
    }
    enum sight_level level = is_one_unit(write) ? SIGHT_PROVED : SIGHT_POSSIBLE;
    struct proposal proposal = of_write(kind_of(write, missed->set), level, write);
    proposal.by_versions = true;
    add_second(&proposal, missed);
    findings_propose(findings, &proposal);
    return level == SIGHT_PROVED ? SIGHT_VERSION_STALE : SIGHT_VERSION_LOOSE;
}

// One unit alone shows the pattern. A condition on a column that the statement sets is a version check or a guard.
static void judge_alone(struct findings *findings, const struct write *write) {
    bool is_safe = (write->guarded & write->set) != 0 || write->known_repeatable || write->unit->takes_other_lock;
    if (write->known == 0 || write->known_columns == 0 || is_safe || write->known_first_locked) {
        return;
    }
    enum sight_kind kind = write->known_locked ? SIGHT_LOCK_TOO_LATE : kind_of(write, UINT64_MAX);
    struct proposal proposal = of_write(kind, SIGHT_POSSIBLE, write);
    findings_propose(findings, &proposal);
}

// --- Two rows: write skew ---

static bool has_written(const struct unit *unit, const struct row *row) {
    const struct write *write;
    LIST_FOREACH(write, &row->writes, of_row) {
        if (write->unit == unit && write->is_committed) {
            return true;
        }
    }
    return false;
}

// A plain read of columns that `write` has set, all of it received before `write` was committed.
static bool missed_write(const struct read *read, const struct write *write) {
    return !read->first_locked && read->last < write->commit_sent && (read->columns & write->set) != 0;
}

// `read` is the other unit's read of the row of `write`. Looks for a row the other way round.
static void judge_skew(struct findings *findings, const struct write *write, const struct read *read) {
    const struct write *other;
    TAILQ_FOREACH(other, &read->unit->writes, of_unit) {
        const struct read *own = other->row->key[0] != '\0' ? history_find_read(write->unit, other->row) : NULL;
        if (own == NULL || !other->is_committed || other->row == write->row || !missed_write(own, other) ||
            has_written(write->unit, other->row)) {
            continue;
        }
        bool is_certain = write->unit->scope != SIGHT_SCOPE_SESSION && read->unit->scope != SIGHT_SCOPE_SESSION;
        struct proposal proposal = of_write(SIGHT_WRITE_SKEW, is_certain ? SIGHT_PROVED : SIGHT_POSSIBLE, write);
        proposal.first.read = own->quote;
        proposal.first.read_ns = own->last_ns;
        proposal.second = (struct side){read->unit, read->last_ns, other->sent_ns, read->quote, other->quote};
        findings_propose(findings, &proposal);
        return;
    }
}

static void judge_readers(struct findings *findings, const struct write *write) {
    const struct read *read;
    LIST_FOREACH(read, &write->row->reads, of_row) {
        if (read->unit != write->unit && missed_write(read, write) && !has_written(read->unit, write->row)) {
            judge_skew(findings, write, read);
        }
    }
}

// --- A table: phantoms ---

// Whether the inserted row certainly satisfies the check.
static bool satisfies(const struct terms *row, const struct terms *check) {
    for (size_t i = 0; i < check->count; i++) {
        bool is_equal = false;
        for (size_t k = 0; k < row->count; k++) {
            is_equal |= row->items[k].column == check->items[i].column && row->items[k].value != NULL &&
                        check->items[i].value != NULL && strcmp(row->items[k].value, check->items[i].value) == 0;
        }
        if (!is_equal) {
            return false;
        }
    }
    return check->is_complete;
}

// Whether the inserted row certainly does not satisfy the check.
static bool contradicts(const struct terms *row, const struct terms *check) {
    for (size_t i = 0; i < check->count; i++) {
        for (size_t k = 0; k < row->count; k++) {
            if (row->items[k].column == check->items[i].column && row->items[k].value != NULL &&
                check->items[i].value != NULL && strcmp(row->items[k].value, check->items[i].value) != 0) {
                return true;
            }
        }
    }
    return false;
}

static const struct check *find_check(const struct write *insert) {
    const struct check *check;
    const struct check *found = NULL;
    TAILQ_FOREACH(check, &insert->unit->checks, of_unit) {
        if (check->table == insert->row->table && check->last < insert->sent) {
            found = check;
        }
    }
    return found;
}

static void propose_phantom(struct findings *findings, enum sight_level level, bool is_mutual,
                            const struct write *insert, const struct check *check, const struct write *other) {
    struct proposal proposal = of_write(SIGHT_PHANTOM, level, insert);
    proposal.is_mutual = is_mutual;
    proposal.first.read = check->quote;
    proposal.first.read_ns = check->last_ns;
    if (other != NULL) {
        add_second(&proposal, other);
    }
    findings_propose(findings, &proposal);
}

static void judge_phantom_pair(struct findings *findings, const struct write *later, const struct write *earlier) {
    const struct check *check = find_check(later);
    const struct check *earlier_check = find_check(earlier);
    if (check == NULL || check->last >= earlier->commit_sent) {
        return;
    }
    bool is_ordered = earlier->done < later->sent;
    bool is_mutual = !is_ordered && earlier_check != NULL && earlier_check->last < later->commit_sent;
    bool is_certain = later->unit->scope != SIGHT_SCOPE_SESSION && satisfies(&earlier->terms, &check->terms);
    if (is_mutual) {
        is_certain = is_certain && earlier->unit->scope != SIGHT_SCOPE_SESSION &&
                     satisfies(&later->terms, &earlier_check->terms);
    }
    if (is_ordered || is_mutual) {
        propose_phantom(findings, is_certain ? SIGHT_PROVED : SIGHT_POSSIBLE, is_mutual, later, check, earlier);
    }
}

static void judge_insert(struct findings *findings, const struct write *insert) {
    const struct check *check = find_check(insert);
    const struct write *other;
    LIST_FOREACH(other, &insert->row->writes, of_row) {
        if (other->is_committed && other->is_insert && other->unit != insert->unit) {
            judge_phantom_pair(findings, insert, other);
            judge_phantom_pair(findings, other, insert);
        }
    }
    if (check != NULL && !insert->unit->takes_other_lock) {
        propose_phantom(findings, SIGHT_POSSIBLE, false, insert, check, NULL);
    }
}

// --- Patterns: whatever was read and then written ---

// The last read of the written row by the unit. If one of the two rows is unknown, any read of the table counts.
static const struct read *find_read(const struct write *write) {
    const struct read *read;
    const struct read *found = NULL;
    TAILQ_FOREACH(read, &write->unit->reads, of_unit) {
        bool may_be_row = read->row == write->row || write->row->key[0] == '\0' || read->row->key[0] == '\0';
        if (read->row->table == write->row->table && may_be_row && read->first < write->sent) {
            found = read;
        }
    }
    return found;
}

// A row that the unit has written already is locked.
static bool is_rewritten(const struct write *write) {
    const struct write *other;
    TAILQ_FOREACH(other, &write->unit->writes, of_unit) {
        if (other != write && other->row == write->row && other->sent < write->sent) {
            return true;
        }
    }
    return false;
}

static void pass_insert(const struct findings *findings, const struct write *insert) {
    const struct check *check = find_check(insert);
    if (check == NULL || contradicts(&insert->terms, &check->terms)) {
        return;
    }
    struct proposal proposal = of_write(SIGHT_PHANTOM, SIGHT_POSSIBLE, insert);
    proposal.first.read = check->quote;
    findings_pass_pattern(findings, &proposal, &(struct sight_pattern){0});
}

// The write leaves every column alone that was read, so it cannot make the same read of another unit stale.
static bool is_unrelated(const struct write *write, uint64_t read_columns) {
    return read_columns != 0 && (write->set & read_columns) == 0;
}

static void pass_pattern(const struct findings *findings, const struct write *write) {
    if (write->is_insert) {
        pass_insert(findings, write);
        return;
    }
    const struct read *read = write->known == 0 ? find_read(write) : NULL;
    if ((write->known == 0 && read == NULL) || is_rewritten(write) ||
        is_unrelated(write, read != NULL ? read->columns : write->known_columns)) {
        return;
    }
    struct sight_pattern pattern = {
        .is_certain = write->known != 0 && write->row->key[0] != '\0' && is_one_unit(write),
        .is_locked = write->known_first_locked,
        .is_locked_late = !write->known_first_locked && write->known_locked,
        .is_guarded = (write->guarded & write->set) != 0,
        .is_repeatable = write->known_repeatable,
    };
    if (read != NULL) {
        pattern.is_locked = read->first_locked;
        pattern.is_locked_late = !read->first_locked && read->is_locked;
        pattern.is_repeatable = read->in_repeatable;
    }
    enum sight_kind kind = pattern.is_locked_late ? SIGHT_LOCK_TOO_LATE : kind_of(write, UINT64_MAX);
    struct proposal proposal = of_write(kind, SIGHT_POSSIBLE, write);
    proposal.first.read = read != NULL ? read->quote : write->known_quote;
    findings_pass_pattern(findings, &proposal, &pattern);
}

void judge_commit(struct findings *findings, const struct transaction_writes *writes) {
    const struct write *write;
    TAILQ_FOREACH(write, writes, of_transaction) {
        pass_pattern(findings, write);
        if (write->row->key[0] == '\0') {
            if (write->is_insert) {
                judge_insert(findings, write);
            }
            continue;
        }
        judge_row(findings, write);
        judge_readers(findings, write);
        judge_alone(findings, write);
    }
}
