// Looks for the schema, and makes it if it is not there. Worker threads.
//   bank_ensure_schema > find_schema > make_schema, if need be: prepare > run_scripts > mark
#include "workers/bank/bank_schema.h"

#include "observability/log/log.h"
#include "workers/limits.h"

#include <stdio.h>
#include <string.h>

#define OTHER_PLACE "name another database in DATABASE_URL, or a schema of the lab's own in BANK_API_SCHEMA"

struct schema {
    struct db_session *session;
    struct text scripts; // schema.sql and views.sql
    char name[DATABASE_NAME_LENGTH];
    struct text refusal; // see db_session_set_schema_problem()
};

static enum db_status refuse(struct schema *schema, const char *reason, const char *advice) {
    text_append_string(&schema->refusal, reason);
    text_append_string(&schema->refusal, advice);
    return DB_UNAVAILABLE;
}

static enum db_status run(const struct schema *schema, enum statement statement) {
    return db_execute(schema->session, statement, NULL, 0, NULL);
}

// A statement whose parameters are the scripts and the schema's name.
static enum db_status ask(struct schema *schema, enum statement statement, struct db_rows *rows) {
    const char *values[] = {text_terminated(&schema->scripts), schema->name};
    return db_execute(schema->session, statement, values, 2, rows);
}

// As ask(); runs the statements that come back, a row each.
static enum db_status ask_and_run(struct schema *schema, enum statement statement) {
    struct db_rows rows;
    enum db_status status = ask(schema, statement, &rows);
    if (status != DB_OK) {
        return status;
    }
    for (int row = 0; row < db_rows_count(&rows) && status == DB_OK; row++) {
        status = db_execute_script(schema->session, db_rows_value(&rows, row, 0));
    }
    db_rows_free(&rows);
    return status;
}

static enum db_status read_home(struct schema *schema, const struct db_rows *rows) {
    struct text reason = {0};
    enum db_status status = DB_OK;
    if (db_rows_is_null(rows, 0, 0)) {
        text_append_format(&reason, "the search_path (%s) has no schema that the role may use",
                           db_rows_value(rows, 0, 2));
        status = refuse(schema, text_terminated(&reason), "; " OTHER_PLACE);
    } else if (!db_rows_is_null(rows, 0, 1)) {
        text_append_format(&reason, "%s is in another schema of the search_path (%s) than the lab's tables (%s)",
                           db_rows_value(rows, 0, 1), db_rows_value(rows, 0, 2), db_rows_value(rows, 0, 0));
        status = refuse(schema, text_terminated(&reason), "; " OTHER_PLACE);
    } else {
        (void)snprintf(schema->name, sizeof schema->name, "%s", db_rows_value(rows, 0, 0));
    }
    text_free(&reason);
    return status;
}

// By the search_path that the role, the database or the URL sets, not by one that an earlier look has left.
static enum db_status find_home(struct schema *schema) {
    const char *wanted = db_session_wanted_schema(schema->session);
    if (wanted != NULL) {
        (void)snprintf(schema->name, sizeof schema->name, "%s", wanted);
        return DB_OK;
    }
    enum db_status status = run(schema, STATEMENT_SCHEMA_PATH_RESET);
    struct db_rows rows;
    const char *values[] = {text_terminated(&schema->scripts)};
    if (status == DB_OK) {
        status = db_execute(schema->session, STATEMENT_SCHEMA_HOME, values, 1, &rows);
    }
    if (status == DB_OK) {
        status = read_home(schema, &rows);
        db_rows_free(&rows);
    }
    return status;
}

static enum db_status is_there(struct schema *schema, bool *there) {
    struct db_rows rows;
    enum db_status status = ask(schema, STATEMENT_SCHEMA_IS_THERE, &rows);
    if (status != DB_OK) {
        return status;
    }
    *there = db_rows_value(&rows, 0, 0)[0] == 't';
    if (*there && !db_rows_is_null(&rows, 0, 1)) {
        struct text reason = {0};
        text_append_format(&reason, "role %s lacks %s in schema %s", db_rows_value(&rows, 0, 2),
                           db_rows_value(&rows, 0, 1), schema->name);
        status = refuse(schema, text_terminated(&reason), ": GRANT it, or name another role in DATABASE_URL");
        text_free(&reason);
    }
    db_rows_free(&rows);
    return status;
}

// The tables as they are against the tables as schema.sql makes them, for which it makes temporary ones for a moment.
static enum db_status find_differences(struct schema *schema, struct db_rows *rows) {
    enum db_status status = run(schema, STATEMENT_SCHEMA_REFERENCE_BEGIN);
    status = status == DB_OK ? run(schema, STATEMENT_SCHEMA_REFERENCE_PATH) : status;
    status = status == DB_OK ? db_execute_script(schema->session, sql_schema) : status;
    status = status == DB_OK ? ask(schema, STATEMENT_SCHEMA_DIFFERENCES, rows) : status;
    if (status == DB_OK) {
        status = run(schema, STATEMENT_SCHEMA_REFERENCE_END);
        if (status != DB_OK) {
            db_rows_free(rows);
        }
    }
    return status;
}

