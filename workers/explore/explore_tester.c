// Runs a .spec as PostgreSQL's isolationtester runs it, and writes what isolationtester writes.
//
// explore_as_tester() > run_order() > run_step() > try_complete() > tester_await_step()
//
// A step that waits is reported as waiting, and again when it has completed. The reports come in the order of
// isolationtester: it looks at one session at a time, so what other sessions receive meanwhile is kept until they are
// looked at.
#include "workers/explore/explore_tester.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_LIMIT_S = 300,
    STEP_LIMIT_16_S = 360, // since PostgreSQL 16
};

static void ignore_answer(void *user) {
    (void)user;
}

// --- Connections ---

static void on_notice(void *user, const char *text) {
    struct tester_session *session = user;
    size_t length = strlen(text);
    struct tester_notice *notice = memory_allocate(sizeof *notice + length + 1);
    notice->place = db_async_answer_count(session->connection);
    memcpy(notice->text, text, length + 1);
    STAILQ_INSERT_TAIL(&session->notices, notice, next);
    session->heard_ns = clock_monotonic_ns();
}

static void on_notification(void *user, const char *channel, const char *payload, int backend) {
    struct tester_session *session = user;
    const struct tester *tester = session->tester;
    char number[32];
    (void)snprintf(number, sizeof number, "PID %d", backend);
    const char *sender = number;
    for (size_t i = 0; i < tester->session_count; i++) {
        if (db_async_backend(tester->sessions[i].connection) == backend) {
            sender = tester->sessions[i].name;
            break;
        }
    }
    text_append_format(&session->notifications, "%s: NOTIFY \"%s\" with payload \"%s\" from %s\n", session->name,
                       channel, payload, sender);
}

// The environment that pg_isolation_regress gives to isolationtester, for libpq.
static void set_environment(const struct sql_case *explored) {
    struct text text = {0};
    text_append_format(&text, "isolation/%s", explored->name);
    (void)setenv("PGAPPNAME", text_terminated(&text), 1);
    (void)setenv("PGTZ", "PST8PDT", 1);
    (void)setenv("PGDATESTYLE", "Postgres, MDY", 1);
    const char *options = getenv("PGOPTIONS");
    if (options == NULL || strstr(options, "intervalstyle") == NULL) {
        text_clear(&text);
        text_append_format(&text, "%s -c intervalstyle=postgres_verbose", options == NULL ? "" : options);
        (void)setenv("PGOPTIONS", text_terminated(&text), 1);
    }
    text_free(&text);
}

// A spec may look for the names of the applications. A long name is answered with a notice.
static bool name_application(struct tester *tester, struct db_async *connection, const char *name,
                             struct text *problem) {
    db_async_execute_with(connection, sql_explore[EXPLORE_TESTER_NAME], &name, 1, ignore_answer, NULL);
    tester_await(tester, connection);
    const struct db_async_answer *error = db_async_error(connection);
    if (error != NULL) {
        text_append_format(problem, "setting of application name failed: %s", db_async_message(error));
    }
    return error == NULL;
}

static bool open_connections(struct tester *tester, const char *conninfo, struct text *problem) {
    const struct sql_case *explored = tester->explored;
    set_environment(explored);
    tester->control = db_async_open(tester->loop, conninfo, tester->is_stopped, problem);
    if (tester->control == NULL || !name_application(tester, tester->control, "control connection", problem)) {
        return false;
    }
    for (size_t i = 0; i < explored->session_count; i++) {
        struct tester_session *session = &tester->sessions[i];
        session->tester = tester;
        session->name = explored->sessions[i].name;
        STAILQ_INIT(&session->notices);
        session->connection = db_async_open(tester->loop, conninfo, tester->is_stopped, problem);
        if (session->connection == NULL) {
            return false;
        }
        tester->session_count = i + 1;
        db_async_on_notice(session->connection, on_notice, on_notification, session);
        if (!name_application(tester, session->connection, session->name, problem)) {
            return false;
        }
        tester_print_notices(session, SIZE_MAX);
        text_append_format(&tester->backends, "%s%d", i == 0 ? "{" : ",", db_async_backend(session->connection));
    }
    text_append_string(&tester->backends, "}");
    return true;
}

