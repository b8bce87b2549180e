// The values of a row, for the comparison of what was read with what a write replaced.
#include "server/sight/sight_internal.h"
#include "server/sight/sight_value.h"

int16_t data_row_format(const struct data_row *row, size_t field) {
    if (row->format_count == 0) {
        return row->description->fields[field].format;
    }
    return row->format_count == 1 ? row->formats[0] : field < row->format_count ? row->formats[field] : 0;
}

static bool is_ascii(struct slice text) {
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.data[i] >= 0x80) {
            return false; // the session's encoding may be another one
        }
    }
    return true;
}

// NULL is left out, because a value that was cut is NULL too.
void seen_add(struct seen *seen, size_t *count, const struct table_column *column, struct sight_value value,
              uint32_t type) {
    struct text text = {0};
    bool is_there = *count >= SEEN_MAX;
    for (size_t i = 0; i < *count; i++) {
        is_there |= seen[i].column == column->number;
    }
    if (!is_there && table_column_bit(column) != 0 && value.data.data != NULL &&
        sight_value_append(&text, value, type, column->type) && is_ascii(text_slice(&text))) {
        seen[(*count)++] = (struct seen){column->number, sql_hash(SQL_HASH_START, text.data, text.length)};
    }
    text_free(&text);
}

size_t seen_of_row(const struct data_row *row, const struct table *table, struct seen *seen) {
    size_t seen_count = 0;
    size_t count = MIN(row->count, row->description->count);
    for (size_t i = 0; i < count; i++) {
        const struct sight_field *field = &row->description->fields[i];
        const struct table_column *column = field->table == table->oid ? table_column_numbered(table, field->column)
                                                                       : NULL;
        if (column != NULL) {
            seen_add(seen, &seen_count, column, (struct sight_value){row->values[i], data_row_format(row, i)},
                     field->type);
        }
    }
    return seen_count;
}
