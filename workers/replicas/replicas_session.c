// Opens the link's session, takes the lock of the replica's name, and registers the replica. Link thread.
//   link_open > enter_schema > claim > join
#include "observability/log/log.h"
#include "workers/replicas/replicas_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A name whose owner has died is free as soon as PostgreSQL has noticed that its connection is closed.
#define CLAIM_ATTEMPTS 20
#define CLAIM_PAUSE_MS 100

static void ignore_done(void *user) {
    (void)user;
}

// Sends statements and waits for their answers.
static bool ask(struct replicas *replicas, const struct db_async_call *calls, size_t count) {
    struct link *link = &replicas->link;
    db_async_execute_calls(link->session, calls, count, ignore_done, NULL);
    db_async_await(&link->loop, link->session);
    return link_succeeded(replicas);
}

static bool enter_schema(struct replicas *replicas) {
    struct link *link = &replicas->link;
    const char *schema[] = {link->schema};
    db_async_query(link->session, sql_session, ignore_done, NULL);
    db_async_await(&link->loop, link->session);
    return link_succeeded(replicas) &&
           ask(replicas, &(struct db_async_call){sql_replicas[REPLICAS_WORK_IN], schema, 1}, 1);
}

static void refuse(struct replicas *replicas, const char *problem) {
    replicas->link.is_refused = true;
    link_report_problem(replicas, problem);
}

static void refuse_name(struct replicas *replicas) {
    struct text problem = {0};
    text_append_format(&problem,
                       "BANK_API_REPLICA=\"%s\" cannot be used: another program with this name works on the same "
                       "database; give each replica a name of its own",
                       replicas->options.name);
    refuse(replicas, text_terminated(&problem));
    text_free(&problem);
}

static void refuse_pooler(struct replicas *replicas) {
    refuse(replicas, "BANK_API_REPLICA needs a session of its own that listens, and a connection pooler such as "
                     "PgBouncer shares sessions: name PostgreSQL's own host and port in DATABASE_URL (or PGHOST and "
                     "PGPORT)");
}

// Takes the lock of the name. A replica that has lost its session waits for its own old one to end.
static bool claim(struct replicas *replicas) {
    struct link *link = &replicas->link;
    const char *name[] = {replicas->options.name};
    for (int attempt = 0; attempt < CLAIM_ATTEMPTS && !link->is_stopped; attempt++) {
        if (!ask(replicas, &(struct db_async_call){sql_replicas[REPLICAS_CLAIM], name, 1}, 1)) {
            return false;
        }
        const struct db_async_answer *answer = db_async_last_answer(link->session);
        if (atoi(db_async_value(answer, 0, 1)) != db_async_backend(link->session)) {
            refuse_pooler(replicas);
            return false;
        }
        if (db_async_value(answer, 0, 0)[0] == 't') {
            text_clear(&link->schema_id);
            text_append_string(&link->schema_id, db_async_value(answer, 0, 2));
            return true;
        }
        db_async_run_loop(&link->loop, -1, 0, CLAIM_PAUSE_MS);
    }
    if (!link->was_registered && !link->is_stopped) {
        refuse_name(replicas);
    }
    return false;
}

static bool join(struct replicas *replicas) {
    const struct replicas_options *options = &replicas->options;
    char started[24];
    (void)snprintf(started, sizeof started, "%" PRId64, replicas->started_us);
    const char *settings[] = {options->name, text_terminated(&replicas->settings)};
    const char *registration[] = {options->name, text_terminated(&replicas->url), started};
    return ask(replicas,
               (const struct db_async_call[]){{sql_replicas[REPLICAS_LISTEN], NULL, 0},
                                              {sql_replicas[REPLICAS_BEGIN_SETTINGS], settings, 2},
                                              {sql_replicas[REPLICAS_REGISTER], registration, 3}},
               3);
}

// Reads what happened before the session listened: the rounds of its waiters that were closed, and the settings.
static bool catch_up(struct replicas *replicas) {
    struct sql_array names = {0};
    barrier_list_waiters(replicas, &names);
    const char *values[] = {replicas->options.name, sql_array_end(&names)};
    bool succeeded = ask(replicas,
                         (const struct db_async_call[]){{sql_replicas[REPLICAS_LOCK_BARRIER], NULL, 0},
                                                        {sql_replicas[REPLICAS_MISSED_ROUNDS], values, 2},
                                                        {sql_replicas[REPLICAS_FORGET_ARRIVALS], values, 1},
                                                        {sql_replicas[REPLICAS_READ_SETTINGS], NULL, 0}},
                         4);
    text_free(&names.text);
    if (!succeeded || db_async_answer_count(replicas->link.session) != 4) {
        return false;
    }
    const struct db_async_answer *rounds = db_async_answer(replicas->link.session, 1);
    const struct db_async_answer *settings = db_async_answer(replicas->link.session, 3);
    for (int row = 0; row < db_async_rows(rounds); row++) {
        bool by_reset = strcmp(db_async_value(rounds, row, 0), "0") == 0;
        barrier_release(replicas, db_async_value(rounds, row, 1), by_reset ? GATE_RESET : GATE_RELEASED);
    }
    if (db_async_rows(settings) != 1) {
        return false; // somebody has emptied the table: the next attempt writes the row
    }
    link_report_settings(replicas, strtoull(db_async_value(settings, 0, 0), NULL, 10),
                         strtoull(db_async_value(settings, 0, 1), NULL, 10), db_async_value(settings, 0, 2));
    barrier_forget_arrivals(replicas);
    return true;
}

static void on_notification(void *user, const char *channel, const char *payload, int backend) {
    (void)channel;
    (void)backend;
    link_take_notification(user, payload);
}

bool link_open(struct replicas *replicas) {
    struct link *link = &replicas->link;
    const char *url = replicas->options.database_url;
    struct text problem = {0};
    link->is_broken = false;
    link->session = db_async_open(&link->loop, url == NULL ? "" : url, &link->is_stopped, &problem);
    if (link->session == NULL) {
        if (!link->is_stopped && link->was_registered) {
            log_event(LOG_LEVEL_WARN, "replica_link", "down", "The replicas' session cannot be opened: %s",
                      text_terminated(&problem));
        }
        text_free(&problem);
        return false;
    }
    text_free(&problem);
    db_async_on_notice(link->session, NULL, on_notification, replicas);
    link->is_registered = enter_schema(replicas) && claim(replicas) && join(replicas) && catch_up(replicas);
    if (!link->is_registered) {
        link_close(replicas);
        return false;
    }
    link->was_registered = true;
    log_event(LOG_LEVEL_INFO, "replica_link", "up", "Replica %s shares its settings and the barrier",
              replicas->options.name);
    return true;
}

void link_close(struct replicas *replicas) {
    struct link *link = &replicas->link;
    link->is_registered = false;
    db_async_close(link->session);
    link->session = NULL;
}
