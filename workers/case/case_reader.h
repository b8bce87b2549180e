// The readers of the five kinds of files share this. Private to workers/case.
#ifndef WORKERS_CASE_CASE_READER_H
#define WORKERS_CASE_CASE_READER_H

#include "workers/case/case.h"
#include "workers/case/case_memory.h"

enum {
    CASE_NAMES_MAX = 1000,    // variables or invariants of a file, so that looking for a name stays quick
    CASE_NAME_BYTES_MAX = 63, // a session's, an invariant's or a variable's
};

struct case_reader {
    const char *path;
    struct slice content; // the whole file
    struct case_list *list;
    struct text *problem;
};

// Writes "FILE:LINE: ..." and returns false, so that a reader can end with it.
MUST_CHECK bool case_complain(struct case_reader *reader, int line, const char *format, ...) PRINTF_LIKE(3, 4);

// The file's name without its folder and its suffix.
MUST_CHECK const char *case_base_name(struct case_memory *memory, const char *path);

// Reads the file at reader->path into `content`, which the caller frees, and sets reader->content. False: it cannot be
// read, or is no text in UTF-8, and the problem is written.
MUST_CHECK bool case_load(struct case_reader *reader, struct text *content);

// The readers. Each appends its cases to reader->list. False: the problem is written.
MUST_CHECK bool case_read_spec(struct case_reader *reader);      // case_spec.c
MUST_CHECK bool case_read_sql(struct case_reader *reader);       // case_sql.c
MUST_CHECK bool case_read_hermitage(struct case_reader *reader); // case_hermitage.c
MUST_CHECK bool case_read_log(struct case_reader *reader);       // case_log.c

// One statement of a text that psql would read: see case_statements.c.
struct case_sql_statement {
    struct slice text; // without the semicolon, without leading blanks and comments
    int line;          // the line of its first character
};

// Reads the next statement of psql's SQL from *rest and moves *rest and *line behind it. It knows quotes, dollar
// quotes, nested comments, parentheses and BEGIN ATOMIC. False: there is none; if `problem` is not NULL then the text
// ends inside a quote or a comment, and *problem names what is open.
MUST_CHECK bool case_next_statement(struct slice *rest, int *line, struct case_sql_statement *out,
                                    const char **problem);

#endif
