// The log: one line an event, written with one write(2) to standard error.
// Any thread; lines of different threads never mix. Configured once, before threads start.
#ifndef OBSERVABILITY_LOG_LOG_H
#define OBSERVABILITY_LOG_LOG_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_format {
    LOG_FORMAT_TEXT, // HH:MM:SS.mmm LEVEL [bank-api] [transfer id] message      (UTC)
    LOG_FORMAT_JSON, // {"timestamp","level","service","transfer_id","trace_id","span_id","message"}
};

// What a line is about. Either pointer may be NULL, and so may the whole context.
struct log_context {
    const char *transfer_id;
    const struct trace_context *trace;
};

void log_configure(enum log_level least, enum log_format format);
MUST_CHECK bool log_enabled(enum log_level level);

// A message is one line of valid UTF-8: control characters are written escaped, other bytes as U+FFFD. Longer than
// 1 KiB: cut, with "..." behind it. errno is left as it was.
void log_write(enum log_level level, const struct log_context *context, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
