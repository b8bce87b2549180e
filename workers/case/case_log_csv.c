// Reads PostgreSQL's csvlog: one record an entry, fields as RFC 4180 quotes them, no header.
// https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG
#include "workers/case/case_log_record.h"

// The fields that are used, and the number of fields. PostgreSQL 14 to 18 write 26, earlier ones fewer.
enum {
    FIELD_DATABASE = 2,
    FIELD_SESSION_ID = 5,
    FIELD_SEVERITY = 11,
    FIELD_MESSAGE = 13,
    FIELD_DETAIL = 14,
    FIELDS_MIN = 23,
    FIELDS_KEPT = 15,
};

struct csv_reader {
    struct case_reader *reader;
    struct slice rest;
    int line;
    struct text fields[FIELDS_KEPT]; // without their quotes
    size_t count;                    // the record has so many fields, kept or not
};

static char take(struct csv_reader *csv) {
    char letter = csv->rest.data[0];
    csv->rest = (struct slice){csv->rest.data + 1, csv->rest.length - 1};
    csv->line += letter == '\n';
    return letter;
}

static bool begins_with(const struct csv_reader *csv, char letter) {
    return csv->rest.length > 0 && csv->rest.data[0] == letter;
}

// The scanner stands behind the opening quote. False: there is no closing quote.
static bool take_quoted(struct csv_reader *csv, struct text *field) {
    while (csv->rest.length > 0) {
        char letter = take(csv);
        if (letter == '"' && !begins_with(csv, '"')) {
            return true;
        }
        if (letter == '"') {
            (void)take(csv);
        }
        if (field != NULL) {
            text_append(field, &letter, 1);
        }
    }
    return false;
}

// Lines may end with CR LF, as where the log was copied from Windows.
static bool is_at_end_of_field(const struct csv_reader *csv) {
    return csv->rest.length == 0 || begins_with(csv, ',') || begins_with(csv, '\n') ||
           (begins_with(csv, '\r') && (csv->rest.length == 1 || csv->rest.data[1] == '\n'));
}

static bool take_field(struct csv_reader *csv) {
    struct text *field = csv->count < FIELDS_KEPT ? &csv->fields[csv->count] : NULL;
    int line = csv->line;
    csv->count++;
    if (begins_with(csv, '"')) {
        (void)take(csv);
        if (!take_quoted(csv, field)) {
            return case_complain(csv->reader, line, "the quoted field that begins here has no closing quote");
        }
        if (!is_at_end_of_field(csv)) {
            return case_complain(csv->reader, csv->line,
                                 "a comma or the end of the line is expected behind the closing quote of a field");
        }
    }
    while (!is_at_end_of_field(csv)) {
        char letter = take(csv);
        if (field != NULL) {
            text_append(field, &letter, 1);
        }
    }
    if (begins_with(csv, '\r')) {
        (void)take(csv);
    }
    return true;
}

static bool take_record(struct csv_reader *csv) {
    csv->count = 0;
    for (size_t i = 0; i < FIELDS_KEPT; i++) {
        text_clear(&csv->fields[i]);
    }
    bool has_more;
    do {
        if (!take_field(csv)) {
            return false;
        }
        has_more = begins_with(csv, ',');
        if (csv->rest.length > 0) {
            (void)take(csv);
        }
    } while (has_more);
    return true;
}

static bool read_records(struct csv_reader *csv, struct log_records *records) {
    while (csv->rest.length > 0) {
        int line = csv->line;
        if (!take_record(csv)) {
            return false;
        }
        bool is_empty_line = csv->count == 1 && csv->fields[0].length == 0;
        if (!is_empty_line && csv->count < FIELDS_MIN) {
            return case_complain(csv->reader, line, "a record of csvlog with %d fields or more is expected, found %zu",
                                 FIELDS_MIN, csv->count);
        }
        struct log_entry entry = {.severity = text_slice(&csv->fields[FIELD_SEVERITY]),
                                  .message = text_slice(&csv->fields[FIELD_MESSAGE]),
                                  .detail = text_slice(&csv->fields[FIELD_DETAIL]),
                                  .session_id = text_slice(&csv->fields[FIELD_SESSION_ID]),
                                  .database = text_slice(&csv->fields[FIELD_DATABASE]),
                                  .line = line};
        if (!log_take_entry(csv->reader, records, &entry)) {
            return false;
        }
    }
    return true;
}

bool log_read_csv(struct case_reader *reader, struct log_records *records) {
    struct csv_reader csv = {.reader = reader, .rest = reader->content, .line = 1};
    bool is_read = read_records(&csv, records);
    for (size_t i = 0; i < FIELDS_KEPT; i++) {
        text_free(&csv.fields[i]);
    }
    return is_read;
}
