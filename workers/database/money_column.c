// Reads numeric columns as cents. Worker threads.
#include "workers/database/money_column.h"

#include "observability/log/log.h"
#include "workers/database/database.h"
#include "workers/money/money.h"

static bool is_money(bool good, const char *value) {
    if (!good) {
        log_write(LOG_LEVEL_ERROR, NULL, "Database returned \"%s\", which is not an amount of money", value);
    }
    return good;
}

bool money_column_read(const struct db_rows *rows, int row, int column, int64_t *cents) {
    const char *value = db_rows_value(rows, row, column);
    return is_money(money_parse(slice_of(value), cents) == MONEY_PARSED, value);
}

const char *money_column_sum(const struct db_rows *rows, int row, int column) {
    const char *value = db_rows_value(rows, row, column);
    return is_money(money_sum_is_valid(slice_of(value)), value) ? value : NULL;
}
