// The log: composes a line on the stack and writes it with one write(2). Any thread.
// A line has at most PIPE_BUF bytes, so a pipe (standard error of a container) does not mix it with other lines.
#include "observability/log/log.h"

#include "observability/base/base.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define MESSAGE_MAX 1024
#define UTF8_CHARACTER_MAX 4
#define ESCAPED_CHARACTER_MAX 6  // such as \u001b
#define ESCAPED_MESSAGE_MAX 2560 // a message that is longer after escaping is cut
#define TRANSFER_ID_MAX 64
#define ACCOUNT_MAX 64
#define FIELD_MAX 40                      // a word or a number, after escaping
#define FIELDS_MAX (8 * (FIELD_MAX + 20)) // with the names of the fields
#define LINE_MAX_SIZE 4096
#define OTHER_PARTS_MAX 256 // timestamp, field names, trace id and span id

static_assert(LINE_MAX_SIZE <= PIPE_BUF, "a longer line may be torn by a pipe");
static_assert(ESCAPED_MESSAGE_MAX + ESCAPED_CHARACTER_MAX * (TRANSFER_ID_MAX + ACCOUNT_MAX) + FIELDS_MAX +
                      OTHER_PARTS_MAX <=
                  LINE_MAX_SIZE,
              "a line fits its buffer, which must never be grown");

static const char *service = "bank-api";
static atomic_int configured_level = LOG_LEVEL_INFO;
static atomic_int configured_format = LOG_FORMAT_TEXT;

void log_configure(enum log_level least, enum log_format format) {
    atomic_store_explicit(&configured_level, (int)least, memory_order_relaxed);
    atomic_store_explicit(&configured_format, (int)format, memory_order_relaxed);
}

void log_set_service(const char *name) {
    service = name;
}

bool log_enabled(enum log_level level) {
    return (int)level >= atomic_load_explicit(&configured_level, memory_order_relaxed);
}

bool log_shows_fields(enum log_level level) {
    return log_enabled(level) && atomic_load_explicit(&configured_format, memory_order_relaxed) == LOG_FORMAT_JSON;
}

static const char *level_name(enum log_level level) {
    switch (level) {
    case LOG_LEVEL_DEBUG: return "DEBUG";
    case LOG_LEVEL_INFO: return "INFO";
    case LOG_LEVEL_WARN: return "WARN";
    case LOG_LEVEL_ERROR: return "ERROR";
    }
    UNREACHABLE("a log level");
}

static struct slice slice_from(struct slice text, size_t offset) {
    return (struct slice){text.data + offset, text.length - offset};
}

// The control characters of ASCII and of Latin-1 (C2 80 .. C2 9F in UTF-8). Terminals obey both. The last byte of such
// a character is its code point.
static bool is_control(struct slice character) {
    unsigned char last = (unsigned char)character.data[character.length - 1];
    if (character.length == 1) {
        return last < 0x20 || last == 0x7F;
    }
    return character.length == 2 && (unsigned char)character.data[0] == 0xC2 && last < 0xA0;
}

static void append_control(struct text *line, struct slice character) {
    static const char hex[] = "0123456789abcdef";
    unsigned char code = (unsigned char)character.data[character.length - 1];
    char escape[ESCAPED_CHARACTER_MAX] = {'\\', 'u', '0', '0', hex[code >> 4], hex[code & 0xF]};
    if (code == '\n') {
        text_append_string(line, "\\n");
    } else if (code == '\r') {
        text_append_string(line, "\\r");
    } else if (code == '\t') {
        text_append_string(line, "\\t");
    } else {
        text_append(line, escape, sizeof escape);
    }
}

static void append_escaped(struct text *line, struct slice value) {
    while (value.length > 0) {
        struct slice character = {value.data, utf8_character_length(value)};
        if (character.length == 0) {
            text_append_string(line, "\xEF\xBF\xBD"); // U+FFFD
        } else if (is_control(character)) {
            append_control(line, character);
        } else {
            text_append_slice(line, character);
        }
        value = slice_from(value, character.length == 0 ? 1 : character.length);
    }
}

// Returns the longest start of `text` that has whole characters only and stays within both limits.
static struct slice cut(struct slice text, size_t bytes_max, size_t escaped_max) {
    size_t end = 0;
    size_t escaped = 0;
    while (end < text.length) {
        struct slice character = {text.data + end, utf8_character_length(slice_from(text, end))};
        bool as_it_is = character.length > 0 && !is_control(character) && *character.data != '"' &&
                        *character.data != '\\';
        size_t bytes = character.length == 0 ? 1 : character.length;
        escaped += as_it_is ? bytes : ESCAPED_CHARACTER_MAX;
        if (end + bytes > bytes_max || escaped > escaped_max) {
            break;
        }
        end += bytes;
    }
    return (struct slice){text.data, end};
}

static struct slice transfer_id_of(const struct log_context *context) {
    if (context == NULL || context->transfer_id == NULL) {
        return (struct slice){0};
    }
    return cut(slice_of(context->transfer_id), TRANSFER_ID_MAX, SIZE_MAX);
}

static void append_json_field(struct text *line, const char *name, struct slice value) {
    text_append_string(line, line->length == 0 ? "{\"" : ",\"");
    text_append_string(line, name);
    text_append_string(line, "\":");
    text_append_json_string(line, value);
}

