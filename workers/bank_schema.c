// Asks for the schema, and makes it if need be. Worker threads.
#include "bank_schema.h"

static enum db_status schema_is_there(struct db_session *session, const char *scripts, bool *there) {
    struct db_rows rows;
    enum db_status status = db_execute(session, STATEMENT_SCHEMA_IS_THERE, &scripts, 1, &rows);
    if (status == DB_OK) {
        *there = db_rows_value(&rows, 0, 0)[0] == 't';
        db_rows_free(&rows);
    }
    return status;
}

static enum db_status mark_schema(struct db_session *session, const char *scripts) {
    struct db_rows marks;
    enum db_status status = db_execute(session, STATEMENT_SCHEMA_MARKS, &scripts, 1, &marks);
    if (status != DB_OK) {
        return status;
    }
    for (int row = 0; row < db_rows_count(&marks) && status == DB_OK; row++) {
        status = db_execute_script(session, db_rows_value(&marks, row, 0));
    }
    db_rows_free(&marks);
    return status;
}

// One transaction, in which the scripts' own lock lets one server in at a time.
static enum db_status make_schema(struct db_session *session, const char *scripts) {
    enum db_status status = db_execute(session, STATEMENT_BEGIN, NULL, 0, NULL);
    if (status == DB_OK) {
        status = db_execute_script(session, scripts);
    }
    if (status == DB_OK) {
        status = mark_schema(session, scripts);
    }
    return status == DB_OK ? db_execute(session, STATEMENT_COMMIT, NULL, 0, NULL) : status;
}

static enum db_status ensure_schema(struct db_session *session, const char *scripts) {
    bool there = false;
    enum db_status status = schema_is_there(session, scripts, &there);
    if (status == DB_OK && !there) {
        status = make_schema(session, scripts);
    }
    return status == DB_OK ? db_execute_script(session, sql_seed) : status;
}

enum db_status bank_ensure_schema(struct db_session *session) {
    struct text scripts = {0};
    text_append_string(&scripts, sql_schema);
    text_append_string(&scripts, sql_views);
    enum db_status status = ensure_schema(session, text_terminated(&scripts));
    text_free(&scripts);
    if (status != DB_OK) {
        db_session_close(session); // rolls back what was begun
    }
    return status;
}
