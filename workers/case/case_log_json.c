// Reads PostgreSQL's jsonlog: an object in each line.
// https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-JSONLOG
#include "workers/case/case_log_record.h"

#include <jansson.h>

static struct slice member(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? (struct slice){json_string_value(value), json_string_length(value)}
                                 : (struct slice){"", 0};
}

static bool is_blank(struct slice line) {
    for (size_t i = 0; i < line.length; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r') {
            return false;
        }
    }
    return true;
}

static bool read_line(struct case_reader *reader, struct log_records *records, struct slice text, int line) {
    json_error_t error;
    json_t *object = json_loadb(text.data, text.length, 0, &error);
    if (!json_is_object(object)) {
        json_decref(object);
        return case_complain(reader, line, "a line of jsonlog is expected, which is a JSON object%s%s",
                             object == NULL ? ": " : "", object == NULL ? error.text : "");
    }
    struct log_entry entry = {.severity = member(object, "error_severity"),
                              .message = member(object, "message"),
                              .detail = member(object, "detail"),
                              .session_id = member(object, "session_id"),
                              .database = member(object, "dbname"),
                              .line = line};
    bool good = log_take_entry(reader, records, &entry);
    json_decref(object);
    return good;
}

bool log_read_json(struct case_reader *reader, struct log_records *records) {
    struct slice rest = reader->content;
    for (int line = 1; rest.length > 0; line++) {
        const char *end = memchr(rest.data, '\n', rest.length);
        struct slice text = {rest.data, end == NULL ? rest.length : (size_t)(end - rest.data)};
        size_t taken = text.length + (end != NULL);
        rest = (struct slice){rest.data + taken, rest.length - taken};
        if (!is_blank(text) && !read_line(reader, records, text, line)) {
            return false;
        }
    }
    return true;
}
