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

// --- The record of a trigger ---

static const char *cell_of(const struct sight_row_version *version, int16_t column, bool is_old) {
    for (size_t i = 0; i < version->cell_count; i++) {
        if (version->cells[i].column == column) {
            return is_old ? version->cells[i].old_value : version->cells[i].new_value;
        }
    }
    return NULL;
}

char *version_key(const struct sight_row_version *version, const struct table *table) {
    struct text key = {0};
    bool is_known = table->key_count > 0;
    for (size_t i = 0; is_known && i < table->key_count; i++) {
        const struct table_column *column = &table->columns[table->key[i]];
        const char *cell = cell_of(version, column->number, version->operation != 'I');
        struct sight_value value = {{cell, cell != NULL ? strlen(cell) : 0}, 0};
        is_known = sight_value_append(&key, value, 0, column->type);
        if (is_known && i + 1 < table->key_count) {
            text_append(&key, &(char){KEY_SEPARATOR}, 1);
        }
    }
    text_append(&key, "", 1);
    if (!is_known) {
        key.data[0] = '\0'; // the whole table
    }
    return key.data;
}

static bool is_same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

uint64_t version_changes(const struct sight_row_version *version, const struct table *table) {
    uint64_t changed = 0;
    if (version->operation != 'U') {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < version->cell_count; i++) {
        const struct sight_cell *cell = &version->cells[i];
        if (!is_same_text(cell->old_value, cell->new_value)) {
            changed |= table_column_bit(table_column_numbered(table, cell->column));
        }
    }
    return changed;
}
