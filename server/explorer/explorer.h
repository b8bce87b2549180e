// The program race-explore: its options, its reports, its exit status. `race-explore --help` describes them.
#ifndef SERVER_EXPLORER_EXPLORER_H
#define SERVER_EXPLORER_EXPLORER_H

// Exit status: 0 complete and clean; 1 an anomaly, a broken invariant or a new error; 2 the case or an option is wrong;
// 3 not complete; 4 the database cannot be used.
int explorer_main(int argc, char **argv);

#endif
