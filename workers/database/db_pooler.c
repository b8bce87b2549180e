// Examines a connection pooler before the first statement of the program runs behind it. PgBouncer does not say in
// which mode it is, so this looks at what happens to two sessions. Worker threads.
//
//   db_pooler_examine() > examine() > begin_works(), then compare() with a partner session > try_name(), a few times
//
// Two sessions that the same backend serves while both are open prove transaction mode. There a prepared statement must
// be found on every backend, which PgBouncer does since 1.21 with max_prepared_statements > 0. Session mode cannot be
// proved, and a RELOAD may change the mode. So the program always keeps to the rules of transaction mode (db_pooled.c),
// and the examination decides only whether statements may be prepared.
#include "observability/base/base.h"
#include "sql/pooler.h"
#include "workers/database/database_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 4
#define FIT_NS (10 * NANOSECONDS_PER_SECOND) // an examination counts this long for further sessions
#define PARTNER_NS NANOSECONDS_PER_SECOND    // for each answer to the partner: a full pool lets it wait

#define REMEDY "or name PostgreSQL's own host and port in DATABASE_URL (or PGHOST and PGPORT); see docs/POOLERS.md"

enum evidence {
    EVIDENCE_NONE,     // each session had a backend of its own, as in session mode
    EVIDENCE_SHARED,   // a backend served both sessions
    EVIDENCE_PREPARED, // and a prepared statement was found there
    EVIDENCE_LOST,     // a prepared statement was lost, or belonged to the other session
    EVIDENCE_UNCLEAR,  // there is no partner, or it got no answer
};

struct look {
    struct db_session *own;
    struct db_session *partner;
    int own_backend, partner_backend;
};

// Sends a command and waits for its results. NULL: the connection broke.
static PGresult *ask(struct db_session *session, const char *command) {
    uint64_t deadline_ns = db_deadline(session);
    return PQsendQuery(session->connection, command) == 1 ? db_collect(session, deadline_ns) : NULL;
}

static const char *sqlstate_of(const PGresult *result) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate == NULL ? "" : sqlstate;
}

static bool is_lost(const PGresult *result) {
    const char *sqlstate = sqlstate_of(result);
    return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0; // it does not exist, or exists already
}

// Takes the backend from the answer, and frees it. 0: there was an error; `lost` is set if it is that of a statement.
static int take_backend(PGresult *result, bool *lost) {
    int backend = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 ? atoi(PQgetvalue(result, 0, 0))
                                                                                      : 0;
    *lost = *lost || is_lost(result);
    PQclear(result);
    return backend;
}

// Prepares a statement in a transaction, so that its backend is known. 0: it failed.
static int prepare(struct db_session *session, const char *name, bool *lost) {
    int backend = take_backend(ask(session, sql_pooler[POOLER_BEGIN]), lost);
    if (backend == 0 || session->connection == NULL) {
        return 0;
    }
    // PgBouncer knows a statement by its text: with this comment it has prepared it on no server yet.
    char sql[128];
    (void)snprintf(sql, sizeof sql, "%s-- %s", sql_pooler[POOLER_BACKEND], name);
    uint64_t deadline_ns = db_deadline(session);
    PGresult *result = PQsendPrepare(session->connection, name, sql, 0, NULL) == 1 ? db_collect(session, deadline_ns)
                                                                                   : NULL;
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    *lost = *lost || is_lost(result);
    PQclear(result);
    if (session->connection != NULL) {
        PQclear(ask(session, "COMMIT"));
    }
    return good && session->connection != NULL ? backend : 0;
}

static int run_prepared(struct db_session *session, const char *name, bool *lost) {
    if (session->connection == NULL) {
        return 0;
    }
    uint64_t deadline_ns = db_deadline(session);
    bool sent = PQsendQueryPrepared(session->connection, name, 0, NULL, NULL, NULL, 0) == 1;
    return take_backend(sent ? db_collect(session, deadline_ns) : NULL, lost);
}

// Both sessions prepare a statement under one name and run it.
static enum evidence try_name(struct look *look, const char *name, bool twice) {
    bool lost = false;
    int own = prepare(look->own, name, &lost);
    int partner = own == 0 ? 0 : prepare(look->partner, name, &lost);
    if (lost) {
        return EVIDENCE_LOST;
    }
    if (own == 0 || partner == 0) {
        return EVIDENCE_UNCLEAR;
    }
    if (own == partner) {
        return EVIDENCE_PREPARED; // an old pooler would have refused the name for the second session
    }
    int seen[3] = {0};
    size_t count = 0;
    seen[count++] = run_prepared(look->own, name, &lost);
    seen[count++] = run_prepared(look->partner, name, &lost);
    if (twice) { // where servers are taken in turn, this changes whose turn it is
        seen[count++] = run_prepared(look->own, name, &lost);
    }
    enum evidence evidence = look->own_backend != 0 && (own != look->own_backend || partner != look->partner_backend)
                                 ? EVIDENCE_SHARED
                                 : EVIDENCE_NONE;
    for (size_t i = 0; i < count; i++) {
        int expected = i == 1 ? partner : own;
        if (seen[i] == 0) {
            return lost ? EVIDENCE_LOST : EVIDENCE_UNCLEAR;
        }
        if (seen[i] != expected) {
            evidence = seen[i] != own && seen[i] != partner ? EVIDENCE_PREPARED : MAX(evidence, EVIDENCE_SHARED);
        }
    }
    look->own_backend = own;
    look->partner_backend = partner;
    return evidence;
}

