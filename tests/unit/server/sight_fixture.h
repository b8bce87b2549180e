// Two sessions, two tables, and the messages of their statements, for the tests of sight.
#ifndef TESTS_UNIT_SERVER_SIGHT_FIXTURE_H
#define TESTS_UNIT_SERVER_SIGHT_FIXTURE_H

#include "server/sight/sight.h"

enum { ACCOUNTS = 1000, SHIFTS = 1001, INT4 = 23, TEXT = 25, NUMERIC = 1700 };

extern struct sight *sight;
extern struct sight_session *a, *b;
extern uint64_t now;
extern size_t announced; // calls of on_finding
extern struct passed {   // calls of on_pattern, and the last one
    size_t count;
    uint64_t pair, write;
    enum sight_kind kind;
    bool is_locked, is_locked_late, is_guarded, is_repeatable;
} passed;
extern struct outcome { // calls of on_outcome, and the last one
    size_t count;
    uint64_t statement, rows;
    char sqlstate[6];
} outcome;

#define READ_ALICE "SELECT id, balance FROM accounts WHERE id = 'alice'"
#define SET_ALICE "UPDATE accounts SET balance = 20 WHERE id = 'alice'"
#define DEDUCT_ALICE "UPDATE accounts SET balance = balance - 80 WHERE id = 'alice'"

int set_up(void **state);
int tear_down(void **state);
void send_sql(struct sight_session *session, const char *sql);
void describe_account(struct sight_session *session);
void receive_row(struct sight_session *session, const char *id);
void end_statement(struct sight_session *session, const char *tag, char status);
void run_sql(struct sight_session *session, const char *sql, const char *tag, char status);
void begin(struct sight_session *session);
void commit(struct sight_session *session);
void read_account(struct sight_session *session, const char *id, const char *sql);
const struct sight_finding *finding_at(size_t position);
const struct sight_finding *finding_of(enum sight_kind kind, enum sight_level level);
const struct sight_finding *the_proved(enum sight_kind kind);
size_t count_proved(void);
void race_with(const char *before, const char *write, const char *tag, const char *last, const char *last_tag);

#endif
