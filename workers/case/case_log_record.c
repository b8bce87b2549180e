// Keeps the entries of a log that log_statement = 'all' writes:
//
//     statement: SQL           a simple query, which may have several statements
//     execute NAME: SQL        the extended protocol; the detail is "Parameters: $1 = 'a', $2 = NULL" ("parameters:"
//                              before PostgreSQL 17)
//
// With log_duration or log_min_duration_statement there are "duration: ..." entries of the same statements. They are
// left out: PostgreSQL writes them when a statement ends, and the order of a case is the order in which the statements
// begin.
// "execute fetch from NAME: SQL" reads on from a portal whose statement was logged before.
#include "workers/case/case_log_record.h"
#include "workers/case/case_tokens.h"

// An empty field may have no data, and C allows no sum with a null pointer.
static struct slice behind(struct slice text, size_t length) {
    return length == 0 ? text : (struct slice){text.data + length, text.length - length};
}

// Removes the prefix from the text, if the text begins with it.
static bool skip_prefix(struct slice *text, struct slice prefix) {
    bool begins = slice_starts_with(*text, prefix);
    *text = behind(*text, begins ? prefix.length : 0);
    return begins;
}

// The SQL of a message. False: the message is of another kind.
static bool find_sql(struct slice message, struct slice *sql) {
    *sql = message;
    if (skip_prefix(sql, SLICE_LITERAL("statement: "))) {
        return true;
    }
    if (!skip_prefix(sql, SLICE_LITERAL("execute ")) || slice_starts_with(*sql, SLICE_LITERAL("fetch from "))) {
        return false;
    }
    const char *colon = sql->length > 0 ? memmem(sql->data, sql->length, ": ", 2) : NULL;
    if (colon == NULL) {
        return false;
    }
    *sql = behind(*sql, (size_t)(colon - sql->data) + 2);
    return true;
}

// --- Parameters ---

// Reads a value in single quotes, in which two quotes stand for one.
static bool take_quoted(struct slice *rest, struct text *value) {
    if (!skip_prefix(rest, SLICE_LITERAL("'"))) {
        return false;
    }
    while (rest->length > 0) {
        const char *quote = memchr(rest->data, '\'', rest->length);
        if (quote == NULL) {
            return false;
        }
        size_t length = (size_t)(quote - rest->data);
        text_append(value, rest->data, length);
        *rest = behind(*rest, length + 1);
        if (!skip_prefix(rest, SLICE_LITERAL("'"))) {
            return true;
        }
        text_append_string(value, "'");
    }
    return false;
}

static bool take_parameter(struct case_memory *memory, struct slice *rest, struct log_record *record,
                           const char ***values) {
    struct text prefix = {0};
    text_append_format(&prefix, "%s$%zu = ", record->parameter_count > 0 ? ", " : "", record->parameter_count + 1);
    bool good = skip_prefix(rest, text_slice(&prefix));
    text_free(&prefix);
    if (!good) {
        return false;
    }
    const char **value = case_append(memory, values, &record->parameter_count, sizeof *value);
    if (skip_prefix(rest, SLICE_LITERAL("NULL"))) {
        return true;
    }
    struct text text = {0};
    good = take_quoted(rest, &text);
    *value = case_copy(memory, text_slice(&text));
    text_free(&text);
    return good;
}

static bool read_parameters(struct case_reader *reader, struct slice detail, struct log_record *record) {
    const char **values = NULL;
    if (!skip_prefix(&detail, SLICE_LITERAL("parameters: ")) && !skip_prefix(&detail, SLICE_LITERAL("Parameters: "))) {
        return true;
    }
    while (detail.length > 0) {
        if (!take_parameter(reader->list->memory, &detail, record, &values)) {
            return case_complain(reader, record->line,
                                 "the parameters of the statement cannot be read: $1 = 'value', $2 = NULL is expected");
        }
    }
    record->parameters = values;
    return true;
}

// --- Statements that cannot be run again ---

static bool is_placeholder(const struct case_token *token, struct case_scanner scanner) {
    return case_token_is_symbol(token, '$') && scanner.rest.length > 0 && scanner.rest.data[0] >= '0' &&
           scanner.rest.data[0] <= '9';
}

// PREPARE and CREATE FUNCTION have placeholders of their own.
static bool check_placeholders(struct case_reader *reader, const struct log_record *record) {
    struct case_scanner scanner = {.rest = slice_of(record->sql), .line = 1};
    struct case_token token = case_scan_code(&scanner);
    if (record->parameter_count > 0 || case_token_is(&token, "prepare") || case_token_is(&token, "create")) {
        return true;
    }
    for (; token.kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN; token = case_scan_code(&scanner)) {
        if (is_placeholder(&token, scanner)) {
            return case_complain(reader, record->line,
                                 "the log does not have the values of the statement's parameters: "
                                 "record it with log_parameter_max_length = -1");
        }
    }
    return true;
}

static bool check_copy(struct case_reader *reader, const struct log_record *record) {
    struct case_scanner scanner = {.rest = slice_of(record->sql), .line = 1};
    struct case_token token = case_scan_code(&scanner);
    bool copies = case_token_is(&token, "copy");
    for (; copies && token.kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN; token = case_scan_code(&scanner)) {
        if (case_token_is(&token, "stdin") || case_token_is(&token, "stdout")) {
            return case_complain(reader, record->line,
                                 "COPY with the client cannot be run again: its data is not in the log");
        }
    }
    return true;
}

bool log_take_entry(struct case_reader *reader, struct log_records *records, const struct log_entry *entry) {
    struct slice sql;
    if (!slice_equals(entry->severity, SLICE_LITERAL("LOG")) || entry->session_id.length == 0 ||
        !find_sql(entry->message, &sql)) {
        return true;
    }
    struct case_memory *memory = reader->list->memory;
    struct log_record *record = case_append(memory, &records->items, &records->count, sizeof *record);
    *record = (struct log_record){.session_id = case_copy(memory, entry->session_id),
                                  .database = case_copy(memory, entry->database),
                                  .sql = case_copy(memory, sql),
                                  .line = entry->line,
                                  .number = records->count - 1};
    bool is_extended = slice_starts_with(entry->message, SLICE_LITERAL("execute "));
    return check_copy(reader, record) &&
           (!is_extended || (read_parameters(reader, entry->detail, record) && check_placeholders(reader, record)));
}
