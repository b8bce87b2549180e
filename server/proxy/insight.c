// began() > want_catalogue() > insight_connect() > read_catalogue() > on_catalogue(), once for each database, and again
// when a table was seen that the catalogue does not have.
#include "server/proxy/insight.h"

#include "observability/log/log.h"
#include "server/proxy/insight_report.h"
#include "server/proxy/row_versions.h"
#include "sql/proxy.h"
#include "workers/database/database.h"

#include <stdlib.h>

struct database {
    char *name;
    struct db_async *session; // NULL: not connected
    bool is_wanted;           // a table is unknown, so the catalogue is read when the time has come
    bool was_read;
    bool has_failed;
    uint64_t next_ms, pause_ms;
    size_t tables;
    struct insight *insight;
};

struct insight {
    uv_loop_t *loop;
    uv_timer_t timer;
    const char *conninfo, *path;
    bool is_quiet;
    struct observer observer;
    const struct insight_listener *listener; // NULL: the log takes the findings
    struct sight *sight;
    uint64_t readings;
    struct row_versions *versions; // NULL: no --exact
    struct database databases[INSIGHT_DATABASES_MAX];
    size_t count;
    bool wants_connection, is_closed;
    void (*finding_call)(void *owner, const struct sight_finding *finding); // NULL: none
    void *finding_owner;
};

// --- The catalogue ---

static uint32_t number_of(const char *digits) {
    return digits == NULL ? 0 : (uint32_t)strtoul(digits, NULL, 10);
}

// Adds the table whose columns begin at `row`. Returns the row behind its columns.
static int add_table(struct database *database, const struct db_async_answer *answer, int row) {
    enum { COLUMNS_MAX = 1600 }; // PostgreSQL's MaxHeapAttributeNumber
    struct sight_column *columns = memory_allocate(COLUMNS_MAX * sizeof *columns);
    const char *oid = db_async_value(answer, row, 0);
    int end = row;
    size_t count = 0;
    for (; end < db_async_rows(answer) && strcmp(db_async_value(answer, end, 0), oid) == 0; end++) {
        if (count < COLUMNS_MAX) {
            columns[count++] = (struct sight_column){
                .number = (int16_t)number_of(db_async_value(answer, end, 3)),
                .name = db_async_value(answer, end, 4),
                .type = number_of(db_async_value(answer, end, 5)),
                .in_key = strcmp(db_async_value(answer, end, 6), "t") == 0,
            };
        }
    }
    sight_add_table(database->insight->sight, database->name, number_of(oid), db_async_value(answer, row, 1),
                    db_async_value(answer, row, 2), columns, count);
    free(columns);
    return end;
}

// Reads "1 16385 1 2 16385 2": the number of each column, and the table and the column that it shows.
static size_t read_columns(const char *words, struct sight_view_column columns[static SIGHT_VALUES_MAX]) {
    size_t count = 0;
    char *rest = NULL;
    for (int16_t number = (int16_t)strtol(words, &rest, 10); number != 0 && count < SIGHT_VALUES_MAX;
         number = (int16_t)strtol(rest, &rest, 10)) {
        uint32_t table = (uint32_t)strtoul(rest, &rest, 10);
        columns[count++] = (struct sight_view_column){number, table, (int16_t)strtol(rest, &rest, 10)};
    }
    return count;
}

static void add_view(struct database *database, const struct db_async_answer *answer, int row) {
    enum { TABLES_MAX = 64 };
    uint32_t tables[TABLES_MAX];
    size_t count = 0;
    char *rest = NULL;
    const char *words = db_async_value(answer, row, 3);
    for (uint32_t oid = (uint32_t)strtoul(words, &rest, 10); oid != 0 && count < TABLES_MAX;
         oid = (uint32_t)strtoul(rest, &rest, 10)) {
        tables[count++] = oid;
    }
    struct sight_view_column columns[SIGHT_VALUES_MAX];
    struct sight_view view = {.oid = number_of(db_async_value(answer, row, 0)),
                              .schema = db_async_value(answer, row, 1),
                              .name = db_async_value(answer, row, 2),
                              .tables = tables,
                              .table_count = count,
                              .columns = columns,
                              .column_count = read_columns(db_async_value(answer, row, 4), columns),
                              .has_names = strcmp(db_async_value(answer, row, 5), "t") == 0};
    sight_add_view(database->insight->sight, database->name, &view);
}