// Refuses what is not the lab's before anything is changed; then alters the tables of older versions.
static enum db_status prepare(struct schema *schema) {
    struct db_rows rows;
    enum db_status status = find_differences(schema, &rows);
    if (status != DB_OK) {
        return status;
    }
    int count = db_rows_count(&rows);
    if (count > 0 && db_rows_is_null(&rows, 0, 0)) {
        status = refuse(schema, db_rows_value(&rows, 0, 1), "; " OTHER_PLACE);
    }
    for (int row = 0; row < count && status == DB_OK; row++) {
        status = db_execute_script(schema->session, db_rows_value(&rows, row, 0));
    }
    db_rows_free(&rows);
    return status;
}

static bool columns_differ(const char *sqlstate) {
    return strcmp(sqlstate, "42P16") == 0 || strcmp(sqlstate, "42P13") == 0; // invalid_table_, _function_definition
}

static enum db_status run_scripts(struct schema *schema) {
    enum db_status status = db_execute_script(schema->session, sql_schema);
    status = status == DB_OK ? run(schema, STATEMENT_SCHEMA_VIEWS_BEGIN) : status;
    status = status == DB_OK ? db_execute_script(schema->session, sql_views) : status;
    if (status != DB_OK && columns_differ(db_session_sqlstate(schema->session))) {
        status = run(schema, STATEMENT_SCHEMA_VIEWS_UNDO);
        status = status == DB_OK ? ask_and_run(schema, STATEMENT_SCHEMA_VIEW_DROPS) : status;
        status = status == DB_OK ? db_execute_script(schema->session, sql_views) : status;
    }
    return status;
}

// The marks must be true: if the scripts and the steps did not make the tables as they must be, nothing is kept.
static enum db_status mark(struct schema *schema) {
    struct db_rows rows;
    enum db_status status = find_differences(schema, &rows);
    if (status != DB_OK) {
        return status;
    }
    if (db_rows_count(&rows) > 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "The schema is not as it must be after all steps: %s",
                  db_rows_value(&rows, 0, db_rows_is_null(&rows, 0, 0) ? 1 : 0));
        status = DB_FAILED;
    }
    db_rows_free(&rows);
    return status == DB_OK ? ask_and_run(schema, STATEMENT_SCHEMA_MARKS) : status;
}

// One transaction, in which an advisory lock lets one server in at a time; it may have waited for one that did it all.
static enum db_status make_schema(struct schema *schema) {
    bool there = false;
    db_session_allow(schema->session, SCHEMA_TIMEOUT_MS);
    enum db_status status = run(schema, STATEMENT_BEGIN);
    status = status == DB_OK ? run(schema, STATEMENT_SCHEMA_LOCK) : status;
    status = status == DB_OK ? is_there(schema, &there) : status;
    if (status == DB_OK && !there) {
        status = prepare(schema);
        status = status == DB_OK ? run_scripts(schema) : status;
        status = status == DB_OK ? mark(schema) : status;
    }
    return status == DB_OK ? run(schema, STATEMENT_COMMIT) : status;
}

static enum db_status ensure(struct schema *schema) {
    bool there = false;
    enum db_status status = find_home(schema);
    if (status == DB_OK) {
        status = db_session_work_in(schema->session, schema->name, &there);
    }
    status = status == DB_OK ? is_there(schema, &there) : status;
    if (status == DB_OK && !there) {
        status = make_schema(schema);
        status = status == DB_OK ? is_there(schema, &there) : status; // the role may not be the owner
    }
    return status == DB_OK ? db_execute_script(schema->session, sql_seed) : status;
}

// A statement failed. If it will fail again (a privilege is missing, other objects are in the way, data do not fit),
// the reason becomes the database's problem. Otherwise it is only logged.
static enum db_status explain_failure(struct schema *schema, enum db_status status) {
    // Not supported, data, constraints, dependent objects, schema names, privileges and definitions.
    static const char *const lasting[] = {"0A", "22", "23", "2B", "3F", "42"};
    const char *sqlstate = db_session_sqlstate(schema->session);
    struct text reason = {0};
    text_append_format(&reason, "the lab's tables cannot be made or used in schema %s: %s (%s)",
                       schema->name[0] == '\0' ? "(none)" : schema->name, db_session_words(schema->session), sqlstate);
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        if (strncmp(sqlstate, lasting[i], 2) == 0) {
            status = refuse(schema, text_terminated(&reason), "; put that right, or " OTHER_PLACE);
        }
    }
    if (schema->refusal.length == 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "%s", text_terminated(&reason));
    }
    text_free(&reason);
    return status;
}

enum db_status bank_ensure_schema(struct db_session *session) {
    struct schema schema = {.session = session};
    text_append_string(&schema.scripts, sql_schema);
    text_append_string(&schema.scripts, sql_views);
    db_session_keep_words(session, true);
    enum db_status status = ensure(&schema);
    if (status == DB_OK) {
        db_session_set_schema(session, schema.name);
    } else if (schema.refusal.length == 0 && db_session_words(session)[0] != '\0') {
        status = explain_failure(&schema, status);
    }
    if (status == DB_OK || schema.refusal.length > 0) {
        db_session_set_schema_problem(session, text_terminated(&schema.refusal));
    }
    db_session_keep_words(session, false);
    text_free(&schema.scripts);
    text_free(&schema.refusal);
    if (status != DB_OK) {
        db_session_close(session); // rolls back what was begun
    }
    return status;
}
