// Frees the units that nobody refers to any more.
#include "server/console/record.h"

#include <stdlib.h>

void record_release_unit(struct record *record, struct unit *unit) {
    if (--unit->references > 0) {
        return;
    }
    struct shown_statement *statement;
    while ((statement = TAILQ_FIRST(&unit->statements)) != NULL) {
        TAILQ_REMOVE(&unit->statements, statement, link);
        record->bytes -= sizeof *statement + strlen(statement->sql) + 1;
        free(statement);
    }
    record->bytes -= sizeof *unit;
    free(unit);
}