static void on_catalogue(void *user) {
    struct database *database = user;
    if (db_async_error(database->session) != NULL || db_async_answer_count(database->session) != 2) {
        database->has_failed = database->has_failed || !database->was_read;
        return;
    }
    const struct db_async_answer *columns = db_async_answer(database->session, 0);
    const struct db_async_answer *views = db_async_answer(database->session, 1);
    size_t tables = 0;
    sight_forget_tables(database->insight->sight, database->name);
    for (int row = 0; row < db_async_rows(columns);) {
        row = add_table(database, columns, row);
        tables++;
    }
    for (int row = 0; row < db_async_rows(views); row++) {
        add_view(database, views, row);
    }
    bool is_news = tables != database->tables;
    database->tables = tables;
    database->was_read = true;
    database->insight->readings += is_news;
    database->pause_ms = is_news ? INSIGHT_RELOAD_MS : MIN(2 * database->pause_ms, (uint64_t)INSIGHT_RELOAD_MAX_MS);
    database->next_ms = uv_now(database->insight->loop) + database->pause_ms;
    struct row_versions *versions = database->insight->versions;
    if (versions != NULL && strcmp(row_versions_database(versions), database->name) == 0) {
        row_versions_watch(versions, database->insight->sight);
    }
    if (is_news) {
        log_event(LOG_LEVEL_INFO, "catalogue", NULL, "Database %s: %zu tables are known", database->name, tables);
    }
}

static void want_connection(struct insight *insight) {
    insight->wants_connection = true;
    uv_stop(insight->loop);
}

static void read_catalogue(struct database *database) {
    if (database->session != NULL && db_async_transaction(database->session) == DB_ASYNC_BROKEN) {
        db_async_close(database->session);
        database->session = NULL;
    }
    if (database->session == NULL) {
        want_connection(database->insight);
    } else if (!db_async_is_busy(database->session)) {
        const char *const statements[] = {sql_proxy[PROXY_COLUMNS], sql_proxy[PROXY_VIEWS]};
        database->is_wanted = false;
        db_async_execute(database->session, statements, 2, on_catalogue, database);
    }
}

static void on_tick(uv_timer_t *timer) {
    struct insight *insight = CONTAINER_OF(timer, struct insight, timer);
    bool has_work = false;
    for (size_t i = 0; i < insight->count; i++) {
        struct database *database = &insight->databases[i];
        has_work |= database->is_wanted;
        if (database->is_wanted && uv_now(insight->loop) >= database->next_ms) {
            read_catalogue(database);
        }
    }
    if (!has_work) {
        (void)uv_timer_stop(timer);
    }
}

static void want_catalogue(struct database *database) {
    uv_timer_t *timer = &database->insight->timer;
    database->is_wanted = true;
    if (!database->insight->is_closed && !uv_is_active((uv_handle_t *)timer)) {
        CHECK(uv_timer_start(timer, on_tick, 1, INSIGHT_RELOAD_MS / 10) == 0);
    }
}

static struct database *find_database(struct insight *insight, const char *name) {
    for (size_t i = 0; i < insight->count; i++) {
        if (strcmp(insight->databases[i].name, name) == 0) {
            return &insight->databases[i];
        }
    }
    return NULL;
}

// NULL: there are too many, so its rows stay unknown.
static struct database *add_database(struct insight *insight, const char *name) {
    if (insight->count == INSIGHT_DATABASES_MAX) {
        return NULL;
    }
    struct database *database = &insight->databases[insight->count++];
    size_t size = strlen(name) + 1;
    *database = (struct database){.name = memory_allocate(size), .pause_ms = INSIGHT_RELOAD_MS, .insight = insight};
    memcpy(database->name, name, size);
    want_catalogue(database);
    return database;
}

// libpq takes the last value of a parameter, also in a URL.
static void append_conninfo(struct text *out, const char *conninfo, const char *database) {
    bool is_url = strncmp(conninfo, "postgres", strlen("postgres")) == 0 && strstr(conninfo, "://") != NULL;
    text_append_string(out, conninfo);
    if (is_url) {
        text_append_string(out, strchr(conninfo, '?') != NULL ? "&dbname=" : "?dbname=");
        for (const char *each = database; *each != '\0'; each++) {
            text_append_format(out, "%%%02X", (unsigned char)*each);
        }
        return;
    }
    text_append_string(out, " dbname='");
    for (const char *each = database; *each != '\0'; each++) {
        text_append_string(out, *each == '\'' || *each == '\\' ? "\\" : "");
        text_append(out, each, 1);
    }
    text_append_string(out, "'");
}

