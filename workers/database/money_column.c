// Reads numeric columns as cents. Worker threads.
#include "workers/database/money_column.h"

#include "observability/log/log.h"
#include "workers/database/database.h"
#include "workers/money/money.h"

static bool is_money(enum money_parse_result result, const char *value) {
    if (result != MONEY_PARSED) {
        log_write(LOG_LEVEL_ERROR, NULL, "Database returned \"%s\", which is not an amount of money", value);
    }
    return result == MONEY_PARSED;
}

bool money_column_read(const struct db_rows *rows, int row, int column, int64_t *cents) {
    const char *value = db_rows_value(rows, row, column);
    return is_money(money_parse(slice_of(value), cents), value);
}

bool money_column_read_sum(const struct db_rows *rows, int row, int column, int64_t *cents) {
    const char *value = db_rows_value(rows, row, column);
    return is_money(money_parse_sum(slice_of(value), cents), value);
}
