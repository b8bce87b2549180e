// Errors as people and programs read them: application/problem+json, RFC 9457. Loop thread.
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include "text.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

// {"type":"about:blank","title":...,"status":...,"detail":...}; `detail` tells the person what to change.
void problem_write(struct text *out, int status, struct slice detail);

#endif
