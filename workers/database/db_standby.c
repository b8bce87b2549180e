// The standby of a database: a second set of sessions, which only read. A standby replays what the primary has written,
// so a read there may be older than the last commit. Worker threads; db_use_standby() is called before they start.
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

// For the check of the standby beside a question of the watch, which has DATABASE_WATCH_TIMEOUT_MS for all its work.
#define CHECK_TIMEOUT_MS 1000

void db_use_standby(struct db *db, const char *url) {
    CHECK(db->standby == NULL && url != NULL);
    db->standby = db_new(url, db->session_count);
    db->standby->primary = db;
}

bool db_has_standby(const struct db *db) {
    return db->standby != NULL;
}

static void give(struct db_session *standby) {
    db_session_end_job(standby);
    db_session_give(standby);
}

// The standby's session for a part of the job of `session`.
static struct db_session *take(struct db_session *session, struct statement_trace *trace) {
    struct db_session *standby = db_session_take(session->db->standby);
    db_session_begin_job(standby, trace, 0, 0);
    standby->timeout_ns = session->timeout_ns;
    standby->job_deadline_ns = session->job_deadline_ns;
    return standby;
}

enum db_status db_execute_at_standby(struct db_session *session, bool traced, enum statement statement,
                                     const char *const *values, int value_count, struct db_rows *rows) {
    struct db_session *standby = take(session, traced ? session->trace : NULL);
    enum db_status status;
    bool was_open = true;
    do { // a read may run again on a new connection
        status = db_session_open(standby, &was_open);
        if (status == DB_OK) {
            status = db_execute(standby, statement, values, value_count, rows);
        }
        if (status == DB_OK && !db_session_is_in_recovery(standby)) {
            db_rows_free(rows);
            db_session_close(standby);
            status = DB_UNAVAILABLE; // it was promoted: the next connection reports the problem
        }
    } while (db_status_wants_new_session(status) && was_open);
    give(standby);
    return status;
}

void db_check_standby(struct db_session *session) {
    if (session->db->standby == NULL) {
        return;
    }
    bool was_open;
    struct db_session *standby = db_session_take(session->db->standby);
    db_session_begin_job(standby, NULL, CHECK_TIMEOUT_MS, CHECK_TIMEOUT_MS);
    enum db_status status = db_session_open(standby, &was_open); // sets the problem, or logs why it is unreachable
    log_write(LOG_LEVEL_DEBUG, NULL, "The standby %s", status == DB_OK ? "is ready" : "cannot be used now");
    give(standby);
}

bool db_standby_url_check(const char *url, struct text *problem) {
    struct text words = {0};
    bool good = db_url_check(url, &words);
    db_append_standby_words(problem, text_terminated(&words));
    text_free(&words);
    return good;
}
