// The log: one line for each event, written with one write(2) to standard error.
// Any thread; lines of different threads never mix. log_configure() is called once, before other threads start.
#ifndef OBSERVABILITY_LOG_LOG_H
#define OBSERVABILITY_LOG_LOG_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_format {
    LOG_FORMAT_TEXT, // HH:MM:SS.mmm LEVEL [bank-api] [transfer id] message      (UTC); a replica: [bank-api name]
    LOG_FORMAT_JSON, // {"timestamp","level","service","transfer_id","trace_id","span_id", the fields,"message"}
};

// The facts of a line as JSON fields beside its message, so that a log search needs no regular expressions. NULL or 0:
// the line has no such field.
struct log_fields {
    const char *event; // one word, such as "deduct"
    const char *account;
    const char *amount; // money is the text of a JSON number
    const char *balance;
    const char *balance_read; // the balance that the transfer acted on, where it is not `balance`
    double duration_ms;
    const char *outcome;
    const char *racer; // the id of the transfer that this one raced with
    const char *idempotency_key;
};

// The transfer and the span that a line belongs to, and its fields. Each pointer may be NULL, and so may the whole
// context.
struct log_context {
    const char *transfer_id;
    const struct trace_context *trace;
    const char *strategy;
    const struct log_fields *fields;
};

// Lines below the level `least` are not written.
void log_configure(enum log_level least, enum log_format format);
// The program's name in each line, instead of bank-api. Called before other threads start. `name` is borrowed.
void log_set_service(const char *name);
MUST_CHECK bool log_enabled(enum log_level level);
// True if the lines of this level are written with their fields. False: a caller need not find out the fields.
MUST_CHECK bool log_shows_fields(enum log_level level);

// Writes one line of valid UTF-8: control characters are escaped, and bytes that are not UTF-8 become U+FFFD. A message
// longer than 1 KiB is cut and ends with "...". errno stays unchanged.
void log_write(enum log_level level, const struct log_context *context, const char *format, ...) PRINTF_LIKE(3, 4);

// Writes a line that belongs to no transfer, with its event and its outcome (or NULL).
#define log_event(level, event_name, event_outcome, ...)                                                               \
    log_write(                                                                                                         \
        (level),                                                                                                       \
        &(struct log_context){.fields = &(struct log_fields){.event = (event_name), .outcome = (event_outcome)}},      \
        __VA_ARGS__)

#endif
