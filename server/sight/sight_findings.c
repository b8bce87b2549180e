// Findings, their sentences and their JSON.
#include "server/sight/sight_findings.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FINDINGS_MAX = 1000 };

struct entry {
    uint64_t identity;
    struct sight_finding shown; // its texts are those below
    char *database, *table, *row, *sentence, *sql[4];
};

struct findings {
    struct sight_options options;
    struct entry **entries;
    size_t count, most;
    uint64_t dropped;
};

struct findings *findings_new(const struct sight_options *options) {
    struct findings *findings = memory_allocate_zeroed(sizeof *findings);
    findings->options = *options;
    findings->most = options->findings_max != 0 ? options->findings_max : FINDINGS_MAX;
    findings->entries = memory_allocate_zeroed(findings->most * sizeof(struct entry *));
    return findings;
}

static void clear_entry(struct entry *entry) {
    free(entry->database);
    free(entry->table);
    free(entry->row);
    free(entry->sentence);
    for (size_t i = 0; i < 4; i++) {
        free(entry->sql[i]);
    }
}

void findings_free(struct findings *findings) {
    for (size_t i = 0; i < findings->count; i++) {
        clear_entry(findings->entries[i]);
        free(findings->entries[i]);
    }
    free(findings->entries);
    free(findings);
}

// --- Sentences ---

void sight_append_unit(const struct sight_side *side, struct text *out) {
    switch (side->scope) {
    case SIGHT_SCOPE_TRACE: text_append_format(out, "request %s", side->label); return;
    case SIGHT_SCOPE_TRANSACTION: text_append_format(out, "transaction %" PRIu64, side->unit); return;
    case SIGHT_SCOPE_SESSION: text_append_format(out, "the session of backend %" PRIu32, side->backend_pid); return;
    }
    UNREACHABLE("scope");
}

static void append_unit(struct text *out, const struct unit *unit) {
    struct sight_side side = {.unit = unit->id, .scope = unit->scope, .backend_pid = unit->backend_pid};
    memcpy(side.label, unit->label, sizeof side.label);
    sight_append_unit(&side, out);
}

static void append_target(struct text *out, const struct proposal *proposal) {
    text_append_string(out, proposal->table->shown);
    if (proposal->row[0] != '\0') {
        text_append_string(out, " (");
        for (const char *each = proposal->row; *each != '\0'; each++) {
            text_append(out, *each == KEY_SEPARATOR ? ", " : each, *each == KEY_SEPARATOR ? 2 : 1);
        }
        text_append_string(out, ")");
    }
}

// "%1" is the first unit, "%2" the second, "%t" the table and the row.
static void append_pattern(struct text *out, const char *pattern, const struct proposal *proposal) {
    for (const char *each = pattern; *each != '\0'; each++) {
        if (*each != '%') {
            text_append(out, each, 1);
        } else if (*++each == 't') {
            append_target(out, proposal);
        } else {
            append_unit(out, *each == '1' ? proposal->first.unit : proposal->second.unit);
        }
    }
}

// The proxy sees what was read and written, and not why. So no sentence claims that a value was checked.
static const char *pattern_of_one(enum sight_kind kind) {
    switch (kind) {
    case SIGHT_STALE_READ:
        return "%1 read %t without a lock and wrote it later; another transaction may change the row in between.";
    case SIGHT_LOST_UPDATE:
        return "%1 read %t without a lock and replaced its values later; a change that another transaction makes in "
               "between would be lost.";
    case SIGHT_CHECK_LOST:
        return "%1 read %t without a lock and changed it relative to its present value later; if it had checked what "
               "it "
               "read, another transaction may change the row in between, and the WHERE does not check again.";
    case SIGHT_WRITE_SKEW: return "%1 and %2 may each have missed what the other one wrote.";
    case SIGHT_PHANTOM:
        return "%1 looked for rows of %t and inserted one later; another transaction may insert one in between.";
    case SIGHT_LOCK_TOO_LATE:
        return "%1 read %t without a lock, locked it later and wrote it; values of the first read may be outdated.";
    }
    UNREACHABLE("kind");
}

