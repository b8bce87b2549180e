// The bank: its accounts, the ledger of its transfers, the races in it, its schema, and its metrics.
#ifndef WORKERS_BANK_BANK_H
#define WORKERS_BANK_BANK_H

#include "workers/bank/bank_audit.h"
#include "workers/bank/bank_metrics.h"
#include "workers/bank/bank_races.h"
#include "workers/bank/bank_reads.h"
#include "workers/bank/bank_schema.h"

#endif
