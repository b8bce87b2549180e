// Unit tests of server/proxy/prove_verdict.c and prove_trace.c: the verdict of a candidate, from the events of a run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/proxy/prove_verdict.h"

enum { PAIR = 7, WRITE = 8, A = 11, B = 12, OTHER = 13 };

static struct candidate candidate;
static uint64_t now;

static void set_up_candidate(void) {
    candidate_fill(&candidate, &(struct sight_pattern){.pair = PAIR,
                                                       .write = WRITE,
                                                       .kind = SIGHT_LOST_UPDATE,
                                                       .table = "public.accounts",
                                                       .row = "alice",
                                                       .sql_read = "SELECT",
                                                       .sql_write = "UPDATE"});
}

static int set_up(void **state) {
    (void)state;
    set_up_candidate();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    candidate_free(&candidate);
    return 0;
}

static void notice(enum hold_news news, enum hold_end end, uint32_t backend, uint32_t waiter, bool is_other) {
    trace_add_notice(&candidate.trace, &(struct hold_notice){news, end, backend, waiter, is_other}, ++now);
}

static void hold_session(uint32_t backend) {
    notice(HOLD_NEWS_HELD, HOLD_COMPLETE, backend, 0, false);
}

static void release(uint32_t backend, enum hold_end end) {
    notice(HOLD_NEWS_RELEASED, end, backend, 0, false);
}

static void statement(uint32_t backend, uint64_t fingerprint, const char *row, uint64_t rows, const char *sqlstate) {
    uint64_t sent = ++now;
    uint64_t done = ++now;
    trace_add_outcome(&candidate.trace, &(struct sight_outcome){.backend_pid = backend,
                                                                .verb = SIGHT_UPDATE,
                                                                .fingerprint = fingerprint,
                                                                .sql = "UPDATE",
                                                                .row = row,
                                                                .tag = SLICE_LITERAL("UPDATE"),
                                                                .sqlstate = slice_of(sqlstate),
                                                                .rows = rows,
                                                                .sent_ns = sent,
                                                                .done_ns = done});
}

static void write_row(uint32_t backend, const char *row, uint64_t rows) {
    statement(backend, WRITE, row, rows, "");
}

static void commit_pair(uint32_t backend) {
    trace_add_pattern(&candidate.trace, &(struct sight_pattern){.pair = PAIR, .backend_pid = backend, .row = "alice"},
                      ++now);
}

static void prove_pair(uint64_t pair) {
    trace_add_finding(&candidate.trace,
                      &(struct sight_finding){
                          .pair = pair,
                          .first = {.unit = 3, .scope = SIGHT_SCOPE_TRANSACTION, .backend_pid = B},
                          .second = {.unit = 31, .scope = SIGHT_SCOPE_TRANSACTION, .backend_pid = A},
                          .sentence = "Transaction 3 missed what transaction 31 wrote; transaction 3 was late.",
                      },
                      ++now);
}

// Both are held, and released together.
static void meet(void) {
    hold_session(A);
    hold_session(B);
    release(A, HOLD_COMPLETE);
    release(B, HOLD_COMPLETE);
}

static void assert_verdict(enum verdict verdict, const char *reason) {
    verdict_judge(&candidate);
    assert_string_equal(candidate.reason, reason);
    assert_int_equal(candidate.verdict, verdict);
    assert_true(candidate.sentence.length > 0);
}

static void test_proof(void **state) {
    (void)state;
    meet();
    prove_pair(PAIR);
    assert_verdict(VERDICT_FORCED, "proved");
    assert_string_equal(text_terminated(&candidate.sentence), "B missed what A wrote; B was late.");
}

static void test_proof_of_another_pair(void **state) {
    (void)state;
    meet();
    prove_pair(PAIR + 1);
    write_row(A, "alice", 1);
    write_row(B, "alice", 0);
    assert_verdict(VERDICT_REFUTED, "0_rows");
}

// The proof counts more than the lock.
static void test_lock_too_late(void **state) {
    (void)state;
    hold_session(A);
    notice(HOLD_NEWS_WAITS, HOLD_COMPLETE, A, B, false);
    release(A, HOLD_PROTECTED);
    commit_pair(A);
    commit_pair(B);
    assert_verdict(VERDICT_REFUTED, "lock");
    candidate.is_locked_late = true;
    assert_verdict(VERDICT_NOT_FORCED, "locked_late");
    prove_pair(PAIR);
    assert_verdict(VERDICT_FORCED, "proved");
}

static void test_both_wrote(void **state) {
    (void)state;
    meet();
    write_row(A, "alice", 1);
    write_row(B, "alice", 1);
    commit_pair(A);
    commit_pair(A); // twice the same session
    assert_verdict(VERDICT_REFUTED, "rolled_back");
    commit_pair(B);
    assert_verdict(VERDICT_FORCED, "both_wrote");
    candidate.is_certain = true; // then there would be a proof
    assert_verdict(VERDICT_REFUTED, "unrelated");
    candidate.is_guarded = true;
    assert_verdict(VERDICT_REFUTED, "guard");
}

static void test_other_rows(void **state) {
    (void)state;
    meet();
    write_row(A, "alice", 1);
    write_row(B, "bob", 1);
    commit_pair(A);
    commit_pair(B);
    assert_verdict(VERDICT_NOT_FORCED, "other_row");
    candidate.is_locked = true; // SKIP LOCKED
    assert_verdict(VERDICT_REFUTED, "lock");
}

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *sqlstate, *reason;
        enum verdict verdict;
    } cases[] = {
        {"40001", "40001", VERDICT_REFUTED},    {"40P01", "40P01", VERDICT_REFUTED},
        {"23505", "23505", VERDICT_REFUTED},    {"55P03", "lock", VERDICT_REFUTED},
        {"22012", "error", VERDICT_NOT_FORCED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        candidate_free(&candidate);
        set_up_candidate();
        meet();
        statement(OTHER, WRITE, "alice", 0, "40001"); // a session that is none of the two
        statement(B, WRITE, "alice", 0, cases[i].sqlstate);
        commit_pair(A);
        commit_pair(B); // after a retry
        assert_verdict(cases[i].verdict, cases[i].reason);
    }
}

static void test_alone(void **state) {
    (void)state;
    statement(A, 1, "", 1, "");
    assert_verdict(VERDICT_NOT_FORCED, "not_reached");
    hold_session(A);
    release(A, HOLD_LIMIT);
    write_row(A, "alice", 1);
    assert_verdict(VERDICT_NOT_FORCED, "no_second");
    statement(B, 1, "", 1, "");
    assert_verdict(VERDICT_NOT_FORCED, "no_second_write");
    notice(HOLD_NEWS_WAITS, HOLD_COMPLETE, A, OTHER, true);
    assert_verdict(VERDICT_NOT_FORCED, "foreign");
    candidate.was_cut_off = true;
    assert_verdict(VERDICT_NOT_FORCED, "time");
}

static void test_client_gives_up(void **state) {
    (void)state;
    hold_session(A);
    release(A, HOLD_LEFT);
    assert_verdict(VERDICT_NOT_FORCED, "cancelled");
}

static void test_full_trace(void **state) {
    (void)state;
    meet();
    for (size_t i = 0; i <= TRACE_EVENTS_MAX; i++) {
        commit_pair(OTHER);
    }
    assert_int_equal(candidate.trace.count, TRACE_EVENTS_MAX);
    assert_verdict(VERDICT_NOT_FORCED, "too_long");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_proof, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_proof_of_another_pair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_too_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_both_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_trace, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
