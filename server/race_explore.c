// The program race-explore. server/explorer has its parts.
#include "server/explorer/explorer.h"

int main(int argc, char **argv) {
    return explorer_main(argc, argv);
}
