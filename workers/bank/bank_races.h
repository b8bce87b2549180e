// Races, as the views of sql/views.sql derive them from the records: the transfers, their steps, the missed writes and
// the lock waits. Worker threads. The caller owns a list, and the list owns the rows of the answer, which hold its
// texts.
#ifndef WORKERS_BANK_BANK_RACES_H
#define WORKERS_BANK_BANK_RACES_H

#include "workers/bank/bank_reads.h"
#include "workers/transfer/transfer.h"

struct race {
    const char *id;  // the id of its first transfer
    const char *ids; // the ids of its first transfers (views.sql limits their number): a JSON array
    uint64_t transfer_count;
    const char *account;
    const char *at;
    const char *strategies; // a JSON array
    const char *verdict;    // double_spend, lost_update, stale_read, clean
    int64_t lowest_balance; // cents
    uint64_t succeeded, refused;
};

struct race_totals { // since the database was made, or since a reset of the totals
    uint64_t transfers, raced_transfers, double_spends, lost_updates;
    const char *money_drift; // a sum (money.h)
    const char *since;       // the time of that reset, or NULL
};

struct race_list {
    struct race_totals totals;
    size_t count;
    struct race *races; // newest first
    struct db_rows rows;
};

struct race_step {
    const char *transfer_id;
    struct step_view step;
};

struct missed_write {
    const char *stale_reader, *writer;
    int64_t read_at_us, written_at_us; // since 1970
    int64_t value_read, value_written; // cents
    const char *account;
    int64_t committed_by_us;  // the earliest moment by which the write certainly was committed
    bool uncommitted_at_read; // made before the read, and not yet committed
    bool not_replayed;        // made before the read, which was at the standby
};

struct lock_wait {
    const char *waiter, *holder;
    const char *step;
    int64_t from_us, to_us; // since 1970
};

struct race_detail {
    struct race race;
    struct transfer_record_list transfers; // in the order of their first step; none: there is no such transfer
    size_t step_count, missed_count, wait_count;
    struct race_step *steps; // by transfer, in their order
    struct missed_write *missed;
    struct lock_wait *waits;
    struct db_rows race_rows, step_rows, missed_rows, wait_rows;
};

MUST_CHECK enum db_status bank_read_races(struct db_session *session, unsigned limit, struct race_list *out);
// The race that a transfer was in.
MUST_CHECK enum db_status bank_read_race(struct db_session *session, const char *transfer_id, struct race_detail *out);

// The order in which the records were written. The steps of a batch share one time, and this is their order.
int64_t race_detail_seq(const struct race_detail *detail, size_t transfer);

void race_list_free(struct race_list *list);
void race_detail_free(struct race_detail *detail);

#endif
