// The messages of two sessions, as the relay would pass them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "sight_fixture.h"

#include <stdlib.h>

struct sight *sight;
struct sight_session *a, *b;
uint64_t now;
size_t announced;
struct passed passed;
struct outcome outcome;

static void on_finding(const struct sight_finding *finding, void *user_data) {
    (void)user_data;
    announced++;
    assert_non_null(finding->sentence);
}

static void on_pattern(const struct sight_pattern *pattern, void *user_data) {
    (void)user_data;
    passed = (struct passed){passed.count + 1,   pattern->pair,           pattern->write,      pattern->kind,
                             pattern->is_locked, pattern->is_locked_late, pattern->is_guarded, pattern->is_repeatable};
}

static void on_outcome(const struct sight_outcome *ended, void *user_data) {
    (void)user_data;
    outcome = (struct outcome){.count = outcome.count + 1, .statement = ended->fingerprint, .rows = ended->rows};
    memcpy(outcome.sqlstate, ended->sqlstate.data, MIN(ended->sqlstate.length, sizeof outcome.sqlstate - 1));
}

int set_up(void **state) {
    (void)state;
    static const struct sight_column accounts[] = {
        {1, "id", TEXT, true}, {2, "balance", NUMERIC, false}, {3, "version", INT4, false}, {4, "owner", TEXT, false}};
    static const struct sight_column shifts[] = {
        {1, "id", INT4, true}, {2, "day", TEXT, false}, {3, "doctor", TEXT, false}};
    struct sight_options options = {.on_finding = on_finding, .on_pattern = on_pattern, .on_outcome = on_outcome};
    sight = sight_new(&options);
    sight_add_table(sight, "bank", ACCOUNTS, "public", "accounts", accounts, 4);
    sight_add_table(sight, "bank", SHIFTS, "public", "shifts", shifts, 3);
    a = sight_session_open(sight, "bank", 11);
    b = sight_session_open(sight, "bank", 12);
    now = 1;
    announced = 0;
    passed = (struct passed){0};
    outcome = (struct outcome){0};
    return 0;
}

int tear_down(void **state) {
    (void)state;
    sight_session_close(a);
    sight_session_close(b);
    sight_free(sight);
    return 0;
}

// --- The messages of one statement ---

void send_sql(struct sight_session *session, const char *sql) {
    sight_query(session, slice_of(sql), now++);
}

void describe_account(struct sight_session *session) {
    static const struct sight_field fields[] = {{ACCOUNTS, 1, TEXT, 0}, {ACCOUNTS, 2, NUMERIC, 0}};
    sight_row_description(session, fields, 2);
}

void receive_row(struct sight_session *session, const char *id) {
    struct slice values[] = {slice_of(id), SLICE_LITERAL("100.00")};
    sight_data_row(session, values, 2, now++);
}

void end_statement(struct sight_session *session, const char *tag, char status) {
    sight_command_complete(session, slice_of(tag), now++);
    sight_ready(session, status, now++);
}

void run_sql(struct sight_session *session, const char *sql, const char *tag, char status) {
    send_sql(session, sql);
    end_statement(session, tag, status);
}

void begin(struct sight_session *session) {
    run_sql(session, "BEGIN", "BEGIN", 'T');
}

void commit(struct sight_session *session) {
    run_sql(session, "COMMIT", "COMMIT", 'I');
}

void read_account(struct sight_session *session, const char *id, const char *sql) {
    send_sql(session, sql);
    describe_account(session);
    receive_row(session, id);
    end_statement(session, "SELECT 1", 'T');
}

// --- The findings ---

const struct sight_finding *finding_at(size_t position) {
    const struct sight_finding *finding = sight_finding_at(sight, position);
    if (finding == NULL) {
        abort();
    }
    return finding;
}

const struct sight_finding *finding_of(enum sight_kind kind, enum sight_level level) {
    for (size_t i = 0; i < sight_finding_count(sight); i++) {
        const struct sight_finding *finding = finding_at(i);
        if (finding->kind == kind && finding->level == level) {
            return finding;
        }
    }
    return NULL;
}

const struct sight_finding *the_proved(enum sight_kind kind) {
    const struct sight_finding *finding = finding_of(kind, SIGHT_PROVED);
    if (finding == NULL) {
        print_error("no proved %s\n", sight_kind_name(kind));
        abort();
    }
    return finding;
}

size_t count_proved(void) {
    size_t count = 0;
    for (size_t i = 0; i < sight_finding_count(sight); i++) {
        count += finding_at(i)->level == SIGHT_PROVED;
    }
    return count;
}

void race_with(const char *before, const char *write, const char *tag, const char *last, const char *last_tag) {
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(b, before, "UPDATE 1", 'I');
    run_sql(a, write, tag, 'T');
    run_sql(a, last, last_tag, 'I');
}
