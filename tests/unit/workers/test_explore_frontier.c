// frontier: the search runs each order exactly once, and the orders with the fewest preemptions first. The sessions are
// a model with locks: a session that waits for a lock cannot go next, so the orders of a program are not all of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/explore/explore_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS = 3, STEPS = 4, LOCKS = 2, NO_LOCK = -1, ORDERS_MAX = 50000, ORDER_LENGTH = SESSIONS * STEPS + 1 };

struct program {
    size_t count[SESSIONS];
    int lock[SESSIONS][STEPS]; // that the step takes, or NO_LOCK; the end of a session frees its locks
};

struct model {
    const struct program *program;
    size_t at[SESSIONS];
    int holder[LOCKS];   // session, or -1
    int waits[SESSIONS]; // lock, or NO_LOCK
};

static struct model model_of(const struct program *program) {
    struct model model = {.program = program};
    for (size_t i = 0; i < LOCKS; i++) {
        model.holder[i] = -1;
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        model.waits[i] = NO_LOCK;
    }
    return model;
}

static uint16_t ready_in(const struct model *model) {
    uint16_t ready = 0;
    for (size_t i = 0; i < SESSIONS; i++) {
        bool may = model->at[i] < model->program->count[i] && model->waits[i] == NO_LOCK;
        ready |= (uint16_t)((may ? 1U : 0U) << i);
    }
    return ready;
}

static void go_behind_step(struct model *model, int session);

static void take_lock(struct model *model, int session, int lock) {
    if (lock != NO_LOCK && model->holder[lock] >= 0 && model->holder[lock] != session) {
        model->waits[session] = lock;
        return;
    }
    if (lock != NO_LOCK) {
        model->holder[lock] = session;
    }
    model->waits[session] = NO_LOCK;
    go_behind_step(model, session);
}

static void go_behind_step(struct model *model, int session) {
    if (++model->at[session] < model->program->count[session]) {
        return;
    }
    for (int lock = 0; lock < LOCKS; lock++) {
        if (model->holder[lock] != session) {
            continue;
        }
        model->holder[lock] = -1;
        for (int i = 0; i < SESSIONS; i++) {
            if (model->waits[i] == lock && model->holder[lock] < 0) {
                take_lock(model, i, lock);
            }
        }
    }
}

static void step(struct model *model, int session) {
    take_lock(model, session, model->program->lock[session][model->at[session]]);
}

// As explore_run.c does it: the prefix, then the same session while it can, then the first one that can.
static struct explore_run run_prefix(const struct program *program, const struct prefix *prefix,
                                     struct explore_step *steps) {
    struct model model = model_of(program);
    struct explore_run run = {.steps = steps};
    uint16_t ready;
    for (uint8_t last = NO_SESSION; (ready = ready_in(&model)) != 0;) {
        bool can_go_on = last != NO_SESSION && (ready >> last & 1);
        uint8_t next = can_go_on ? last : (uint8_t)__builtin_ctz(ready);
        if (run.step_count < prefix->count) {
            next = prefix->sessions[run.step_count];
            assert_true(ready >> next & 1);
        }
        run.preemptions += can_go_on && next != last;
        steps[run.step_count++] = (struct explore_step){.session = next, .enabled = ready};
        step(&model, next);
        last = next;
    }
    return run;
}

struct orders {
    char (*texts)[ORDER_LENGTH];
    size_t count;
};

static void add_order(struct orders *orders, const char *text) {
    assert_true(orders->count < ORDERS_MAX);
    (void)snprintf(orders->texts[orders->count++], ORDER_LENGTH, "%s", text);
}

// Every order, by trying every session at every place.
static void add_all(const struct model *model, char *order, size_t length, struct orders *orders) {
    uint16_t ready = ready_in(model);
    order[length] = '\0';
    if (ready == 0) {
        add_order(orders, order);
    }
    for (int i = 0; i < SESSIONS; i++) {
        if (ready >> i & 1) {
            struct model next = *model;
            step(&next, i);
            order[length] = (char)('A' + i);
            add_all(&next, order, length + 1, orders);
        }
    }
}

