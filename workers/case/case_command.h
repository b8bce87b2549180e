// A backslash command of psql. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_COMMAND_H
#define WORKERS_CASE_CASE_COMMAND_H

#include "workers/case/case_reader.h"
#include "workers/case/case_tokens.h"

enum case_command_kind {
    CASE_COMMAND_IGNORED, // cannot change a result
    CASE_COMMAND_CONNECT, // ignored outside of sessions
    CASE_COMMAND_SET,     // name, value
    CASE_COMMAND_GSET,    // prefix
    CASE_COMMAND_SEND,    // \g: ends the statement as a semicolon does
    CASE_COMMAND_IF,      // condition
    CASE_COMMAND_ELIF,    // condition
    CASE_COMMAND_ELSE,    //
    CASE_COMMAND_ENDIF,   //
    CASE_COMMAND_QUIT,    //
};

struct case_command {
    enum case_command_kind kind;
    const char *name; // without the backslash
    int line;
    const char *word;           // \set: the variable; \gset: the prefix or ""
    struct case_template value; // \set: the value; \if and \elif: the condition
};

// Reads the command behind a backslash, with its arguments, to the end of the line or to the next backslash. False: the
// command is refused, and the problem says what to write instead.
MUST_CHECK bool case_command_read(struct case_reader *reader, struct case_scanner *scanner,
                                  struct case_command *command);

#endif
