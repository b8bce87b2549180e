// Builds array parameters. Any thread.
#include "workers/database/sql_array.h"

#include "workers/money/money.h"

#include <string.h>

void sql_array_add(struct sql_array *array, const char *value) {
    text_append_string(&array->text, array->text.length == 0 ? "{\"" : ",\"");
    for (;;) {
        size_t plain = strcspn(value, "\"\\");
        text_append(&array->text, value, plain);
        value += plain;
        if (*value == '\0') {
            break;
        }
        text_append(&array->text, (const char[]){'\\', *value++}, 2);
    }
    text_append_string(&array->text, "\"");
}

void sql_array_add_money(struct sql_array *array, int64_t cents) {
    char text[MONEY_TEXT_LENGTH];
    money_format(cents, text);
    sql_array_add(array, text);
}

const char *sql_array_end(struct sql_array *array) {
    text_append_string(&array->text, array->text.length == 0 ? "{}" : "}");
    return text_terminated(&array->text);
}
