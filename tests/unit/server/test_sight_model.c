// sight: random histories on a model of READ COMMITTED. Each finding that is called proved must be true in the model,
// although the proxy sees only messages, each of which is late by a random time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/sight/sight.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    UNITS = 4,
    ROWS = 3,
    STEPS_MAX = 8,
    VERSIONS_MAX = 64,
    TABLE = 1000,
    HISTORIES = 4000,
};

enum action { READ, READ_LOCKED, WRITE, COMMIT, ROLLBACK, ACTIONS };

// The server executes a step after it was sent, and its answer comes in after that; other messages come in between.
enum progress { IDLE, SENT, EXECUTED };

struct unit {
    enum action steps[STEPS_MAX];
    size_t rows[STEPS_MAX];
    size_t count, next;
    enum progress progress;
    int read[ROWS];   // the version that it read or wrote last; -1: none
    int oldest[ROWS]; // the version that it read first; -1: none
    bool has_committed;
    bool is_traced; // each statement commits by itself, and a comment makes one unit of them
    struct sight_session *session;
};

// The versions of a row, in their order, and their writers.
struct row {
    int writers[VERSIONS_MAX];
    size_t count;
    int locked_by; // -1: nobody
};

static uint64_t seed;
static struct unit units[UNITS];
static struct row rows[ROWS];
static bool is_stale[UNITS][UNITS];  // the first unit wrote a row whose version by the second one it had not read
static bool stale_now[UNITS][UNITS]; // the same before the first one has committed
static size_t unit_count, proved, true_races;
static struct sight *sight;

static size_t pick(size_t sides) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(seed >> 33) % sides;
}

static void make_unit(struct unit *unit, uint32_t pid) {
    *unit = (struct unit){.session = sight_session_open(sight, "bank", pid)};
    unit->count = 2 + pick(STEPS_MAX - 2);
    for (size_t i = 0; i < unit->count; i++) {
        unit->steps[i] = (enum action)pick(WRITE + 1);
        unit->rows[i] = pick(ROWS);
    }
    unit->steps[unit->count - 1] = pick(5) == 0 ? ROLLBACK : COMMIT;
    unit->is_traced = pick(3) == 0;
    unit->has_committed = unit->is_traced;
    unit->count -= unit->is_traced;
    for (size_t i = 0; i < ROWS; i++) {
        unit->read[i] = unit->oldest[i] = -1;
    }
}

static void send_step(struct unit *unit) {
    static const char *const texts[] = {
        [READ] = "SELECT id, v FROM t WHERE id = %zu",
        [READ_LOCKED] = "SELECT id, v FROM t WHERE id = %zu FOR UPDATE",
        [WRITE] = "UPDATE t SET v = 1 WHERE id = %zu",
        [COMMIT] = "COMMIT",
        [ROLLBACK] = "ROLLBACK",
    };
    char sql[120];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(sql, sizeof sql, texts[unit->steps[unit->next]], unit->rows[unit->next]);
#pragma GCC diagnostic pop
    if (unit->is_traced) {
        size_t length = strlen(sql);
        (void)snprintf(sql + length, sizeof sql - length, " /*request_id=request-%td*/", unit - units);
    }
    sight_query(unit->session, slice_of(sql), 1);
    unit->progress = SENT;
}

static int latest(const struct row *row) {
    return (int)row->count - 1;
}

// The newest version that `self` may see: its own, or the last committed one.
static int visible(const struct row *row, int self) {
    int version = latest(row);
    while (version > 0 && row->writers[version] != self && !units[row->writers[version]].has_committed) {
        version--;
    }
    return version;
}

static void write_row(int self, size_t index) {
    struct row *row = &rows[index];
    struct unit *unit = &units[self];
    for (int version = unit->read[index] + 1; unit->read[index] >= 0 && version < (int)row->count; version++) {
        stale_now[self][row->writers[version]] |= row->writers[version] != self && row->writers[version] >= 0;
    }
    row->locked_by = self;
    row->writers[row->count++] = self;
    if (unit->read[index] >= 0) {
        unit->read[index] = latest(row);
    }
}

// Undoes the versions of a unit; its locks are released in both cases.
static void finish(int self, bool commits) {
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].locked_by != self) {
            continue;
        }
        rows[i].locked_by = -1;
        while (!commits && rows[i].count > 1 && rows[i].writers[rows[i].count - 1] == self) {
            rows[i].count--;
        }
    }
    units[self].has_committed = commits;
    for (size_t i = 0; commits && i < UNITS; i++) {
        is_stale[self][i] |= stale_now[self][i];
    }
}