static void close_connections(struct tester *tester) {
    for (size_t i = 0; i < tester->session_count; i++) {
        struct tester_session *session = &tester->sessions[i];
        struct tester_notice *notice;
        while ((notice = STAILQ_FIRST(&session->notices)) != NULL) {
            STAILQ_REMOVE_HEAD(&session->notices, next);
            free(notice);
        }
        text_free(&session->notifications);
        db_async_close(session->connection);
    }
    db_async_close(tester->control);
    text_free(&tester->backends);
    tester_timer_close(tester);
}

// --- Setup and teardown ---

// Runs blocks, and writes the rows of the last statement of each. A failing setup ends the file, a teardown does not.
static void run_blocks(struct tester *tester, struct db_async *connection, const struct case_blocks *blocks,
                       const char *what, bool must_succeed) {
    for (size_t i = 0; i < blocks->count && !tester->has_failed; i++) {
        db_async_query(connection, blocks->items[i].sql, ignore_answer, NULL);
        tester_await(tester, connection);
        for (size_t j = 0; j < tester->session_count; j++) {
            if (tester->sessions[j].connection == connection) {
                tester_print_notices(&tester->sessions[j], SIZE_MAX);
            }
        }
        const struct db_async_answer *error = db_async_error(connection);
        const struct db_async_answer *last = db_async_last_answer(connection);
        if (error != NULL || last == NULL) {
            text_append_format(tester->out, "%s failed: %s", what,
                               error == NULL ? "no connection to the server\n" : db_async_error_text(error));
            tester->has_failed = must_succeed;
        } else if (db_async_has_rows(last)) {
            tester_print_rows(last, tester->out);
        }
    }
}

static void set_up(struct tester *tester) {
    run_blocks(tester, tester->control, &tester->explored->setup, "setup", true);
    for (size_t i = 0; i < tester->session_count; i++) {
        char what[256];
        (void)snprintf(what, sizeof what, "setup of session %.200s", tester->sessions[i].name);
        run_blocks(tester, tester->sessions[i].connection, &tester->explored->sessions[i].setup, what, true);
    }
}

static void tear_down(struct tester *tester) {
    for (size_t i = 0; i < tester->session_count; i++) {
        char what[256];
        (void)snprintf(what, sizeof what, "teardown of session %.200s", tester->sessions[i].name);
        run_blocks(tester, tester->sessions[i].connection, &tester->explored->sessions[i].teardown, what, false);
    }
    run_blocks(tester, tester->control, &tester->explored->teardown, "teardown", false);
}

// --- A step ---

static const char *step_sql(const struct tester_session *session) {
    const struct case_order_step *step = session->active;
    return session->tester->explored->sessions[step->session].instructions[step->instruction].source;
}

// True while a condition of the active step delays the report that it has completed.
static bool is_delayed(const struct tester_session *session) {
    for (size_t i = 0; i < session->active->condition_count; i++) {
        const struct case_condition *condition = &session->active->conditions[i];
        const struct tester_session *other = &session->tester->sessions[condition->session];
        bool holds = condition->notices > 0
                         ? other->notice_count - session->counts_at_launch[condition->session] >= condition->notices
                         : other->active == NULL || other->active->instruction != condition->instruction;
        if (!holds) {
            return true;
        }
    }
    return false;
}

static bool report_waiting(struct tester_session *session, bool is_first) {
    if (is_first) {
        text_append_format(session->tester->out, "step %s: %s <waiting ...>\n", tester_step_name(session),
                           step_sql(session));
    }
    return false;
}

