// event_ring: events are read back whole from each position where a subscriber may continue, also after the ring has
// wrapped around many times.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/events/event_ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int make_ring(void **state) {
    *state = event_ring_new();
    return 0;
}

static int free_ring(void **state) {
    event_ring_free(*state);
    return 0;
}

static void append(struct event_ring *ring, const char *data) {
    event_ring_append(ring, "step", slice_of(data));
}

// Event n has n modulo 997 bytes of data. The lengths differ, so that events end at many different places of the ring.
static void append_many(struct event_ring *ring, uint64_t first, uint64_t last) {
    static char letters[997];
    memset(letters, 'x', sizeof letters);
    for (uint64_t number = first; number <= last; number++) {
        event_ring_append(ring, "step", (struct slice){letters, number % 997});
    }
}

static struct text between(const struct event_ring *ring, uint64_t from, uint64_t to) {
    struct text text = {0};
    struct slice pieces[2];
    size_t count = event_ring_bytes(ring, from, to, pieces);
    for (size_t i = 0; i < count; i++) {
        text_append_slice(&text, pieces[i]);
    }
    return text;
}

static enum event_resume find(const struct event_ring *ring, uint64_t number, uint64_t *position) {
    char id[EVENT_ID_LENGTH];
    (void)snprintf(id, sizeof id, "%s-%" PRIu64, event_ring_boot(ring), number);
    return event_ring_find(ring, slice_of(id), position);
}

static void test_one_event(void **state) {
    struct event_ring *ring = *state;
    char id[EVENT_ID_LENGTH];
    char wanted[256];
    event_ring_newest_id(ring, id);
    assert_int_equal(strlen(event_ring_boot(ring)), 8);
    assert_memory_equal(id, event_ring_boot(ring), 8);
    assert_string_equal(id + 8, "-0");
    append(ring, "{\"a\":1}");
    event_ring_newest_id(ring, id);
    (void)snprintf(wanted, sizeof wanted, "id: %s\nevent: step\ndata: {\"a\":1}\n\n", id);
    struct text text = between(ring, 0, event_ring_end(ring));
    assert_string_equal(text_terminated(&text), wanted);
    text_free(&text);
}

static void test_two_starts_have_two_names(void **state) {
    struct event_ring *other = event_ring_new();
    assert_string_not_equal(event_ring_boot(*state), event_ring_boot(other));
    event_ring_free(other);
}

static void test_where_a_subscriber_continues(void **state) {
    struct event_ring *ring = *state;
    uint64_t position = 77;
    assert_int_equal(find(ring, 0, &position), EVENT_RESUMES);
    assert_int_equal(position, 0);
    append(ring, "{}");
    uint64_t behind_first = event_ring_end(ring);
    append(ring, "{}");
    assert_int_equal(find(ring, 0, &position), EVENT_RESUMES);
    assert_int_equal(position, 0);
    assert_int_equal(find(ring, 1, &position), EVENT_RESUMES);
    assert_int_equal(position, behind_first);
    assert_int_equal(find(ring, 2, &position), EVENT_RESUMES);
    assert_int_equal(position, event_ring_end(ring));
    assert_int_equal(find(ring, 3, &position), EVENT_RESTARTED);
}

static void test_ids_of_another_start(void **state) {
    struct event_ring *ring = *state;
    append(ring, "{}");
    char boot_only[16];
    char dash_only[16];
    char huge[64];
    (void)snprintf(boot_only, sizeof boot_only, "%s", event_ring_boot(ring));
    (void)snprintf(dash_only, sizeof dash_only, "%s-", event_ring_boot(ring));
    (void)snprintf(huge, sizeof huge, "%s-99999999999999999999", event_ring_boot(ring));
    const char *ids[] = {"", "-", "1", "zzzzzzzz-1", boot_only, dash_only, huge};
    uint64_t position;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        assert_int_equal(event_ring_find(ring, slice_of(ids[i]), &position), EVENT_RESTARTED);
    }
}