// False: the step waits for a lock.
static bool execute_step(int self) {
    struct unit *unit = &units[self];
    size_t index = unit->rows[unit->next];
    struct row *row = &rows[index];
    enum action action = unit->steps[unit->next];
    bool needs_lock = action == WRITE || action == READ_LOCKED;
    if (needs_lock && row->locked_by != -1 && row->locked_by != self) {
        return false;
    }
    if (action == READ_LOCKED) {
        row->locked_by = self;
    }
    if (action == READ || action == READ_LOCKED) {
        unit->read[index] = visible(row, self);
        unit->oldest[index] = unit->oldest[index] < 0 ? unit->read[index] : unit->oldest[index];
    } else if (action == WRITE) {
        write_row(self, index);
    } else {
        finish(self, action == COMMIT);
    }
    if (unit->is_traced) {
        finish(self, true);
    }
    unit->progress = EXECUTED;
    return true;
}

static void receive_answer(struct unit *unit) {
    static const struct sight_field fields[] = {{TABLE, 1, 23, 0}, {TABLE, 2, 23, 0}};
    static const char *const tags[] = {"SELECT 1", "SELECT 1", "UPDATE 1", "COMMIT", "ROLLBACK"};
    enum action action = unit->steps[unit->next];
    if (action == READ || action == READ_LOCKED) {
        char id[8];
        int length = snprintf(id, sizeof id, "%zu", unit->rows[unit->next]);
        struct slice values[] = {{id, (size_t)length}, SLICE_LITERAL("7")};
        sight_row_description(unit->session, fields, 2);
        sight_data_row(unit->session, values, 2, 1);
    }
    sight_command_complete(unit->session, slice_of(tags[action]), 1);
    sight_ready(unit->session, action >= COMMIT || unit->is_traced ? 'I' : 'T', 1);
    unit->progress = IDLE;
    unit->next++;
}

static bool can_move(int self) {
    struct unit *unit = &units[self];
    if (unit->next == unit->count) {
        return false;
    }
    if (unit->progress == IDLE) {
        send_step(unit);
        return true;
    }
    if (unit->progress == SENT) {
        return execute_step(self);
    }
    receive_answer(unit);
    return true;
}

// The first unit read a row without a committed version that the second one made.
static bool has_missed(int first, int second) {
    bool missed = false;
    for (size_t i = 0; i < ROWS && units[second].has_committed; i++) {
        int oldest = units[first].oldest[i];
        for (int version = oldest + 1; oldest >= 0 && version < (int)rows[i].count; version++) {
            missed |= rows[i].writers[version] == second;
        }
    }
    return missed;
}

static void on_finding(const struct sight_finding *finding, void *user_data) {
    (void)user_data;
    if (finding->level != SIGHT_PROVED) {
        return;
    }
    size_t first = finding->first.backend_pid - 1;
    size_t second = finding->second.backend_pid - 1;
    proved++;
    if (finding->kind == SIGHT_WRITE_SKEW) {
        assert_true(has_missed((int)first, (int)second) && has_missed((int)second, (int)first));
        return;
    }
    bool is_mutual = strstr(finding->sentence, "both read") != NULL;
    bool is_true = is_stale[first][second] || (is_mutual && is_stale[second][first]);
    if (!is_true) {
        fail_msg("not true in the model: %s", finding->sentence);
    }
}

static void play(uint64_t number) {
    static const struct sight_column columns[] = {{1, "id", 23, true}, {2, "v", 23, false}};
    struct sight_options options = {.on_finding = on_finding};
    seed = number * UINT64_C(2654435761) + 1;
    sight = sight_new(&options);
    sight_add_table(sight, "bank", TABLE, "public", "t", columns, 2);
    memset(is_stale, 0, sizeof is_stale);
    memset(stale_now, 0, sizeof stale_now);
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = (struct row){.writers = {-1}, .count = 1, .locked_by = -1};
    }
    unit_count = 2 + pick(UNITS - 1);
    for (size_t i = 0; i < unit_count; i++) {
        make_unit(&units[i], (uint32_t)i + 1);
        if (units[i].is_traced) {
            continue;
        }
        sight_query(units[i].session, SLICE_LITERAL("BEGIN"), 1);
        sight_command_complete(units[i].session, SLICE_LITERAL("BEGIN"), 1);
        sight_ready(units[i].session, 'T', 1);
    }
    for (size_t idle = 0; idle < 200;) { // ends also in a deadlock
        idle = can_move((int)pick(unit_count)) ? 0 : idle + 1;
    }
    for (size_t i = 0; i < unit_count; i++) {
        for (size_t k = 0; k < unit_count; k++) {
            true_races += is_stale[i][k] && units[k].has_committed;
        }
        sight_session_close(units[i].session);
    }
    sight_free(sight);
}

static void test_proved_is_true(void **state) {
    (void)state;
    for (uint64_t number = 1; number <= HISTORIES; number++) {
        play(number);
    }
    print_message("%zu proved, %zu stale pairs\n", proved, true_races);
    assert_true(proved > true_races / 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_proved_is_true)};
    return sight_has_grammar() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