static void connect_database(struct database *database, const bool *is_stopped) {
    struct insight *insight = database->insight;
    struct text conninfo = {0};
    struct text problem = {0};
    append_conninfo(&conninfo, insight->conninfo, database->name);
    database->next_ms = UINT64_MAX; // on_tick() also runs during the wait
    database->session = db_async_open(insight->loop, text_terminated(&conninfo), is_stopped, &problem);
    database->next_ms = uv_now(insight->loop) + (database->session == NULL ? INSIGHT_RELOAD_MS * 10 : 0);
    if (*is_stopped) { // insight_close() may have run during the wait
        db_async_close(database->session);
        database->session = NULL;
    } else if (database->session == NULL && !database->has_failed) {
        database->has_failed = true;
        log_write(LOG_LEVEL_WARN, NULL,
                  "Cannot read the catalogue of the database %s, so %s; give --upstream a user and a password: %s",
                  database->name,
                  insight->is_quiet ? "rules with if-read compare its tables and not its rows"
                                    : "no race is found in it",
                  text_terminated(&problem));
    }
    text_free(&conninfo);
    text_free(&problem);
}

bool insight_wants_connection(const struct insight *insight) {
    return insight->wants_connection;
}

void insight_connect(struct insight *insight, const bool *is_stopped) {
    insight->wants_connection = false;
    for (size_t i = 0; i < insight->count; i++) {
        struct database *database = &insight->databases[i];
        if (database->is_wanted && database->session == NULL && uv_now(insight->loop) >= database->next_ms) {
            connect_database(database, is_stopped);
        }
    }
}

bool insight_use_triggers(struct insight *insight, const bool *is_stopped, struct text *problem) {
    insight->versions = row_versions_new(insight->loop, insight->conninfo, is_stopped, problem);
    if (insight->versions == NULL) {
        return false;
    }
    struct database *database = add_database(insight, row_versions_database(insight->versions));
    connect_database(database, is_stopped);
    if (database->session == NULL) {
        text_append_string(problem, "--exact needs a second connection, which was refused");
        return false;
    }
    read_catalogue(database);
    db_async_await(insight->loop, database->session);
    row_versions_await(insight->versions);
    return true;
}

// --- The observer ---

static void on_unknown_table(const char *name, uint32_t oid, struct slice table, void *user_data) {
    enum { FIRST_USER_OID = 16384 };
    struct insight *insight = user_data;
    struct database *database = find_database(insight, name);
    bool is_system = oid != 0 ? oid < FIRST_USER_OID : slice_starts_with(table, SLICE_LITERAL("pg_"));
    if (database != NULL && !is_system) {
        want_catalogue(database);
    }
}

static void on_finding(const struct sight_finding *finding, void *user_data) {
    const struct insight *insight = user_data;
    if (insight->listener != NULL) {
        insight->listener->finding(insight->listener->owner, finding);
        return;
    }
    if (insight->is_quiet) {
        return;
    }
    log_event(LOG_LEVEL_WARN, "finding", NULL, "Finding %llu, %s %s: %s", (unsigned long long)finding->id,
              sight_level_name(finding->level), sight_kind_name(finding->kind), finding->sentence);
    if (insight->finding_call != NULL) {
        insight->finding_call(insight->finding_owner, finding);
    }
}

static void on_pattern(const struct sight_pattern *pattern, void *user_data) {
    const struct insight_listener *listener = ((const struct insight *)user_data)->listener;
    listener->pattern(listener->owner, pattern);
}

static void on_outcome(const struct sight_outcome *outcome, void *user_data) {
    const struct insight_listener *listener = ((const struct insight *)user_data)->listener;
    listener->outcome(listener->owner, outcome);
}

static void *began(void *owner, uint64_t number, struct slice database, uint32_t backend) {
    (void)number;
    struct insight *insight = owner;
    struct text name = {0};
    text_append_slice(&name, database);
    const char *terminated = text_terminated(&name);
    insight_expect(insight, terminated);
    struct sight_session *session = sight_session_open(insight->sight, terminated, backend);
    text_free(&name);
    return session;
}

static void ended(void *session) {
    sight_session_close(session);
}

static void pass_on(const struct sight_session *session, bool of_client, char type, struct slice body) {
    const struct insight_listener *listener = ((const struct insight *)sight_session_user(session))->listener;
    if (listener != NULL && listener->message != NULL) {
        listener->message(listener->owner, sight_session_backend(session), of_client, type, body);
    }
}

static void client_message(void *session, char type, struct slice body, uint64_t now_ns) {
    pass_on(session, true, type, body);
    sight_client_message(session, type, body, now_ns);
}

static void server_message(void *session, char type, struct slice body, uint64_t now_ns) {
    pass_on(session, false, type, body);
    sight_server_message(session, type, body, now_ns);
}

// The statement that the question is about may not be the first that writes: then the answer is about another table.
static bool names_table(const struct sight_intent *intent, const char *table) {
    struct slice name = slice_of(intent->name);
    size_t length = strlen(table);
    return slice_ends_with(name, slice_of(table)) &&
           (name.length == length || name.data[name.length - length - 1] == '.');
}

