// The permutations of a .spec: orders of its steps, with conditions. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_SPEC_ORDERS_H
#define WORKERS_CASE_CASE_SPEC_ORDERS_H

#include "workers/case/case_spec_scan.h"

// The steps of a file by their names, and the permutation that is being read.
struct spec_steps {
    struct spec_step {
        struct slice name;
        size_t session;
        size_t instruction;
        int line;
        size_t last_order; // the number, from 1, of the last permutation that uses the step
    } * items;             // sorted by name
    size_t count;
    size_t places; // all permutations together have so many steps and conditions
};

// Collects the steps of all sessions. False: a name is used twice, and the problem is written.
MUST_CHECK bool spec_collect_steps(struct case_reader *reader, const struct sql_case *made, struct spec_steps *steps);

// Reads "permutation STEP ...": the scanner stands at the keyword.
MUST_CHECK bool spec_read_permutation(struct spec_scanner *scanner, struct spec_steps *steps, struct sql_case *made);

#endif