// Reads from the position to the end, and checks that this gives the events from `number` to the newest, each whole.
static void assert_reads_on(const struct event_ring *ring, uint64_t position, uint64_t number, uint64_t newest) {
    struct text text = between(ring, position, event_ring_end(ring));
    const char *rest = text_terminated(&text);
    for (; number <= newest; number++) {
        char head[64];
        int length = snprintf(head, sizeof head, "id: %s-%" PRIu64 "\nevent: step\ndata: ", event_ring_boot(ring),
                              number);
        assert_memory_equal(rest, head, (size_t)length);
        rest += length;
        assert_int_equal(strspn(rest, "x"), number % 997);
        rest += number % 997;
        assert_memory_equal(rest, "\n\n", 2);
        rest += 2;
    }
    assert_string_equal(rest, "");
    text_free(&text);
}

static void test_round_and_round(void **state) {
    struct event_ring *ring = *state;
    uint64_t newest = 0;
    for (int round = 0; round < 40; round++) {
        append_many(ring, newest + 1, newest + 500);
        newest += 500;
        uint64_t position;
        uint64_t oldest = newest;
        while (oldest > 0 && find(ring, oldest - 1, &position) == EVENT_RESUMES) {
            oldest--;
        }
        assert_true(round < 4 || oldest > 0);
        assert_true(oldest == 0 || find(ring, oldest - 1, &position) == EVENT_TOO_OLD);
        assert_int_equal(find(ring, oldest, &position), EVENT_RESUMES);
        assert_reads_on(ring, position, oldest + 1, newest);
        assert_int_equal(event_ring_boundary(ring, position), position);
        assert_true(event_ring_end(ring) - position <= EVENT_RING_BYTES);
    }
    assert_true(event_ring_end(ring) > 8 * (uint64_t)EVENT_RING_BYTES);
}

static void test_the_smallest_events(void **state) {
    struct event_ring *ring = *state;
    for (int i = 0; i < 100000; i++) {
        event_ring_append(ring, "a", SLICE_LITERAL(""));
    }
    uint64_t position;
    assert_int_equal(find(ring, 100000 - 20000, &position), EVENT_RESUMES);
    assert_int_equal(find(ring, 1, &position), EVENT_TOO_OLD);
}

static void test_boundaries(void **state) {
    struct event_ring *ring = *state;
    assert_int_equal(event_ring_boundary(ring, 0), 0);
    append_many(ring, 1, 3);
    uint64_t second;
    uint64_t third;
    assert_int_equal(find(ring, 1, &second), EVENT_RESUMES);
    assert_int_equal(find(ring, 2, &third), EVENT_RESUMES);
    assert_int_equal(event_ring_boundary(ring, second), second);
    assert_int_equal(event_ring_boundary(ring, second + 1), third);
    assert_int_equal(event_ring_boundary(ring, third - 1), third);
    assert_int_equal(event_ring_boundary(ring, third + 1), event_ring_end(ring));
    assert_int_equal(event_ring_boundary(ring, event_ring_end(ring)), event_ring_end(ring));
}

// A subscriber that has read up to the returned position loses nothing when the next event is appended.
static void test_the_evict_limit(void **state) {
    struct event_ring *ring = *state;
    char *large = memory_allocate(EVENT_BYTES_MAX);
    memset(large, 'x', EVENT_BYTES_MAX);
    struct slice data = {large, EVENT_BYTES_MAX};
    assert_int_equal(event_ring_evict_limit(ring, data), 0);
    for (int i = 0; i < 100; i++) {
        uint64_t safe = event_ring_evict_limit(ring, data);
        event_ring_append(ring, "barrier_release", data);
        assert_true(event_ring_end(ring) - safe <= EVENT_RING_BYTES || safe == 0);
    }
    assert_true(event_ring_evict_limit(ring, data) > 0);
    free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_event, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_two_starts_have_two_names, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_where_a_subscriber_continues, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_ids_of_another_start, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_round_and_round, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_the_smallest_events, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_boundaries, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_the_evict_limit, make_ring, free_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
