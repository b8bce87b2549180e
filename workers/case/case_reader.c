// The readers share this: a problem is one line that names the file, the line and what is expected.
#include "workers/case/case_reader.h"

// A text of the file that the message quotes may hold line ends and other control characters: they become blanks.
bool case_complain(struct case_reader *reader, int line, const char *format, ...) {
    struct text *problem = reader->problem;
    text_clear(problem);
    text_append_string(problem, reader->path);
    if (line > 0) {
        text_append_format(problem, ":%d", line);
    }
    text_append_string(problem, ": ");
    va_list arguments;
    va_start(arguments, format);
    text_append_format_list(problem, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < problem->length; i++) {
        if ((unsigned char)problem->data[i] < ' ' || problem->data[i] == '\x7f') {
            problem->data[i] = ' ';
        }
    }
    return false;
}

const char *case_base_name(struct case_memory *memory, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    return case_copy(memory, (struct slice){name, dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name)});
}
