// Everything back to the initial state. Worker threads.
#include "workers/bank/bank_reads.h"

#include "sql/statements.h"

#include <stdio.h>
#include <unistd.h>

// Transfers under a wrong strategy lock rows in any order, so PostgreSQL may end a deadlock by failing the reset.
#define RESET_ATTEMPTS_MAX 5
#define RESET_PAUSE_US 5000 // for the transfers of that deadlock

// STATEMENT_RESET_TOTALS runs only if the totals are to begin again.
static const enum statement reset_deleting[] = {
    STATEMENT_BEGIN,          STATEMENT_RESET_LOCK_TABLES, STATEMENT_RESET_LOCK_ADVISORY,
    STATEMENT_RESET_LOCK,     STATEMENT_RESET_LOG,         STATEMENT_RESET_FORGET,
    STATEMENT_RESET_ACCOUNTS, STATEMENT_RESET_TOTALS,      STATEMENT_COUNT};

static const enum statement reset_truncating[] = {STATEMENT_BEGIN,
                                                  STATEMENT_RESET_LOCK_TABLES,
                                                  STATEMENT_RESET_LOCK_ADVISORY,
                                                  STATEMENT_RESET_LOCK,
                                                  STATEMENT_RESET_LOCK_LOG,
                                                  STATEMENT_RESET_KEEP,
                                                  STATEMENT_RESET_TRUNCATE,
                                                  STATEMENT_RESET_FORGET,
                                                  STATEMENT_RESET_ACCOUNTS,
                                                  STATEMENT_RESET_TOTALS,
                                                  STATEMENT_COUNT};

static enum db_status log_has_grown(struct db_session *session, bool *out) {
    struct db_rows rows;
    enum db_status status = db_execute(session, STATEMENT_LOG_HAS_GROWN, NULL, 0, &rows);
    if (status == DB_OK) {
        *out = db_rows_value(&rows, 0, 0)[0] == 't';
        db_rows_free(&rows);
    }
    return status;
}

// Read before the COMMIT: what is answered is the reset, not what came after it.
static enum db_status read_and_commit(struct db_session *session, struct account_list *out, enum reset_doubt *doubt) {
    enum db_status status = bank_read_accounts(session, out);
    if (status == DB_OK) {
        status = db_execute(session, STATEMENT_COMMIT, NULL, 0, NULL);
        if (status == DB_OK) {
            *doubt = db_session_is_unreplicated(session) ? RESET_UNREPLICATED : RESET_CERTAIN;
        } else {
            *doubt = status == DB_CONNECTION_LOST ? RESET_BROKE : *doubt;
            account_list_free(out);
        }
    }
    return status;
}

// Several steps may wait for locks. Together they have the time of the job: a reset that the program itself gave up
// would look like an outage.
static enum db_status run_step(struct db_session *session, enum statement step) {
    if (step == STATEMENT_BEGIN) {
        return db_execute(session, step, NULL, 0, NULL);
    }
    char statement_ms[16];
    char lock_ms[16];
    (void)snprintf(statement_ms, sizeof statement_ms, "%u",
                   db_session_limit_ms(session, 1, DATABASE_STATEMENT_TIMEOUT_MS));
    (void)snprintf(lock_ms, sizeof lock_ms, "%u", db_session_limit_ms(session, 1, DATABASE_LOCK_TIMEOUT_MS));
    const char *values[] = {statement_ms, lock_ms};
    struct db_call calls[] = {
        {.statement = STATEMENT_LIMIT_TIME, .values = values, .value_count = 2},
        {.statement = step},
    };
    return db_execute_all(session, calls, 2);
}

struct reset {
    bool totals;             // the totals begin again as well
    struct account_list out; // the accounts after it
    enum reset_doubt *doubt;
    enum statement last; // the step at which it ended
};

static enum db_status attempt(struct db_session *session, const enum statement *steps, struct reset *reset) {
    enum db_status status = DB_OK;
    for (; status == DB_OK && *steps != STATEMENT_COUNT; steps++) {
        if (*steps != STATEMENT_RESET_TOTALS || reset->totals) {
            reset->last = *steps;
            status = run_step(session, *steps);
        }
    }
    if (status == DB_OK) {
        status = read_and_commit(session, &reset->out, reset->doubt);
    }
    if (status != DB_OK) {
        db_roll_back(session);
    }
    return status;
}

static enum db_status attempt_until_decided(struct db_session *session, const enum statement *steps,
                                            struct reset *reset) {
    enum db_status status = attempt(session, steps, reset);
    for (unsigned attempts = 1; status == DB_CONFLICT && attempts < RESET_ATTEMPTS_MAX; attempts++) {
        (void)usleep(RESET_PAUSE_US);
        status = attempt(session, steps, reset);
    }
    return status;
}

enum db_status bank_reset(struct db_session *session, bool totals, struct account_list *out, enum reset_doubt *doubt) {
    *out = (struct account_list){0};
    bool has_grown = false;
    enum db_status status = log_has_grown(session, &has_grown);
    if (status != DB_OK) {
        return status;
    }
    struct reset reset = {.totals = totals, .last = STATEMENT_BEGIN};
    reset.doubt = doubt;
    status = attempt_until_decided(session, has_grown ? reset_truncating : reset_deleting, &reset);
    // Somebody is at the log, or we may not truncate it.
    if (status != DB_OK && (reset.last == STATEMENT_RESET_LOCK_LOG || reset.last == STATEMENT_RESET_TRUNCATE)) {
        status = attempt_until_decided(session, reset_deleting, &reset);
    }
    *out = reset.out;
    return status;
}
