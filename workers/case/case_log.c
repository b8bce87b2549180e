// Reads a recording of two or more requests: PostgreSQL's csvlog or jsonlog with log_statement = 'all'.
//
// A backend is a session, A, B, C... in the order of their first statements. The order of the log is the first order of
// the case. The branches of the program that was recorded stay as they were taken, so the case is a recording.
//
// Drivers and pools send statements that have nothing to do with the request: SET, SHOW, DISCARD and the like. A
// session of nothing else is left out. At the beginning and at the end of a session such statements are no steps. A SET
// at the beginning is run as the setup of the session.
#include "workers/case/case_log_record.h"
#include "workers/case/case_tokens.h"

#include <stdlib.h>

// The records of one backend, in the order of the log.
struct backend {
    struct log_record **records;
    size_t count;
    size_t first, end; // the steps are records[first .. end - 1]
};

struct log_reader {
    struct case_reader *reader;
    struct sql_case *made;
    struct log_records records;
    struct backend backends[CASE_SESSIONS_MAX];
    size_t count;
};

// --- Statements of drivers and pools ---

enum housekeeping {
    HOUSEKEEPING_NONE,
    HOUSEKEEPING_BEGIN,  // begins a transaction: housekeeping only if nothing follows in the whole session
    HOUSEKEEPING_FINISH, // ends a transaction: without effect at the beginning of a session
    HOUSEKEEPING_STATE,  // has to do with the state of the connection only
};

static bool first_word_is(const char *sql, const char *const *words) {
    struct case_scanner scanner = {.rest = slice_of(sql), .line = 1};
    struct case_token word = case_scan_code(&scanner);
    while (*words != NULL && !case_token_is(&word, *words)) {
        words++;
    }
    return *words != NULL;
}

// Drivers send an empty query to see whether a connection is alive.
static bool is_empty(const char *sql) {
    struct case_scanner scanner = {.rest = slice_of(sql), .line = 1};
    struct case_token token = case_scan_code(&scanner);
    return token.kind == CASE_TOKEN_END || case_token_is_symbol(&token, ';');
}

// A text of several statements is a request, whatever it begins with.
static bool has_one_statement(const char *sql) {
    struct slice rest = slice_of(sql);
    struct case_sql_statement statement;
    int line = 1;
    return case_next_statement(&rest, &line, &statement, NULL) && !case_next_statement(&rest, &line, &statement, NULL);
}

static enum housekeeping housekeeping_of(const struct log_record *record) {
    static const char *const begins[] = {"begin", "start", NULL};
    static const char *const finishes[] = {"commit", "end", "rollback", "abort", NULL};
    static const char *const states[] = {"set",   "show",     "reset", "discard", "deallocate",
                                         "close", "unlisten", "load",  NULL};
    if (is_empty(record->sql)) {
        return HOUSEKEEPING_STATE;
    }
    if (!has_one_statement(record->sql)) {
        return HOUSEKEEPING_NONE;
    }
    return first_word_is(record->sql, begins)     ? HOUSEKEEPING_BEGIN
           : first_word_is(record->sql, finishes) ? HOUSEKEEPING_FINISH
           : first_word_is(record->sql, states)   ? HOUSEKEEPING_STATE
                                                  : HOUSEKEEPING_NONE;
}

// Finds the steps of a backend. False: there is none, because the backend did nothing but housekeeping.
static bool find_steps(struct backend *backend) {
    bool has_request = false;
    backend->first = backend->count;
    for (size_t i = 0; i < backend->count; i++) {
        enum housekeeping kind = housekeeping_of(backend->records[i]);
        has_request = has_request || kind == HOUSEKEEPING_NONE;
        if (kind <= HOUSEKEEPING_BEGIN && backend->first == backend->count) {
            backend->first = i;
        }
        if (kind != HOUSEKEEPING_STATE) {
            backend->end = i + 1;
        }
    }
    return has_request;
}

// --- Backends ---

static int compare_by_backend(const void *a, const void *b) {
    const struct log_record *one = *(struct log_record *const *)a;
    const struct log_record *other = *(struct log_record *const *)b;
    int order = strcmp(one->session_id, other->session_id);
    return order != 0 ? order : (one->number > other->number) - (one->number < other->number);
}

static size_t first_number(const struct backend *backend) {
    return backend->records[backend->first]->number;
}

static int compare_by_first_step(const void *a, const void *b) {
    size_t one = first_number(a);
    size_t other = first_number(b);
    return (one > other) - (one < other);
}

static bool add_backend(struct log_reader *log, struct log_record **records, size_t count) {
    struct backend backend = {.records = records, .count = count};
    if (!find_steps(&backend)) {
        return true;
    }
    if (log->count == CASE_SESSIONS_MAX) {
        return case_complain(log->reader, records[backend.first]->line,
                             "there are more than %d sessions: keep only the entries of the requests that are to be "
                             "explored",
                             CASE_SESSIONS_MAX);
    }
    log->backends[log->count++] = backend;
    return true;
}

static bool find_backends(struct log_reader *log) {
    size_t count = log->records.count;
    struct log_record **sorted = case_allocate(log->reader->list->memory, (count + 1) * sizeof(struct log_record *));
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &log->records.items[i];
    }
    qsort(sorted, count, sizeof(struct log_record *), compare_by_backend);
    size_t start = 0;
    for (size_t i = 1; i <= count; i++) {
        if (i == count || strcmp(sorted[i]->session_id, sorted[start]->session_id) != 0) {
            if (!add_backend(log, &sorted[start], i - start)) {
                return false;
            }
            start = i;
        }
    }
    qsort(log->backends, log->count, sizeof *log->backends, compare_by_first_step);
    return true;
}