static void append_json_word(struct text *line, const char *name, const char *word) {
    if (word != NULL) {
        append_json_field(line, name, cut(slice_of(word), FIELD_MAX, FIELD_MAX));
    }
}

// Money and times are JSON numbers.
static void append_json_number(struct text *line, const char *name, const char *number) {
    if (number != NULL) {
        text_append_string(line, ",\"");
        text_append_string(line, name);
        text_append_string(line, "\":");
        text_append_slice(line, cut(slice_of(number), FIELD_MAX, FIELD_MAX));
    }
}

static void append_fields(struct text *line, const struct log_fields *fields) {
    append_json_word(line, "event", fields->event);
    if (fields->account != NULL) {
        append_json_field(line, "account", cut(slice_of(fields->account), ACCOUNT_MAX, SIZE_MAX));
    }
    append_json_number(line, "amount", fields->amount);
    append_json_number(line, "balance", fields->balance);
    append_json_number(line, "balance_read", fields->balance_read);
    if (fields->duration_ms > 0) {
        char number[FIELD_MAX];
        (void)snprintf(number, sizeof number, "%.3f", fields->duration_ms);
        append_json_number(line, "duration_ms", number);
    }
    append_json_word(line, "outcome", fields->outcome);
    append_json_word(line, "racer", fields->racer);
    if (fields->idempotency_key != NULL) {
        append_json_field(line, "idempotency_key", slice_of(fields->idempotency_key));
    }
}

static void compose_json(struct text *line, enum log_level level, const struct log_context *context,
                         struct slice message) {
    char timestamp[CLOCK_TIMESTAMP_LENGTH];
    clock_format_timestamp(clock_realtime_us(), timestamp);
    append_json_field(line, "timestamp", slice_of(timestamp));
    append_json_field(line, "level", slice_of(level_name(level)));
    append_json_field(line, "service", slice_of(service));
    append_json_word(line, "replica", replica_name());

    struct slice transfer_id = transfer_id_of(context);
    if (transfer_id.length > 0) {
        append_json_field(line, "transfer_id", transfer_id);
    }
    if (context != NULL && context->trace != NULL) {
        char trace_id[TRACE_ID_HEX];
        char span_id[SPAN_ID_HEX];
        trace_context_trace_id(context->trace, trace_id);
        trace_context_span_id(context->trace, span_id);
        append_json_field(line, "trace_id", slice_of(trace_id));
        append_json_field(line, "span_id", slice_of(span_id));
    }
    if (context != NULL) {
        append_json_word(line, "strategy", context->strategy);
    }
    if (context != NULL && context->fields != NULL) {
        append_fields(line, context->fields);
    }
    append_json_field(line, "message", message);
    text_append_string(line, "}\n");
}

static void compose_text(struct text *line, enum log_level level, const struct log_context *context,
                         struct slice message) {
    char timestamp[CLOCK_TIMESTAMP_LENGTH];
    clock_format_timestamp(clock_realtime_us(), timestamp);
    text_append(line, timestamp + sizeof "YYYY-MM-DDT" - 1, sizeof "HH:MM:SS.mmm" - 1);
    text_append_string(line, " ");
    text_append_string(line, level_name(level));
    text_append_string(line, " [");
    text_append_string(line, service);
    if (replica_name() != NULL) {
        text_append_string(line, " ");
        text_append_string(line, replica_name());
    }
    text_append_string(line, "] ");

    struct slice transfer_id = transfer_id_of(context);
    if (transfer_id.length > 0) {
        text_append_string(line, "[");
        append_escaped(line, transfer_id);
        text_append_string(line, "] ");
    }
    append_escaped(line, message);
    text_append_string(line, "\n");
}

// If standard error cannot be written, the rest of the line is dropped: there is no other place to report it.
static void write_line(struct slice line) {
    while (line.length > 0) {
        ssize_t written = write(STDERR_FILENO, line.data, line.length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        line = slice_from(line, (size_t)written);
    }
}

void log_write(enum log_level level, const struct log_context *context, const char *format, ...) {
    if (!log_enabled(level)) {
        return;
    }
    int saved_errno = errno;

    // Room for the limit, for one character that crosses it, and for the NUL. A message that is longer than the limit
    // is therefore longer than MESSAGE_MAX here as well, and cut() below finds it.
    char formatted[MESSAGE_MAX + UTF8_CHARACTER_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(formatted, sizeof formatted, format, arguments);
    va_end(arguments);
    if (wanted < 0) {
        formatted[0] = '\0';
    }

    static const struct slice dots = {"...", 3};
    struct slice whole = slice_of(formatted);
    struct slice message = cut(whole, MESSAGE_MAX, ESCAPED_MESSAGE_MAX - dots.length);
    if (message.length < whole.length) {
        memcpy(formatted + message.length, dots.data, dots.length);
        message.length += dots.length;
    }

    char buffer[LINE_MAX_SIZE];
    struct text line = {buffer, 0, sizeof buffer};
    if (atomic_load_explicit(&configured_format, memory_order_relaxed) == LOG_FORMAT_JSON) {
        compose_json(&line, level, context, message);
    } else {
        compose_text(&line, level, context, message);
    }
    CHECK(line.data == buffer);
    write_line(text_slice(&line));
    errno = saved_errno;
}