static void search(const struct program *program, struct orders *orders) {
    struct frontier frontier;
    frontier_begin(&frontier);
    (void)frontier_add(&frontier, NULL, 0, NO_SESSION, 0);
    uint32_t before = 0;
    struct prefix *prefix;
    while ((prefix = frontier_take(&frontier)) != NULL) {
        struct explore_step steps[ORDER_LENGTH];
        struct explore_run run = run_prefix(program, prefix, steps);
        char order[ORDER_LENGTH] = "";
        for (size_t i = 0; i < run.step_count; i++) {
            order[i] = (char)('A' + steps[i].session);
        }
        add_order(orders, order);
        assert_int_equal(prefix->preemptions, run.preemptions);
        assert_true(run.preemptions >= before);
        before = run.preemptions;
        assert_false(frontier_branch(&frontier, prefix, &run, NULL));
        free(prefix);
    }
    assert_int_equal(frontier.count, 0);
}

static int compare(const void *one, const void *other) {
    return strcmp(one, other);
}

static struct orders new_orders(void) {
    struct orders orders = {.texts = calloc(ORDERS_MAX, ORDER_LENGTH)};
    assert_non_null(orders.texts);
    return orders;
}

// Returns the number of orders.
static size_t check(const struct program *program) {
    struct orders found = new_orders();
    struct orders all = new_orders();
    char order[ORDER_LENGTH];
    struct model model = model_of(program);
    add_all(&model, order, 0, &all);
    search(program, &found);
    qsort(found.texts, found.count, ORDER_LENGTH, compare);
    qsort(all.texts, all.count, ORDER_LENGTH, compare);
    assert_int_equal(found.count, all.count);
    for (size_t i = 0; i < all.count; i++) {
        assert_string_equal(found.texts[i], all.texts[i]);
    }
    size_t count = all.count;
    free(found.texts);
    free(all.texts);
    return count;
}

static struct program program_of(size_t a, size_t b, size_t c) {
    struct program program = {.count = {a, b, c}};
    for (size_t i = 0; i < SESSIONS; i++) {
        for (size_t j = 0; j < STEPS; j++) {
            program.lock[i][j] = NO_LOCK;
        }
    }
    return program;
}

static void test_sessions_that_never_wait(void **state) {
    (void)state;
    assert_int_equal(check(&(struct program){.count = {0}}), 1);
    struct program program = program_of(4, 4, 0);
    assert_int_equal(check(&program), 70);
    program = program_of(3, 3, 3);
    assert_int_equal(check(&program), 1680);
    program = program_of(4, 4, 4);
    assert_int_equal(check(&program), 34650);
}

static void test_a_lock_leaves_fewer_orders(void **state) {
    (void)state;
    struct program program = program_of(4, 4, 0);
    program.lock[0][0] = program.lock[1][0] = 0;
    // One session runs to its end; the other can only launch its first step meanwhile, at one of four places.
    assert_int_equal(check(&program), 8);
}

static void test_an_order_ends_at_a_deadlock(void **state) {
    (void)state;
    struct program program = program_of(3, 3, 0);
    program.lock[0][0] = program.lock[1][1] = 0;
    program.lock[0][1] = program.lock[1][0] = 1;
    assert_true(check(&program) > 2);
}

static void test_random_programs(void **state) {
    (void)state;
    unsigned seed = 1;
    for (int i = 0; i < 300; i++) {
        struct program program = program_of(0, 0, 0);
        for (size_t session = 0; session < SESSIONS; session++) {
            program.count[session] = (size_t)rand_r(&seed) % STEPS;
            for (size_t j = 0; j < STEPS; j++) {
                program.lock[session][j] = rand_r(&seed) % 2 == 0 ? NO_LOCK : rand_r(&seed) % LOCKS;
            }
        }
        (void)check(&program);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_that_never_wait),
        cmocka_unit_test(test_a_lock_leaves_fewer_orders),
        cmocka_unit_test(test_an_order_ends_at_a_deadlock),
        cmocka_unit_test(test_random_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