static bool check_backends(struct log_reader *log) {
    if (log->records.count == 0) {
        return case_complain(log->reader, 0,
                             "there are no statements: set log_statement = 'all' and record again "
                             "(with lc_messages = 'C', which keeps the words in English)");
    }
    if (log->count < 2) {
        return case_complain(log->reader, log->count == 0 ? 0 : log->backends[0].records[0]->line,
                             "%s with statements other than SET, SHOW and the like: two or more are needed",
                             log->count == 0 ? "there is no session" : "there is only one session");
    }
    const char *database = log->backends[0].records[0]->database;
    for (size_t i = 1; i < log->count; i++) {
        const struct log_record *record = log->backends[i].records[0];
        if (strcmp(record->database, database) != 0) {
            return case_complain(log->reader, record->line,
                                 "the sessions use the databases \"%s\" and \"%s\": keep only the entries of one",
                                 database, record->database);
        }
    }
    return true;
}

// --- The case ---

// A setting that was undone before the first step has no effect on it.
static void add_setup(struct log_reader *log, const struct log_record *record, struct case_blocks *setup) {
    static const char *const sets[] = {"set", NULL};
    static const char *const undoes[] = {"reset", "discard", NULL};
    if (first_word_is(record->sql, undoes)) {
        setup->count = 0;
    } else if (first_word_is(record->sql, sets)) {
        struct case_block *block = case_append(log->reader->list->memory, &setup->items, &setup->count, sizeof *block);
        *block = (struct case_block){.sql = record->sql, .line = record->line};
    }
}

// A single statement is sent without its semicolon. A text of several statements is one simple query, as it was.
static void add_step(struct log_reader *log, const struct log_record *record, struct case_session *session) {
    struct case_memory *memory = log->reader->list->memory;
    struct slice rest = slice_of(record->sql);
    struct case_sql_statement statement;
    int line = 1;
    bool is_single = has_one_statement(record->sql) && case_next_statement(&rest, &line, &statement, NULL);
    struct case_piece *piece = case_allocate(memory, sizeof *piece);
    *piece = (struct case_piece){.kind = CASE_PIECE_TEXT,
                                 .text = is_single ? case_copy(memory, statement.text) : record->sql};
    struct case_instruction *step = case_append(memory, &session->instructions, &session->count, sizeof *step);
    *step = (struct case_instruction){.operation = CASE_STATEMENT,
                                      .line = record->line,
                                      .name = case_format(memory, "%s%zu", session->name, session->count),
                                      .text = {piece, 1},
                                      .source = piece->text,
                                      .is_block = !is_single,
                                      .parameters = record->parameters,
                                      .parameter_count = record->parameter_count};
}

static void look_for_level(struct log_reader *log, const struct log_record *record) {
    struct case_memory *memory = case_memory_new();
    struct slice rest = slice_of(record->sql);
    struct case_sql_statement statement;
    int line = 1;
    while (case_next_statement(&rest, &line, &statement, NULL)) {
        bool names_level = case_shape_of(case_copy(memory, statement.text)).names_level;
        log->made->names_levels = log->made->names_levels || names_level;
    }
    case_memory_free(memory);
}

static bool add_session(struct log_reader *log, size_t index) {
    struct sql_case *made = log->made;
    struct case_memory *memory = log->reader->list->memory;
    const struct backend *backend = &log->backends[index];
    struct case_session *session = case_append(memory, &made->sessions, &made->session_count, sizeof *session);
    *session = (struct case_session){.name = case_format(memory, "%c", (char)('A' + index)),
                                     .line = backend->records[backend->first]->line};
    if (backend->end - backend->first > CASE_INSTRUCTIONS_MAX) {
        return case_complain(log->reader, session->line, "this session has more than %d statements",
                             CASE_INSTRUCTIONS_MAX);
    }
    for (size_t i = 0; i < backend->end; i++) {
        struct log_record *record = backend->records[i];
        look_for_level(log, record);
        if (i < backend->first) {
            add_setup(log, record, &session->setup);
            continue;
        }
        record->is_step = true;
        record->session = index;
        record->instruction = session->count;
        add_step(log, record, session);
    }
    return true;
}

static void add_order(struct log_reader *log) {
    struct sql_case *made = log->made;
    struct case_memory *memory = log->reader->list->memory;
    struct case_order *order = case_append(memory, &made->orders, &made->order_count, sizeof *order);
    for (size_t i = 0; i < log->records.count; i++) {
        const struct log_record *record = &log->records.items[i];
        if (record->is_step) {
            order->line = order->count == 0 ? record->line : order->line;
            struct case_order_step *step = case_append(memory, &order->steps, &order->count, sizeof *step);
            *step = (struct case_order_step){.session = record->session, .instruction = record->instruction};
        }
    }
}

bool case_read_log(struct case_reader *reader) {
    struct case_memory *memory = reader->list->memory;
    struct sql_case *made = case_append(memory, &reader->list->cases, &reader->list->count, sizeof *made);
    *made = (struct sql_case){.file = case_copy(memory, slice_of(reader->path)),
                              .name = case_base_name(memory, reader->path),
                              .line = 1,
                              .stops_at_error = true,
                              .is_recording = true,
                              .is_serializable = true};
    struct log_reader log = {.reader = reader, .made = made};
    bool is_csv = slice_ends_with(slice_of(reader->path), SLICE_LITERAL(".csv"));
    bool is_read = is_csv ? log_read_csv(reader, &log.records) : log_read_json(reader, &log.records);
    if (!is_read || !find_backends(&log) || !check_backends(&log)) {
        return false;
    }
    for (size_t i = 0; i < log.count; i++) {
        if (!add_session(&log, i)) {
            return false;
        }
    }
    add_order(&log);
    return true;
}
