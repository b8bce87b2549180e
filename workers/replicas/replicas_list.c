// Reads the replicas that are there. Worker threads.
#include "workers/replicas/replicas.h"

#include <stdlib.h>

enum db_status replicas_read(struct db_session *session, struct replica_list *out) {
    *out = (struct replica_list){0};
    enum db_status status = db_execute(session, STATEMENT_READ_REPLICAS, NULL, 0, &out->rows);
    if (status != DB_OK) {
        return status;
    }
    int rows = db_rows_count(&out->rows);
    out->replicas = memory_allocate_zeroed(((size_t)rows + 1) * sizeof *out->replicas);
    for (int row = 0; row < rows; row++) {
        out->settings_version = (uint64_t)db_rows_integer(&out->rows, row, 6);
        out->replicas[out->count++] = (struct replica){
            .name = db_rows_value(&out->rows, row, 0),
            .url = db_rows_value(&out->rows, row, 1),
            .started_at = db_rows_value(&out->rows, row, 2),
            .seen_at = db_rows_value(&out->rows, row, 3),
            .settings_version = (uint64_t)db_rows_integer(&out->rows, row, 4),
            .present = db_rows_value(&out->rows, row, 5)[0] == 't',
        };
    }
    return DB_OK;
}

void replica_list_free(struct replica_list *list) {
    free(list->replicas);
    db_rows_free(&list->rows);
    *list = (struct replica_list){0};
}
