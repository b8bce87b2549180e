// Reads a case, and compares its statements with the file that they were read from. The fuzz targets of the readers
// use it.
#ifndef TESTS_FUZZ_CASE_CHECK_H
#define TESTS_FUZZ_CASE_CHECK_H

#include "workers/case/case_reader.h"

typedef bool case_check_read(struct case_reader *reader);
typedef void case_check_cases(struct slice file, const struct case_list *list);

// One input of the fuzzer: reads it as a file of that path and checks the cases, or else the problem.
void case_check_input(struct slice file, const char *path, case_check_read *read, case_check_cases *check);
// A problem is one line.
void case_check_problem(const struct text *problem);
// The statement stands in the file, and begins in the line that the instruction names.
void case_check_place(struct slice file, const struct case_instruction *statement);
// The template is the statement: with its variables in psql's notation it gives the text of the file again.
void case_check_template(const struct case_instruction *statement);
// Every piece of code of a file without backslash commands is in one statement of the case, and no other code is.
// Nothing is compared if the file has a backslash, or asks whether a variable is set.
void case_check_code(struct slice file, const struct sql_case *made);

#endif