// True: the active step has completed, and this is reported. `may_wait`: returns also when it waits for another
// session. `is_first`: the step was just launched.
static bool try_complete(struct tester_session *session, bool may_wait, bool is_first) {
    struct tester *tester = session->tester;
    if (is_first && session->active->reports_wait_at_once) {
        return report_waiting(session, is_first);
    }
    if (!tester_await_step(session, may_wait, is_first) || is_delayed(session)) {
        return tester->has_failed ? false : report_waiting(session, is_first);
    }
    if (is_first) {
        text_append_format(tester->out, "step %s: %s\n", tester_step_name(session), step_sql(session));
    } else {
        text_append_format(tester->out, "step %s: <... completed>\n", tester_step_name(session));
    }
    const struct db_async_answer *before = NULL;
    for (size_t i = 0; i < db_async_answer_count(session->connection); i++) {
        const struct db_async_answer *answer = db_async_answer(session->connection, i);
        tester_print_notices(session, i);
        tester_print_answer(answer, before, tester->out);
        before = answer;
    }
    tester_print_notices(session, SIZE_MAX);
    text_append_slice(tester->out, text_slice(&session->notifications));
    text_clear(&session->notifications);
    session->active = NULL;
    return true;
}

static void stop_waiting(struct tester *tester, const struct tester_session *session) {
    size_t kept = 0;
    for (size_t i = 0; i < tester->waiting_count; i++) {
        if (tester->waiting[i] != session) {
            tester->waiting[kept++] = tester->waiting[i];
        }
    }
    tester->waiting_count = kept;
}

// Reports the waiting steps that have completed. One that completes, or a notice, may release one before it.
static void try_waiting(struct tester *tester, bool may_wait) {
    size_t before;
    bool has_conditions;
    do {
        tester->has_new_notice = has_conditions = false;
        before = tester->waiting_count;
        for (size_t i = 0; i < tester->waiting_count && !tester->has_failed;) {
            struct tester_session *session = tester->waiting[i];
            if (try_complete(session, may_wait, false)) {
                stop_waiting(tester, session);
            } else {
                has_conditions |= session->active->condition_count > 0 || session->active->reports_wait_at_once;
                i++;
            }
        }
    } while (!tester->has_failed && has_conditions && (tester->waiting_count < before || tester->has_new_notice));
}

// Waits until the session's former step is reported as completed.
static void await_session(struct tester_session *session) {
    struct tester *tester = session->tester;
    uint64_t began_ns = clock_monotonic_ns();
    while (session->active != NULL && !tester->has_failed) {
        if (try_complete(session, false, false)) {
            stop_waiting(tester, session);
        }
        try_waiting(tester, true);
        uint64_t passed_ns = clock_monotonic_ns() - began_ns;
        if (session->active != NULL && !tester->has_failed && passed_ns > 2 * tester->step_limit_ns) {
            tester_fail(tester, "step %s timed out after %d seconds\nactive steps are:", tester_step_name(session),
                        (int)(passed_ns / 1000000000));
            for (size_t i = 0; i < tester->session_count; i++) {
                if (tester->sessions[i].active != NULL) {
                    text_append_format(tester->out, " %s", tester_step_name(&tester->sessions[i]));
                }
            }
            text_append_string(tester->out, "\n");
        }
    }
}

static void run_step(struct tester *tester, const struct case_order_step *step) {
    struct tester_session *session = &tester->sessions[step->session];
    await_session(session);
    if (tester->has_failed) {
        return;
    }
    session->active = step;
    struct tester_notice *notice;
    STAILQ_FOREACH(notice, &session->notices, next) {
        notice->place = 0; // it arrived between two steps
    }
    for (size_t i = 0; i < tester->session_count; i++) {
        session->counts_at_launch[i] = tester->sessions[i].notice_count;
    }
    if (db_async_transaction(session->connection) == DB_ASYNC_BROKEN) {
        tester_fail(tester, "failed to send query for step %s: no connection to the server\n\n",
                    tester_step_name(session));
        return;
    }
    db_async_query(session->connection, step_sql(session), ignore_answer, NULL);
    bool has_completed = try_complete(session, true, true);
    try_waiting(tester, true);
    if (!has_completed && !tester->has_failed) {
        tester->waiting[tester->waiting_count++] = session;
    }
}