static const char *pattern_of_two(enum sight_kind kind, bool is_mutual) {
    switch (kind) {
    case SIGHT_STALE_READ:
        return is_mutual ? "%1 and %2 had both read %t before either of them committed its change, so the later one "
                           "wrote it after a stale read."
                         : "%1 read %t before %2 had committed a change of it, and then wrote it after that change.";
    case SIGHT_LOST_UPDATE:
        return is_mutual ? "%1 and %2 had both read %t before either of them committed its change, so the later write "
                           "replaced the earlier one."
                         : "%1 read %t before %2 had committed a change of it, and then replaced what %2 had written.";
    case SIGHT_CHECK_LOST:
        return is_mutual
                   ? "%1 and %2 had both read %t before either of them committed its change, so the later one "
                     "changed a value that it had not read: a check of its read does not hold."
                   : "%1 read %t before %2 had committed a change of it, and then changed a value that it had not "
                     "read: a check of its read does not hold.";
    case SIGHT_WRITE_SKEW:
        return "%1 read a row that %2 wrote, and %2 read %t, which %1 wrote: neither saw the other's write.";
    case SIGHT_PHANTOM:
        return is_mutual ? "%1 and %2 had both looked for rows of %t before either of them committed one that it "
                           "inserted."
                         : "%1 looked for rows of %t before %2 committed one that it inserted, and then inserted one "
                           "too.";
    case SIGHT_LOCK_TOO_LATE: return "%1 read %t without a lock, %2 changed it, and %1 locked it only then.";
    }
    UNREACHABLE("kind");
}

static char *sentence_of(const struct proposal *proposal) {
    struct text text = {0};
    bool has_two = proposal->second.unit != NULL;
    append_pattern(&text,
                   has_two ? pattern_of_two(proposal->kind, proposal->is_mutual) : pattern_of_one(proposal->kind),
                   proposal);
    bool of_session = proposal->first.unit->scope == SIGHT_SCOPE_SESSION ||
                      (has_two && proposal->second.unit->scope == SIGHT_SCOPE_SESSION);
    if (has_two && of_session && proposal->level == SIGHT_POSSIBLE) {
        text.length--; // the full stop
        text_append_string(&text, ", if the statements of a session belong together.");
    }
    if (text.data[0] >= 'a' && text.data[0] <= 'z') {
        text.data[0] = (char)(text.data[0] - 'a' + 'A');
    }
    text_append(&text, "", 1);
    return text.data;
}

// --- The list ---

static char *copy_string(const char *string) {
    size_t size = strlen(string) + 1;
    char *copy = memory_allocate(size);
    memcpy(copy, string, size);
    return copy;
}

static void fill_side(struct sight_side *out, const struct side *side, char **sql) {
    sql[0] = copy_string(side->read != NULL ? side->read->sql : "");
    sql[1] = copy_string(side->write != NULL ? side->write->sql : "");
    *out = (struct sight_side){.sql_read = sql[0], .sql_write = sql[1]};
    if (side->unit != NULL) {
        out->unit = side->unit->id;
        out->scope = side->unit->scope;
        memcpy(out->label, side->unit->label, sizeof out->label);
        out->backend_pid = side->unit->backend_pid;
        out->read_ns = side->read_ns;
        out->write_ns = side->write_ns;
    }
}

static char *shown_row(const char *key) {
    struct text text = {0};
    for (const char *each = key; *each != '\0'; each++) {
        text_append(&text, *each == KEY_SEPARATOR ? ", " : each, *each == KEY_SEPARATOR ? 2 : 1);
    }
    text_append(&text, "", 1);
    return text.data;
}

static void fill(struct entry *entry, const struct proposal *proposal) {
    clear_entry(entry);
    entry->database = copy_string(proposal->table->database);
    entry->table = copy_string(proposal->table->shown);
    entry->row = shown_row(proposal->row);
    entry->sentence = sentence_of(proposal);
    struct sight_finding *shown = &entry->shown;
    shown->kind = proposal->kind;
    shown->level = proposal->level;
    shown->by_versions = proposal->by_versions;
    shown->database = entry->database;
    shown->table = entry->table;
    shown->row = entry->row;
    shown->sentence = entry->sentence;
    shown->pair = findings_pair(proposal);
    fill_side(&shown->first, &proposal->first, entry->sql);
    fill_side(&shown->second, &proposal->second, entry->sql + 2);
}

static uint64_t hash_number(uint64_t hash, uint64_t number) {
    char bytes[sizeof number];
    memcpy(bytes, &number, sizeof number);
    return sql_hash(hash, bytes, sizeof bytes);
}

uint64_t findings_pair(const struct proposal *proposal) {
    const struct side *first = &proposal->first;
    uint64_t hash = hash_number(SQL_HASH_START, first->read != NULL ? first->read->fingerprint : 0);
    hash = hash_number(hash, first->write != NULL ? first->write->fingerprint : 0);
    return hash_number(hash, (uintptr_t)proposal->table);
}

static uint64_t identity_of(const struct proposal *proposal) {
    return hash_number(findings_pair(proposal), (uint64_t)proposal->kind);
}

