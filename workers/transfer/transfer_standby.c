// The steps of the strategies that read at the standby. A failure there moves no money, and says nothing about the
// primary: it has an outcome of its own. Worker threads.
#include "observability/base/base.h"
#include "workers/database/database.h"
#include "workers/transfer/transfer_events.h"
#include "workers/transfer/transfer_internal.h"

#include <stdio.h>
#include <unistd.h>

#define LSN_LENGTH 24 // "FFFFFFFF/FFFFFFFF", with its NUL and to spare
#define PAUSE_MAX_MS 16

enum transfer_outcome transfer_standby_failed(struct transfer *transfer, enum db_status status) {
    // The primary is not in doubt, so the watch of the database gets no report.
    transfer->result->database = DB_OK;
    switch (status) {
    case DB_CONFLICT:
    case DB_TIMED_OUT:
        transfer->result->standby_problem = "The standby cancelled the read, because it had to replay changes of the "
                                            "primary, or because the read took too long: try again";
        break;
    case DB_FAILED:
        transfer->result->standby_problem = "The standby refused the read, and its message is in the server's log: let "
                                            "the role of BANK_API_STANDBY_URL read the tables";
        break;
    default:
        transfer->result->standby_problem = "The standby is unavailable: try again when it runs and has replayed the "
                                            "lab's tables, or choose a strategy that reads the primary";
        break;
    }
    return TRANSFER_STANDBY_UNAVAILABLE;
}

static enum transfer_outcome standby_is_behind(struct transfer *transfer) {
    transfer->result->standby_problem = "The standby had not replayed the commits of the primary within "
                                        "barrier_timeout_ms: raise it, or lower recovery_min_apply_delay";
    return TRANSFER_STANDBY_UNAVAILABLE;
}

// Every acknowledged commit is before this point: COMMIT answers after the flush.
static enum transfer_outcome find_flushed(struct transfer *transfer, char lsn[static LSN_LENGTH]) {
    struct db_rows rows;
    enum db_status status = transfer_execute(transfer, STATEMENT_FLUSHED_LSN, NULL, 0, &rows);
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    (void)snprintf(lsn, LSN_LENGTH, "%s", db_rows_value(&rows, 0, 0));
    db_rows_free(&rows);
    return TRANSFER_CONTINUE;
}

// PostgreSQL 15 has no statement that waits for a position, so the question is repeated. It is not recorded, because
// the list of statements is short.
static enum transfer_outcome await_replay(struct transfer *transfer, const char *lsn) {
    const struct settings *settings = &transfer->request->settings;
    uint64_t deadline_ns = clock_monotonic_ns() + settings->barrier_timeout_ms * NANOSECONDS_PER_MILLISECOND;
    const char *values[] = {lsn};
    for (unsigned pause_ms = 1;; pause_ms = MIN(pause_ms * 2, PAUSE_MAX_MS)) {
        struct db_rows rows;
        enum db_status status = db_execute_at_standby(transfer->session, false, STATEMENT_HAS_REPLAYED, values, 1,
                                                      &rows);
        if (status != DB_OK) {
            return transfer_standby_failed(transfer, status);
        }
        bool replayed = db_rows_value(&rows, 0, 0)[0] == 't';
        db_rows_free(&rows);
        if (replayed) {
            return TRANSFER_CONTINUE;
        }
        if (clock_monotonic_ns() >= deadline_ns) {
            return standby_is_behind(transfer);
        }
        (void)usleep(pause_ms * 1000);
    }
}

enum transfer_outcome transfer_await_standby(struct transfer *transfer) {
    char lsn[LSN_LENGTH];
    struct step *step = step_add(&transfer->result->steps, STEP_REPLAY, clock_monotonic_ns());
    enum transfer_outcome outcome = find_flushed(transfer, lsn);
    if (outcome == TRANSFER_CONTINUE) {
        transfer_log(transfer, LOG_LEVEL_INFO, LOG_FACTS(.event = "replay_wait"),
                     "Waiting until the standby has replayed %s", lsn);
        outcome = await_replay(transfer, lsn);
    }
    step->ended_ns = clock_monotonic_ns();
    if (outcome == TRANSFER_CONTINUE) {
        transfer_publish_steps(transfer->request, transfer->result);
    }
    return outcome;
}

enum transfer_outcome transfer_apply_remotely(struct transfer *transfer) {
    struct db_rows rows;
    enum db_status status = transfer_execute(transfer, STATEMENT_APPLY_REMOTELY, NULL, 0, &rows);
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    bool has_standby = db_rows_value(&rows, 0, 1)[0] != '\0';
    db_rows_free(&rows);
    if (!has_standby) {
        // Without a name, PostgreSQL accepts the setting and waits for no standby.
        transfer->result->standby_problem = "remote_apply waits for no standby, because synchronous_standby_names is "
                                            "empty at the primary: set it to the standby's application_name";
        return TRANSFER_STANDBY_UNAVAILABLE;
    }
    return TRANSFER_CONTINUE;
}
