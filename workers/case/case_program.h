// Builds the instructions of one session: statements, variables, and the branches of \if. Private to workers/case.
// Any thread.
#ifndef WORKERS_CASE_CASE_PROGRAM_H
#define WORKERS_CASE_CASE_PROGRAM_H

#include "workers/case/case_names.h"
#include "workers/case/case_reader.h"

enum {
    CASE_BRANCHES_MAX = 32, // nested \if
};

struct case_program {
    struct case_reader *reader;
    const char *session;
    struct case_names known; // the variables that may be set here
    struct case_instruction *instructions;
    size_t count;
    size_t statement_count;
    struct case_branch {
        int line;
        size_t condition; // the CASE_SKIP_UNLESS that has no target yet; none after \else
        size_t last_skip; // the last CASE_SKIP to \endif; its target is the one before it until \endif is read
        bool has_else;
    } branches[CASE_BRANCHES_MAX];
    size_t depth;
};

// Each function returns false after it has written the problem.
MUST_CHECK bool case_program_check(struct case_program *program, const struct case_template *text, int line);
MUST_CHECK bool case_program_add_statement(struct case_program *program, struct slice sql, struct case_template text,
                                           int line);
// The last statement gets \gset.
void case_program_add_gset(struct case_program *program, struct slice sql, const char *prefix);
MUST_CHECK bool case_program_add_variable(struct case_program *program, enum case_operation operation, const char *name,
                                          struct case_template text, int line);
MUST_CHECK bool case_program_if(struct case_program *program, struct case_template condition, int line);
MUST_CHECK bool case_program_elif(struct case_program *program, struct case_template condition, int line);
// Ends the branch before an \elif, so that what the \elif calculates belongs to it. case_program_elif() follows.
MUST_CHECK bool case_program_begin_elif(struct case_program *program, int line);
MUST_CHECK bool case_program_else(struct case_program *program, int line);
MUST_CHECK bool case_program_endif(struct case_program *program, int line);
MUST_CHECK bool case_program_quit(struct case_program *program, int line);
// The session ends: an \if without \endif, or a session without statements, is an error.
MUST_CHECK bool case_program_end(struct case_program *program, int line);

MUST_CHECK bool case_program_names_level(const struct case_session *session); // a statement does: struct sql_case

// The instructions once more for a session of another name.
MUST_CHECK struct case_instruction *case_program_copy(struct case_memory *memory, const struct case_session *session,
                                                      const char *name);

#endif