void findings_pass_pattern(const struct findings *findings, const struct proposal *proposal,
                           struct sight_pattern *pattern) {
    const struct side *side = &proposal->first;
    if (findings->options.on_pattern == NULL) {
        return;
    }
    char *row = shown_row(proposal->row);
    pattern->pair = findings_pair(proposal);
    pattern->write = side->write != NULL ? side->write->fingerprint : 0;
    pattern->kind = proposal->kind;
    pattern->scope = side->unit->scope;
    pattern->backend_pid = side->unit->backend_pid;
    pattern->database = proposal->table->database;
    pattern->table = proposal->table->shown;
    pattern->row = row;
    pattern->sql_read = side->read != NULL ? side->read->sql : "";
    pattern->sql_write = side->write != NULL ? side->write->sql : "";
    findings->options.on_pattern(pattern, findings->options.user_data);
    free(row);
}

static void announce(const struct findings *findings, const struct entry *entry) {
    if (findings->options.on_finding != NULL) {
        findings->options.on_finding(&entry->shown, findings->options.user_data);
    }
}

void findings_propose(struct findings *findings, const struct proposal *proposal) {
    uint64_t identity = identity_of(proposal);
    for (size_t i = 0; i < findings->count; i++) {
        struct entry *entry = findings->entries[i];
        if (entry->identity == identity) {
            bool rises = proposal->level > entry->shown.level && proposal->level > SIGHT_POSSIBLE;
            entry->shown.count += proposal->level >= entry->shown.level;
            bool repeats = findings->options.announces_all && proposal->level >= entry->shown.level;
            if (rises || repeats) {
                entry->shown.count = rises ? 1 : entry->shown.count;
                fill(entry, proposal);
                announce(findings, entry);
            }
            return;
        }
    }
    if (findings->count == findings->most) {
        findings->dropped++;
        return;
    }
    struct entry *entry = memory_allocate_zeroed(sizeof *entry);
    entry->identity = identity;
    entry->shown.id = findings->count + 1;
    entry->shown.count = 1;
    fill(entry, proposal);
    findings->entries[findings->count++] = entry;
    announce(findings, entry);
}

void findings_set_level(struct findings *findings, uint64_t id, enum sight_level level) {
    if (id == 0 || id > findings->count || findings->entries[id - 1]->shown.level == SIGHT_PROVED) {
        return;
    }
    struct entry *entry = findings->entries[id - 1];
    bool changes = entry->shown.level != level;
    entry->shown.level = level;
    if (changes) {
        announce(findings, entry);
    }
}

size_t findings_count(const struct findings *findings) {
    return findings->count;
}

const struct sight_finding *findings_at(const struct findings *findings, size_t position) {
    return position < findings->count ? &findings->entries[position]->shown : NULL;
}

uint64_t findings_dropped(const struct findings *findings) {
    return findings->dropped;
}

// --- JSON ---

static void add_side(struct json_writer *json, const char *name, const struct sight_side *side) {
    if (side->unit == 0) {
        json_add_null(json, name);
        return;
    }
    json_open_object(json, name);
    json_add_unsigned(json, "unit", side->unit);
    json_add_string(json, "scope", sight_scope_name(side->scope));
    json_add_string_or_null(json, "label", side->label);
    json_add_unsigned(json, "backend_pid", side->backend_pid);
    json_add_unsigned(json, "read_ns", side->read_ns);
    json_add_unsigned(json, "write_ns", side->write_ns);
    json_add_string_or_null(json, "read", side->sql_read);
    json_add_string_or_null(json, "write", side->sql_write);
    json_close_object(json);
}

static const char *evidence_of(const struct sight_finding *finding) {
    return finding->by_versions ? "row_versions" : finding->second.unit != 0 ? "order" : "pattern";
}

void sight_finding_json(const struct sight_finding *finding, struct json_writer *json, const char *name) {
    json_open_object(json, name);
    json_add_unsigned(json, "id", finding->id);
    json_add_string(json, "kind", sight_kind_name(finding->kind));
    json_add_string(json, "level", sight_level_name(finding->level));
    json_add_string(json, "evidence", evidence_of(finding));
    json_add_string(json, "database", finding->database);
    json_add_string(json, "table", finding->table);
    json_add_string_or_null(json, "row", finding->row);
    json_add_unsigned(json, "count", finding->count);
    json_add_string(json, "sentence", finding->sentence);
    add_side(json, "first", &finding->first);
    add_side(json, "second", &finding->second);
    json_close_object(json);
}

const char *sight_verb_name(enum sight_verb verb) {
    static const char *const names[] = {"other", "select", "insert", "update", "delete"};
    return names[verb];
}

const char *sight_kind_name(enum sight_kind kind) {
    static const char *const names[] = {"stale_read", "lost_update", "check_lost",
                                        "write_skew", "phantom",     "lock_too_late"};
    return names[kind];
}

const char *sight_level_name(enum sight_level level) {
    static const char *const names[] = {"refuted", "possible", "forced", "proved"};
    return names[level];
}

const char *sight_scope_name(enum sight_scope scope) {
    static const char *const names[] = {"trace", "transaction", "session"};
    return names[scope];
}
