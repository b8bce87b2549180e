// The newest writes of this process to balances, so that the log can name the transfer that a raced one has met.
// A write of another program is not among them. Any thread; nothing is kept while the log has no fields.
#ifndef WORKERS_TRANSFER_RECENT_WRITES_H
#define WORKERS_TRANSFER_RECENT_WRITES_H

#include "workers/transfer/transfer_request.h"

#include <stdbool.h>
#include <stdint.h>

#define WRITE_VERSION_UNKNOWN INT64_C(-1)

// Call it before the statement is sent, and recent_writes_end() with the returned number after its answer. `written`:
// false if it has changed nothing. `version` is the one that the write left, or WRITE_VERSION_UNKNOWN.
MUST_CHECK uint64_t recent_writes_begin(const char *account, const char *transfer_id);
void recent_writes_end(uint64_t number, bool written, int64_t balance, int64_t version);

// Finds the transfer whose write the raced one has missed: the write left this version of the account, or this balance
// if the version is unknown, and its answer came after the raced transfer had arrived. Writes the id to `out`. That
// answer may be on its way, so this function waits for it for at most 2 ms.
MUST_CHECK bool recent_writes_find(const struct transfer_request *raced, const char *account, int64_t balance,
                                   int64_t version, char out[TRANSFER_ID_LENGTH + 1]);

#endif
