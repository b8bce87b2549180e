// Columns of the type numeric that hold money. Worker threads.
#ifndef WORKERS_DATABASE_MONEY_COLUMN_H
#define WORKERS_DATABASE_MONEY_COLUMN_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct db_rows;

// A numeric of an answer as cents. False, and a line in the log, if it is no amount of money, such as a NaN that somebody
// stored.
MUST_CHECK bool money_column_read(const struct db_rows *rows, int row, int column, int64_t *cents);
// The same for a sum over accounts or transfers.
MUST_CHECK bool money_column_read_sum(const struct db_rows *rows, int row, int column, int64_t *cents);

#endif
