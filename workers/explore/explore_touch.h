// The rows that a statement touches. Private to workers/explore.
#ifndef WORKERS_EXPLORE_EXPLORE_TOUCH_H
#define WORKERS_EXPLORE_EXPLORE_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROW_ANY UINT64_MAX       // the table as a whole
#define ROW_GAP (UINT64_MAX - 1) // a page of an index: the rows that an INSERT could add to what was read
#define ROW_NEW (UINT64_MAX - 2) // a row that the setup did not make

struct touch {
    unsigned table;
    uint64_t row; // page << 16 | line of the version that the setup made, or ROW_ANY, ROW_GAP, ROW_NEW
    bool reads;
    bool locks;   // locks it without a change
    bool writes;  // updates, deletes or locks it; not for an INSERT
    bool indexes; // adds an index entry: an INSERT, or an UPDATE that is not HOT
    int versions; // made or ended by the open transaction so far
};

// The rows that a statement touched in any serial order. In a transaction it includes what the statements before it
// have read: a repeated read takes no new predicate lock.
struct footprint {
    struct touch *touches;
    size_t count;
    bool was_measured;
    bool is_lone;    // it ran as a transaction of its own
    bool is_unclear; // it takes locks that rows do not show, or it is part of different transactions
    uint16_t began;  // the first instruction of its transaction
    // Hashes of the texts that were measured. With another value of a variable the statement may touch other rows.
    uint64_t *texts;
    size_t text_count;
    bool misses_texts; // an order has sent another text
};

#endif