// A Bind was passed on before this question, so its portal is known.
static enum observer_read has_read(void *session, char type, struct slice body, const char *table) {
    struct sight_intent intent;
    size_t length = body.length > 0 ? strnlen(body.data, body.length) : 0;
    struct slice string = {body.data, length}; // the SQL of a Query, the portal of a Bind
    if (type == 'Q') {
        sight_ask_query(session, length < body.length ? string : SLICE_LITERAL(""), &intent);
    } else {
        sight_ask_execute(session, string, &intent);
    }
    const struct insight_listener *listener = ((const struct insight *)sight_session_user(session))->listener;
    bool was_read = intent.read_before != SIGHT_NOT_READ;
    if (listener != NULL) {
        return was_read && listener->wants_hold(listener->owner, &intent) ? OBSERVER_READ : OBSERVER_NOT_READ;
    }
    bool is_known = intent.verb > SIGHT_SELECT && names_table(&intent, table) &&
                    (intent.is_certain || intent.read_before == SIGHT_READ_ROW);
    return !is_known ? OBSERVER_UNKNOWN : was_read ? OBSERVER_READ : OBSERVER_NOT_READ;
}

static enum observer_meeting meet(void *session, void *other) {
    switch (sight_meeting(session, other)) {
    case SIGHT_APART: return OBSERVER_APART;
    case SIGHT_MEET_TABLE: return OBSERVER_MEET_TABLE;
    case SIGHT_MEET_ROW: return OBSERVER_MEET_ROW;
    }
    UNREACHABLE("a meeting of two sessions");
}

static void append_row(void *session, struct text *out) {
    report_append_key(sight_asked_row(session), out);
}

void insight_on_finding(struct insight *insight, void (*call)(void *owner, const struct sight_finding *finding),
                        void *owner) {
    insight->finding_call = call;
    insight->finding_owner = owner;
}

const struct observer *insight_observer(const struct insight *insight) {
    return &insight->observer;
}

// --- Start and end ---

struct insight *insight_new(const struct insight_options *options) {
    struct insight *insight = memory_allocate_zeroed(sizeof *insight);
    struct sight_options seen = {.on_finding = on_finding,
                                 .on_unknown_table = on_unknown_table,
                                 .on_version = report_version,
                                 .on_unseen = report_unseen,
                                 .user_data = insight};
    if (options->listener != NULL) {
        seen.announces_all = true;
        seen.on_pattern = on_pattern;
        seen.on_outcome = on_outcome;
    }
    insight->loop = options->loop;
    insight->listener = options->listener;
    insight->conninfo = options->conninfo;
    insight->path = options->path;
    insight->is_quiet = options->is_quiet;
    insight->sight = sight_new(&seen);
    insight->observer = (struct observer){
        .owner = insight,
        .client_wanted = "QPBDCE",
        .server_wanted = "EKZTtDC",
        .began = began,
        .ended = ended,
        .client_message = client_message,
        .server_message = server_message,
        .has_read = has_read,
        .meet = options->listener == NULL ? meet : NULL, // a listener compares what it has seen
        .append_row = append_row,
    };
    CHECK(uv_timer_init(options->loop, &insight->timer) == 0);
    if (!sight_has_grammar()) {
        log_write(LOG_LEVEL_WARN, NULL, "Built without libpg_query: rows are not known, so no race is proved");
    }
    return insight;
}

struct sight *insight_sight(const struct insight *insight) {
    return insight->sight;
}

void insight_expect(struct insight *insight, const char *database) {
    if (find_database(insight, database) == NULL) {
        (void)add_database(insight, database);
    }
}

enum insight_state insight_state(const struct insight *insight) {
    enum insight_state state = INSIGHT_READY;
    for (size_t i = 0; i < insight->count; i++) {
        const struct database *database = &insight->databases[i];
        if (database->has_failed) {
            return INSIGHT_FAILED;
        }
        state = database->was_read && !database->is_wanted ? state : INSIGHT_READING;
    }
    return state;
}

uint64_t insight_readings(const struct insight *insight) {
    return insight->readings;
}

void insight_close(struct insight *insight) {
    insight->is_closed = true;
    for (size_t i = 0; i < insight->count; i++) {
        db_async_close(insight->databases[i].session);
        insight->databases[i].session = NULL;
    }
    if (insight->versions != NULL) {
        row_versions_close(insight->versions);
    }
    uv_close((uv_handle_t *)&insight->timer, NULL);
}

void insight_free(struct insight *insight) {
    if (insight->versions != NULL) {
        row_versions_end(insight->versions);
        report_versions(insight->sight);
    }
    if (insight->path != NULL) {
        report_write(insight->sight, insight->path);
    }
    if (!insight->is_quiet) {
        report_observed(insight->sight);
    }
    for (size_t i = 0; i < insight->count; i++) {
        free(insight->databases[i].name);
    }
    sight_free(insight->sight);
    free(insight);
}
