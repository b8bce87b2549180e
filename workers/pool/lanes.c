// Lanes are found in a tree of libc's (search.h) and listed, to be walked. Loop thread only.
#include "workers/pool/lanes.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lanes {
    void *tree;
    struct lane *first;
};

static int compare_lanes(const void *left, const void *right) {
    const struct lane *a = left;
    const struct lane *b = right;
    if (a->strategy != b->strategy) {
        return a->strategy < b->strategy ? -1 : 1;
    }
    return strcmp(a->account, b->account);
}

struct lanes *lanes_new(void) {
    return memory_allocate_zeroed(sizeof(struct lanes));
}

void lanes_free(struct lanes *lanes) {
    CHECK(lanes->first == NULL);
    free(lanes);
}

struct lane *lanes_of(struct lanes *lanes, const struct strategy *strategy, const char *account) {
    struct lane wanted = {.strategy = strategy};
    (void)snprintf(wanted.account, sizeof wanted.account, "%s", account);
    struct lane *const *found = tfind(&wanted, &lanes->tree, compare_lanes);
    if (found != NULL) {
        return *found;
    }
    struct lane *lane = memory_allocate_zeroed(sizeof *lane);
    *lane = wanted;
    CHECK(tsearch(lane, &lanes->tree, compare_lanes) != NULL);
    lane->next = lanes->first;
    if (lanes->first != NULL) {
        lanes->first->previous = lane;
    }
    lanes->first = lane;
    return lane;
}

void lanes_settle(struct lanes *lanes, struct lane *lane) {
    if (lane->first != NULL || lane->running > 0 || lane->is_ready) {
        return;
    }
    CHECK(tdelete(lane, &lanes->tree, compare_lanes) != NULL);
    if (lane->previous != NULL) {
        lane->previous->next = lane->next;
    } else {
        lanes->first = lane->next;
    }
    if (lane->next != NULL) {
        lane->next->previous = lane->previous;
    }
    free(lane);
}

struct lane *lanes_first(struct lanes *lanes) {
    return lanes->first;
}

void lane_put(struct lane *lane, struct transfer_job *transfer) {
    transfer->next_waiting = NULL;
    if (lane->last == NULL) {
        lane->first = transfer;
    } else {
        lane->last->next_waiting = transfer;
    }
    lane->last = transfer;
}

void lane_put_back(struct lane *lane, struct transfer_job *transfer) {
    transfer->next_waiting = lane->first;
    lane->first = transfer;
    if (lane->last == NULL) {
        lane->last = transfer;
    }
}

struct transfer_job *lane_take(struct lane *lane) {
    struct transfer_job *transfer = lane->first;
    if (transfer != NULL) {
        lane->first = transfer->next_waiting;
        if (lane->first == NULL) {
            lane->last = NULL;
        }
    }
    return transfer;
}