// --- An order ---

static void run_order(struct tester *tester, const struct case_order *order) {
    text_append_string(tester->out, "\nstarting permutation:");
    for (size_t i = 0; i < order->count; i++) {
        const struct case_order_step *step = &order->steps[i];
        text_append_format(tester->out, " %s",
                           tester->explored->sessions[step->session].instructions[step->instruction].name);
    }
    text_append_string(tester->out, "\n");
    set_up(tester);
    for (size_t i = 0; i < order->count && !tester->has_failed; i++) {
        run_step(tester, &order->steps[i]);
    }
    if (!tester->has_failed) {
        try_waiting(tester, false);
    }
    if (!tester->has_failed && tester->waiting_count > 0) {
        tester_fail(tester, "failed to complete permutation due to mutually-blocking steps\n");
    }
    if (!tester->has_failed) {
        tear_down(tester);
    }
}

static void exchange(struct case_order_step *one, struct case_order_step *other) {
    size_t session = one->session;
    one->session = other->session;
    other->session = session;
}

// Writes the next order of the steps' sessions in the order of a dictionary. False: there is none.
static bool next_interleaving(struct case_order_step *steps, size_t count) {
    size_t at = count;
    while (at >= 2 && steps[at - 2].session >= steps[at - 1].session) {
        at--;
    }
    if (at < 2) {
        return false;
    }
    size_t pivot = at - 2;
    size_t greater = count - 1;
    while (steps[greater].session <= steps[pivot].session) {
        greater--;
    }
    exchange(&steps[pivot], &steps[greater]);
    for (size_t low = pivot + 1, high = count - 1; low < high; low++, high--) {
        exchange(&steps[low], &steps[high]);
    }
    return true;
}

// Runs all interleavings: first the one that runs a session after the other.
static void run_interleavings(struct tester *tester) {
    const struct sql_case *explored = tester->explored;
    struct case_order order = {0};
    for (size_t i = 0; i < explored->session_count; i++) {
        order.count += explored->sessions[i].count;
    }
    order.steps = memory_allocate_zeroed((order.count + 1) * sizeof *order.steps);
    for (size_t i = 0, at = 0; i < explored->session_count; i++) {
        for (size_t j = 0; j < explored->sessions[i].count; j++) {
            order.steps[at++].session = i;
        }
    }
    do {
        size_t launched[CASE_SESSIONS_MAX] = {0};
        for (size_t i = 0; i < order.count; i++) {
            order.steps[i].instruction = launched[order.steps[i].session]++;
        }
        run_order(tester, &order);
    } while (!tester->has_failed && next_interleaving(order.steps, order.count));
    free(order.steps);
}

// --- The whole ---

// isolationtester reads PGISOLATIONTIMEOUT up to release 15, and then PG_TEST_TIMEOUT_DEFAULT, half of the limit.
static uint64_t step_limit_s(const struct tester *tester) {
    const char *limit = getenv("PGISOLATIONTIMEOUT");
    const char *half = getenv("PG_TEST_TIMEOUT_DEFAULT");
    bool is_16 = db_async_server_version(tester->control) >= 160000;
    return half != NULL && is_16 ? 2 * strtoul(half, NULL, 10)
           : limit != NULL       ? strtoul(limit, NULL, 10)
           : is_16               ? STEP_LIMIT_16_S
                                 : STEP_LIMIT_S;
}

