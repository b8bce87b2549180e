// The mailbox of the worker that posts batches.
#include "workers/pool/batch_mailbox.h"

#define BIT(state) (1U << (unsigned)(state))

// Changes the state: nothing else does. With the mutex.
static void move(struct batch_mailbox *mailbox, enum batch_mailbox_state state) {
    static const unsigned legal_moves[BATCH_MAILBOX_STATES] = {
        [BATCH_MAILBOX_CLOSED] = BIT(BATCH_MAILBOX_FULL),
        [BATCH_MAILBOX_EMPTY] = BIT(BATCH_MAILBOX_FULL) | BIT(BATCH_MAILBOX_CLOSED),
        [BATCH_MAILBOX_FULL] = BIT(BATCH_MAILBOX_EMPTY) | BIT(BATCH_MAILBOX_CLOSED),
    };
    CHECK((legal_moves[mailbox->state] & BIT(state)) != 0);
    CHECK((state == BATCH_MAILBOX_FULL) == (mailbox->next != NULL));
    mailbox->state = state;
}

void batch_mailbox_init(struct batch_mailbox *mailbox, uv_loop_t *loop, uv_async_cb on_returned) {
    CHECK(uv_mutex_init(&mailbox->mutex) == 0);
    CHECK(uv_async_init(loop, &mailbox->returned_some, on_returned) == 0);
    mailbox->state = BATCH_MAILBOX_CLOSED;
    STAILQ_INIT(&mailbox->returned);
}

void batch_mailbox_leave_loop(struct batch_mailbox *mailbox) {
    uv_close((uv_handle_t *)&mailbox->returned_some, NULL);
}

void batch_mailbox_free(struct batch_mailbox *mailbox) {
    CHECK(mailbox->state == BATCH_MAILBOX_CLOSED && STAILQ_EMPTY(&mailbox->returned) && mailbox->taken == 0);
    uv_mutex_destroy(&mailbox->mutex);
}

void batch_mailbox_open(struct batch_mailbox *mailbox, struct batch *first) {
    uv_mutex_lock(&mailbox->mutex);
    CHECK(mailbox->state == BATCH_MAILBOX_CLOSED && first->count > 0);
    mailbox->next = first;
    move(mailbox, BATCH_MAILBOX_FULL);
    uv_mutex_unlock(&mailbox->mutex);
}

void batch_mailbox_add(struct batch_mailbox *mailbox, void (*fill)(void *owner, struct batch *batch), void *owner) {
    uv_mutex_lock(&mailbox->mutex);
    if (mailbox->state == BATCH_MAILBOX_EMPTY) {
        mailbox->next = batch_new();
        move(mailbox, BATCH_MAILBOX_FULL);
    }
    if (mailbox->state == BATCH_MAILBOX_FULL) {
        fill(owner, mailbox->next);
        CHECK(mailbox->next->count > 0);
    }
    uv_mutex_unlock(&mailbox->mutex);
}

// Takes the next batch out, if there is one. With the mutex.
static struct batch *take(struct batch_mailbox *mailbox, enum batch_mailbox_state state) {
    struct batch *next = mailbox->next;
    mailbox->next = NULL;
    move(mailbox, state);
    return next;
}

struct batch *batch_mailbox_take_back(struct batch_mailbox *mailbox) {
    struct batch *next = NULL;
    uv_mutex_lock(&mailbox->mutex);
    if (mailbox->state == BATCH_MAILBOX_FULL) {
        next = take(mailbox, BATCH_MAILBOX_EMPTY);
    }
    uv_mutex_unlock(&mailbox->mutex);
    return next;
}

void batch_mailbox_collect(struct batch_mailbox *mailbox, struct batch_list *returned) {
    uv_mutex_lock(&mailbox->mutex);
    STAILQ_CONCAT(returned, &mailbox->returned);
    uv_mutex_unlock(&mailbox->mutex);
}

size_t batch_mailbox_count_taken(struct batch_mailbox *mailbox) {
    uv_mutex_lock(&mailbox->mutex);
    size_t taken = mailbox->taken;
    mailbox->taken = 0;
    uv_mutex_unlock(&mailbox->mutex);
    return taken;
}

struct batch *batch_mailbox_exchange(struct batch_mailbox *mailbox, struct batch *ended) {
    struct batch *next = NULL;
    uv_mutex_lock(&mailbox->mutex);
    bool row_held = ended != NULL && ended->state == BATCH_ROW_HELD;
    if (ended != NULL) {
        STAILQ_INSERT_TAIL(&mailbox->returned, ended, next);
    }
    if (mailbox->state == BATCH_MAILBOX_FULL && !row_held) {
        next = take(mailbox, BATCH_MAILBOX_EMPTY);
        mailbox->taken += next->count;
        batch_start(next);
    } else {
        struct batch *not_begun = take(mailbox, BATCH_MAILBOX_CLOSED);
        if (not_begun != NULL) {
            STAILQ_INSERT_TAIL(&mailbox->returned, not_begun, next);
        }
    }
    uv_mutex_unlock(&mailbox->mutex);
    if (ended != NULL && next != NULL) { // else the after-work callback of the worker wakes the loop
        CHECK(uv_async_send(&mailbox->returned_some) == 0);
    }
    return next;
}