static enum evidence compare(struct look *look) {
    enum evidence found = EVIDENCE_NONE;
    for (unsigned i = 0; i < TRIES && (found == EVIDENCE_NONE || found == EVIDENCE_SHARED); i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "lab_look_%016" PRIx64, random_bits());
        enum evidence next = try_name(look, name, i % 2 == 0);
        found = next == EVIDENCE_NONE ? found : next;
    }
    return found;
}

// Another connection to the same pooler. NULL: there is none to be had.
static struct db_session *open_partner(struct db_session *session) {
    struct db_session *partner = memory_allocate_zeroed(sizeof *partner);
    partner->db = session->db;
    partner->timeout_ns = PARTNER_NS;
    partner->job_deadline_ns = session->job_deadline_ns;
    struct text reasons = {0};
    bool good = db_connect(partner, db_deadline(partner), &reasons);
    text_free(&reasons);
    const char *address = good ? PQhostaddr(partner->connection) : NULL;
    const char *own = PQhostaddr(session->connection);
    good = good && strcmp(PQport(partner->connection), PQport(session->connection)) == 0 &&
           strcmp(address == NULL ? "" : address, own == NULL ? "" : own) == 0;
    if (!good) {
        db_session_close(partner);
        free(partner);
        return NULL;
    }
    return partner;
}

static void refuse(struct db_session *session, const char *words) {
    db_set_problem(session->db, words);
    db_session_close(session);
}

// Statement mode refuses it in words, which have no SQLSTATE of their own.
static enum db_status begin_works(struct db_session *session) {
    PGresult *result = ask(session, sql_pooler[POOLER_BEGIN_AND_READ_SETTINGS]);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (words != NULL && strstr(words, "statement pooling") != NULL) {
        PQclear(result);
        refuse(session, "the pooler in front of PostgreSQL is in statement mode, where no transaction can be begun: "
                        "set pool_mode = transaction or session in PgBouncer, " REMEDY);
        return DB_CONNECTION_LOST;
    }
    enum db_status status = db_classify(session, result, "session_settings");
    if (status == DB_OK) {
        db_pooled_take_settings(session, result);
    }
    PQclear(result);
    if (session->connection == NULL) {
        return DB_CONNECTION_LOST;
    }
    PQclear(ask(session, "ROLLBACK"));
    return session->connection == NULL ? DB_CONNECTION_LOST : status;
}

// A statement under a name that a backend of an old pooler still has stays there: its name occurs once.
static enum db_status prepared_work(struct db_session *session) {
    struct look look = {.own = session, .partner = open_partner(session)};
    enum evidence evidence = look.partner == NULL ? EVIDENCE_UNCLEAR : compare(&look);
    if (look.partner != NULL) {
        db_session_close(look.partner);
        free(look.partner);
    }
    if (evidence == EVIDENCE_LOST) {
        refuse(session, "the pooler in front of PostgreSQL is in transaction mode and loses prepared statements: use "
                        "PgBouncer 1.21 or newer with max_prepared_statements = 200, or pool_mode = session, " REMEDY);
        return DB_CONNECTION_LOST;
    }
    if (session->connection == NULL) {
        return DB_CONNECTION_LOST;
    }
    if (PQtransactionStatus(session->connection) != PQTRANS_IDLE) {
        PQclear(ask(session, "ROLLBACK"));
    }
    session->pooled.is_unnamed = evidence == EVIDENCE_UNCLEAR || evidence == EVIDENCE_SHARED;
    return session->connection == NULL ? DB_CONNECTION_LOST : DB_OK;
}

static bool is_within(uint64_t until_ns) {
    return clock_monotonic_ns() < until_ns;
}

enum db_status db_pooler_examine(struct db_session *session) {
    struct db *db = session->db;
    session->pooled.is_on = true;
    session->pooled.tag = (uint32_t)random_bits();
    enum db_status status = begin_works(session);
    if (status != DB_OK) {
        return status;
    }
    CHECK(pthread_mutex_lock(&db->pooler_mutex) == 0);
    if (!is_within(db->pooler_fit_until_ns)) {
        status = prepared_work(session);
        bool is_fit = status == DB_OK && !session->pooled.is_unnamed;
        db->pooler_fit_until_ns = is_fit ? clock_monotonic_ns() + FIT_NS : 0;
    }
    CHECK(pthread_mutex_unlock(&db->pooler_mutex) == 0);
    session->pooled.is_unnamed = session->pooled.is_unnamed || is_within(atomic_load(&db->pooler_unnamed_until_ns));
    return status;
}