static bool is_spec(const struct sql_case *explored, struct text *problem) {
    for (size_t i = 0; i < explored->session_count; i++) {
        for (size_t j = 0; j < explored->sessions[i].count; j++) {
            if (!explored->sessions[i].instructions[j].is_block) {
                text_append_format(problem, "%s:%d: isolationtester runs only files of its own form: give a .spec",
                                   explored->file, explored->sessions[i].instructions[j].line);
                return false;
            }
        }
    }
    return true;
}

static int compare_names(const void *one, const void *other) {
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

// isolationtester names the steps that no permutation uses, in the order of the alphabet.
static void report_unused(struct tester *tester) {
    const struct sql_case *explored = tester->explored;
    size_t count = 0;
    const char **names = NULL;
    for (size_t i = 0; i < explored->session_count; i++) {
        for (size_t j = 0; j < explored->sessions[i].count; j++) {
            bool is_used = explored->order_count == 0;
            for (size_t k = 0; k < explored->order_count && !is_used; k++) {
                const struct case_order *order = &explored->orders[k];
                for (size_t m = 0; m < order->count && !is_used; m++) {
                    is_used = order->steps[m].session == i && order->steps[m].instruction == j;
                }
            }
            if (!is_used) {
                names = memory_resize(names, (count + 1) * sizeof *names);
                names[count++] = explored->sessions[i].instructions[j].name;
            }
        }
    }
    if (count > 0) {
        qsort(names, count, sizeof *names, compare_names);
    }
    for (size_t i = 0; i < count; i++) {
        text_append_format(tester->out, "unused step name: %s\n", names[i]);
    }
    free(names);
}

// A program that is stopped leaves no statement running and, if the file has a teardown, no table.
static void stop(struct tester *tester) {
    struct text ignored = {0};
    for (size_t i = 0; i < tester->session_count; i++) {
        db_async_await(tester->loop, tester->sessions[i].connection);
        if (db_async_transaction(tester->sessions[i].connection) != DB_ASYNC_NO_TRANSACTION) {
            db_async_ignore_stop(tester->sessions[i].connection);
            (void)!explore_ask(tester->loop, tester->sessions[i].connection, sql_explore[EXPLORE_ROLLBACK], &ignored);
        }
    }
    if (tester->control != NULL) {
        db_async_await(tester->loop, tester->control);
        db_async_ignore_stop(tester->control);
        for (size_t i = 0; i < tester->explored->teardown.count; i++) {
            (void)!explore_ask(tester->loop, tester->control, tester->explored->teardown.items[i].sql, &ignored);
        }
    }
    text_free(&ignored);
}

enum explore_tester_end explore_as_tester(uv_loop_t *loop, const char *conninfo, const struct sql_case *explored,
                                          const bool *is_stopped, struct text *out, struct text *problem) {
    if (!is_spec(explored, problem)) {
        return EXPLORE_TESTER_FAILED;
    }
    struct tester *tester = memory_allocate_zeroed(sizeof *tester);
    *tester = (struct tester){.loop = loop, .is_stopped = is_stopped, .explored = explored, .out = out};
    tester_timer_open(tester);
    report_unused(tester);
    text_append_format(out, "Parsed test spec with %zu sessions\n", explored->session_count);
    bool is_open = open_connections(tester, conninfo, problem);
    tester->step_limit_ns = is_open ? 1000000000 * step_limit_s(tester) : 0;
    for (size_t i = 0; i < explored->order_count && is_open && !tester->has_failed; i++) {
        run_order(tester, &explored->orders[i]);
    }
    if (explored->order_count == 0 && is_open) {
        run_interleavings(tester);
    }
    bool is_complete = is_open && !tester->has_failed;
    if (is_stopped != NULL && *is_stopped) {
        stop(tester);
    }
    close_connections(tester);
    return is_complete ? EXPLORE_TESTER_COMPLETE : is_open ? EXPLORE_TESTER_FAILED : EXPLORE_TESTER_NO_DATABASE;
}
