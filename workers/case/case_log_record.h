// The statements of a log, in the order of the log. Private to workers/case. Any thread.
//
// case_log_csv.c and case_log_json.c read the fields of each line; case_log_record.c keeps the lines that log_statement
// = 'all' writes; case_log.c makes sessions of them.
#ifndef WORKERS_CASE_CASE_LOG_RECORD_H
#define WORKERS_CASE_CASE_LOG_RECORD_H

#include "workers/case/case_reader.h"

// The fields of one entry of the log. A field that the entry does not have is empty.
struct log_entry {
    struct slice severity;
    struct slice message;
    struct slice detail;
    struct slice session_id; // the start of the backend and its pid
    struct slice database;
    int line;
};

struct log_record {
    const char *session_id;
    const char *database;
    const char *sql;
    int line;
    const char *const *parameters; // NULL: the statement has none
    size_t parameter_count;
    size_t number; // in the order of the log, from 0
    // The place of a step in the case.
    bool is_step;
    size_t session;
    size_t instruction;
};

struct log_records {
    struct log_record *items;
    size_t count;
};

// Keeps the entry if it is a statement that a client sent. False: it is one that cannot be run again.
MUST_CHECK bool log_take_entry(struct case_reader *reader, struct log_records *records, const struct log_entry *entry);

MUST_CHECK bool log_read_csv(struct case_reader *reader, struct log_records *records);  // case_log_csv.c
MUST_CHECK bool log_read_json(struct case_reader *reader, struct log_records *records); // case_log_json.c

#endif
