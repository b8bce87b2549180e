// Maps PostgreSQL's errors and warnings to enum db_status, and logs them. Worker threads.
// Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <stdio.h>
#include <string.h>

struct sqlstate_meaning {
    const char *prefix; // a whole SQLSTATE, or its class
    enum db_status status;
};

// The first row that matches counts. The table is only for an ERROR: the statement had no effect, and the session
// continues. A FATAL or a PANIC ends the session, and its SQLSTATE does not say whether a COMMIT took effect.
static const struct sqlstate_meaning meanings[] = {
    {"40001", DB_CONFLICT},          // serialization_failure
    {"40P01", DB_CONFLICT},          // deadlock_detected
    {"55P03", DB_TIMED_OUT},         // lock_not_available: lock_timeout
    {"57014", DB_TIMED_OUT},         // query_canceled: statement_timeout, or pg_cancel_backend()
    {"22021", DB_NOT_REPRESENTABLE}, // character_not_in_repertoire
    {"22P05", DB_NOT_REPRESENTABLE}, // untranslatable_character
    {"22003", DB_OUT_OF_RANGE},      // numeric_value_out_of_range
    {"22012", DB_CONDITION_FAILED},  // division_by_zero
    {"23502", DB_NULL_REFUSED},      // not_null_violation
    {"23505", DB_DUPLICATE},         // unique_violation
    {"25006", DB_UNAVAILABLE},       // read_only_sql_transaction: a standby, or a primary that was demoted
    {"53400", DB_FAILED},            // configuration_limit_exceeded: a limit for this statement
    {"53", DB_UNAVAILABLE},          // insufficient_resources: disk_full, out_of_memory, too_many_connections
    {"58", DB_UNAVAILABLE},          // system_error: io_error and the like
    {"0A000", DB_STALE},             // feature_not_supported: "cached plan must not change result type"
    {"26000", DB_STALE},             // invalid_sql_statement_name: it was deallocated
    {"42501", DB_FAILED},            // insufficient_privilege
    {"42", DB_STALE}, // undefined or duplicate names and types: the tables have changed since it was prepared
};

static enum db_status status_of(const char *sqlstate) {
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) == 0) {
            return meanings[i].status;
        }
    }
    return DB_FAILED;
}

bool db_status_wants_new_session(enum db_status status) {
    return status == DB_CONNECTION_LOST || status == DB_NOT_SENT || status == DB_UNAVAILABLE || status == DB_STALE;
}

static void session_remember(struct db_session *session, const char *sqlstate) {
    (void)snprintf(session->sqlstate, SQLSTATE_LENGTH, "%.5s", sqlstate);
    text_clear(&session->words);
}

// Keeps the message and the first line of the detail, which names the object that causes the error.
static void session_keep_words(struct db_session *session, const char *words, const char *detail) {
    text_clear(&session->words);
    text_append_string(&session->words, words == NULL ? "connection lost" : words);
    if (detail != NULL) {
        text_append_string(&session->words, ": ");
        text_append(&session->words, detail, strcspn(detail, "\n"));
    }
}

static bool is_passing(enum db_status status) {
    return status == DB_CONNECTION_LOST || status == DB_NOT_SENT || status == DB_UNAVAILABLE ||
           status == DB_TIMED_OUT || status == DB_CONFLICT;
}

void db_session_keep_words(struct db_session *session, bool keep) {
    session->keeps_words = keep;
}

const char *db_session_words(struct db_session *session) {
    return text_terminated(&session->words);
}

// "ERROR", "FATAL", "WARNING", ..., in English for every language of the server; "" for a result that libpq made
// itself.
static const char *severity_of(const PGresult *result) {
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity == NULL ? "" : severity;
}

static bool ends_session(const PGresult *result) {
    return strcmp(severity_of(result), "ERROR") != 0;
}

// A COMMIT succeeds with this WARNING when its wait for the synchronous standby was cancelled (function
// SyncRepWaitForLSN in PostgreSQL's src/backend/replication/syncrep.c). A WARNING of a trigger has the same SQLSTATE
// but comes from another function.
static bool is_cancelled_wait(const PGresult *notice) {
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *origin = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    return strcmp(severity_of(notice), "WARNING") == 0 && sqlstate != NULL && strcmp(sqlstate, "01000") == 0 &&
           (origin == NULL || strcmp(origin, "SyncRepWaitForLSN") == 0);
}

void db_note_notice(void *session, const PGresult *notice) {
    if (!is_cancelled_wait(notice)) {
        return; // such as "relation already exists, skipping"; errors arrive as results, not as notices
    }
    ((struct db_session *)session)->unreplicated = true;
    const char *words = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    log_write(LOG_LEVEL_WARN, NULL, "Database committed on this server only, a failover may lose it: %s",
              words == NULL ? "the wait for the synchronous standby was cancelled" : words);
}

// A standby refuses some statements with codes that have another meaning on a primary (SERIALIZABLE: 0A000).
static bool is_refused_by_standby(const struct db_session *session, enum db_status status) {
    const char *standby = PQparameterStatus(session->connection, "in_hot_standby");
    return (status == DB_STALE || status == DB_FAILED) && standby != NULL && strcmp(standby, "on") == 0;
}

static bool is_routine(enum db_status status) {
    return status == DB_CONFLICT || status == DB_CONDITION_FAILED || status == DB_NULL_REFUSED;
}

enum db_status db_classify(struct db_session *session, const PGresult *result, const char *statement_name) {
    if (result == NULL) {
        session_remember(session, "08006"); // connection_failure: there is no result with a SQLSTATE
        log_write(LOG_LEVEL_WARN, NULL, "Database connection lost during %s", statement_name);
        return DB_CONNECTION_LOST;
    }
    if (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK) {
        session_remember(session, "");
        return DB_OK;
    }
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    session_remember(session, sqlstate == NULL ? "08006" : sqlstate);
    enum db_status status = ends_session(result) ? DB_CONNECTION_LOST : status_of(session->sqlstate);
    if (is_refused_by_standby(session, status)) {
        status = DB_UNAVAILABLE;
    }
    if (session->keeps_words && !is_passing(status)) {
        session_keep_words(session, words, PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    } else if (!is_routine(status)) {
        log_write(status == DB_FAILED || status == DB_OUT_OF_RANGE ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, NULL,
                  "Database error %s in %s: %s", session->sqlstate, statement_name,
                  words == NULL ? "connection lost" : words);
    }
    return status;
}
