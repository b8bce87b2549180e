// The schema that all sessions work in. Worker threads; db_use_schema() is called before they start.
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <stdio.h>
#include <string.h>

void db_use_schema(struct db *db, const char *schema) {
    db->schema = schema;
}

const char *db_session_wanted_schema(const struct db_session *session) {
    return session->db->schema;
}

void db_session_set_schema(struct db_session *session, const char *schema) {
    struct db *db = session->db;
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    (void)snprintf(db->lab_schema, sizeof db->lab_schema, "%s", schema);
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

void db_session_set_schema_problem(struct db_session *session, const char *words) {
    struct db *db = session->db;
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    text_clear(&db->schema_problem);
    text_append_string(&db->schema_problem, words);
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

enum db_status db_session_work_in(struct db_session *session, const char *schema, bool *has_tables) {
    // Behind a pooler another program may get the backend next, so its search_path must not change for longer.
    const char *values[] = {schema, sql_schema, session->pooled.is_on ? "true" : "false"};
    struct db_rows rows;
    enum db_status status = db_execute(session, STATEMENT_SESSION_SCHEMA, values, 3, &rows);
    if (status == DB_OK) {
        (void)snprintf(session->pooled.schema, sizeof session->pooled.schema, "%s", schema);
        *has_tables = db_rows_value(&rows, 0, 1)[0] == 't';
        db_rows_free(&rows);
    }
    const char *replica[] = {replica_name()};
    if (status == DB_OK && replica[0] != NULL) {
        status = db_execute(session, STATEMENT_SESSION_REPLICA, replica, 1, NULL);
    }
    return status;
}

bool db_lab_schema(struct db *db, char out[static DATABASE_NAME_LENGTH]) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    (void)memcpy(out, db->lab_schema, sizeof db->lab_schema);
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    return out[0] != '\0';
}

enum db_status db_session_enter_schema(struct db_session *session) {
    char schema[DATABASE_NAME_LENGTH];
    bool has_tables = false;
    struct db *db = session->db->primary != NULL ? session->db->primary : session->db;
    enum db_status status = db_lab_schema(db, schema) ? db_session_work_in(session, schema, &has_tables)
                                                      : DB_UNAVAILABLE;
    return status == DB_OK && !has_tables ? DB_UNAVAILABLE : status;
}
