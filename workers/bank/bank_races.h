// The races, typed: which transfers ran into each other, what each did, which write a stale read missed, and who waited
// for whom. All of it derived from the records, by sql/views.sql. Worker threads; lists are owned by the caller.
#ifndef WORKERS_BANK_BANK_RACES_H
#define WORKERS_BANK_BANK_RACES_H

#include "workers/bank/bank_reads.h"
#include "workers/transfer/transfer.h"

struct race {
    char id[TRANSFER_ID_LENGTH + 1]; // the id of its first transfer
    size_t id_count;                 // the number of `ids`: its first transfers, at most RACE_IDS_MAX
    char ids[RACE_IDS_MAX][TRANSFER_ID_LENGTH + 1];
    uint64_t transfer_count;
    char account[ACCOUNT_ID_MAX + 1];
    char at[CLOCK_TIMESTAMP_LENGTH];
    size_t strategy_count;
    char strategies[RACE_STRATEGIES_MAX][STRATEGY_NAME_LENGTH];
    char verdict[24];       // double_spend, lost_update, stale_read, clean
    int64_t lowest_balance; // cents
    uint64_t succeeded, refused;
};

struct race_totals { // since the database was made
    uint64_t transfers, raced_transfers, double_spends, lost_updates;
    int64_t money_drift; // cents
};

struct race_list {
    struct race_totals totals;
    size_t count;
    struct race *races; // newest first
};

struct race_step {
    char transfer_id[TRANSFER_ID_LENGTH + 1];
    struct step_view step;
};

struct missed_write {
    char stale_reader[TRANSFER_ID_LENGTH + 1], writer[TRANSFER_ID_LENGTH + 1];
    int64_t read_at_us, written_at_us; // since 1970
    int64_t value_read, value_written; // cents
    char account[ACCOUNT_ID_MAX + 1];
    int64_t committed_by_us;  // the earliest moment by which the write certainly was committed
    bool uncommitted_at_read; // made before the read, and not yet committed
};

struct lock_wait {
    char waiter[TRANSFER_ID_LENGTH + 1], holder[TRANSFER_ID_LENGTH + 1];
    char step[STEP_NAME_LENGTH];
    int64_t from_us, to_us; // since 1970
};

struct race_detail {
    struct race race;
    struct transfer_record_list transfers; // in the order of their first step; none: there is no such transfer
    size_t step_count, missed_count, wait_count;
    struct race_step *steps; // by transfer, in their order
    struct missed_write *missed;
    struct lock_wait *waits;
};

MUST_CHECK enum db_status bank_read_races(struct db_session *session, unsigned limit, struct race_list *out);
// The race that a transfer was in.
MUST_CHECK enum db_status bank_read_race(struct db_session *session, const char *transfer_id, struct race_detail *out);

void race_list_free(struct race_list *list);
void race_detail_free(struct race_detail *detail);

#endif
