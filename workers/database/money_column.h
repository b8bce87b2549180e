// Reads numeric columns that hold money. Worker threads.
#ifndef WORKERS_DATABASE_MONEY_COLUMN_H
#define WORKERS_DATABASE_MONEY_COLUMN_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct db_rows;

// Reads one value of an answer as cents. False: it is not an amount of money, such as a NaN; the error was logged.
MUST_CHECK bool money_column_read(const struct db_rows *rows, int row, int column, int64_t *cents);
// Returns a sum over accounts or transfers as decimal text (money_sum_is_valid()), which the rows own. NULL: it is not
// an amount of money; the error was logged.
MUST_CHECK const char *money_column_sum(const struct db_rows *rows, int row, int column);

#endif
