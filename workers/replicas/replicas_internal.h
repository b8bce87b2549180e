// The private header of this folder: what the loop and the link share, and the link itself.
#ifndef WORKERS_REPLICAS_REPLICAS_INTERNAL_H
#define WORKERS_REPLICAS_REPLICAS_INTERNAL_H

#include "sql/replicas.h"
#include "workers/replicas/replicas.h"

#include <stdatomic.h>

// A transfer of this program that waits at the barrier.
struct shared_waiter {
    STAILQ_ENTRY(shared_waiter) next;
    char name[BARRIER_NAME_MAX + 1];
    uint64_t version;    // the gates' version at its arrival
    bool was_sent;       // this session has reported the arrival
    bool leaves;         // its time is over, or the gates have opened
    bool is_withdrawing; // this session asks whether it was released meanwhile
};
STAILQ_HEAD(shared_waiter_list, shared_waiter);

enum news_kind { NEWS_SETTINGS, NEWS_ANSWER, NEWS_REFUSED };

// A report from the link to the loop.
struct news {
    STAILQ_ENTRY(news) next;
    enum news_kind kind;
    uint64_t version, gates;
    struct text text; // the settings, or the problem
    struct replicas_change *change;
};

// The purpose of the running statements of the link.
enum link_errand { ERRAND_NONE, ERRAND_CHANGE, ERRAND_ARRIVALS, ERRAND_WITHDRAWAL, ERRAND_BEAT };

// Link thread only.
struct link {
    uv_loop_t loop;
    uv_timer_t timer; // every second, and the pauses between two attempts to connect
    struct db_async *session;
    bool is_registered; // the session may be used
    bool is_broken;     // it must be replaced
    bool was_registered;
    bool is_stopped;
    bool is_refused;
    bool beat_is_due;
    enum link_errand errand;
    db_async_done *answered; // takes the answers of link_send()
    uint64_t sent_ns;
    struct replicas_change *change;
    char schema[DATABASE_NAME_LENGTH];
    struct text schema_id; // the first word of the notifications for this schema
};

struct replicas {
    struct replicas_options options;
    struct gate_outside outside;
    struct text url, settings;
    int64_t started_us;
    uv_async_t news_arrived; // on the loop
    uv_thread_t thread;
    uv_async_t wake; // on the link's loop
    struct link link;
    bool has_thread;          // loop only
    _Atomic uint64_t version; // the settings in force; 0: they have not been read
    uv_mutex_t mutex;         // guards the fields below
    bool has_wake;
    bool has_left_loop;
    bool must_stop;
    STAILQ_HEAD(, news) news;
    STAILQ_HEAD(, replicas_change) changes;
    struct shared_waiter_list waiters;
};

// --- replicas_link.c: the thread ---
// Makes the link's loop. Called by the program's loop, before the thread runs link_run().
void link_init(struct replicas *replicas);
void link_run(void *user);
// --- replicas_send.c ---
// Sends statements that are one transaction.
void link_send(struct replicas *replicas, enum link_errand errand, const struct db_async_call *calls, size_t count);
// Logs the error of the last statements, if any. False: there was one.
MUST_CHECK bool link_succeeded(struct replicas *replicas);

// --- replicas_session.c: opens the session and registers the replica ---
MUST_CHECK bool link_open(struct replicas *replicas);
void link_close(struct replicas *replicas);

// --- replicas_news.c: from the link to the loop ---
void link_report_settings(struct replicas *replicas, uint64_t version, uint64_t gates, const char *json);
void link_report_answer(struct replicas *replicas, struct replicas_change *change, enum replicas_result result);
void link_report_problem(struct replicas *replicas, const char *problem);
void link_take_notification(struct replicas *replicas, const char *payload);

// --- replicas_barrier.c ---
void barrier_use_outside(struct replicas *replicas);
// Send the arrivals or the withdrawals. False: there are none.
MUST_CHECK bool barrier_send_arrivals(struct replicas *replicas);
MUST_CHECK bool barrier_send_withdrawals(struct replicas *replicas);
void barrier_take_withdrawals(struct replicas *replicas);
// Without a session: waiters whose time is over leave.
void barrier_dismiss_leaving(struct replicas *replicas);
// The names, with a space between each two, are released together.
void barrier_release(struct replicas *replicas, const char *names, enum gate_release release);
// After a new session was opened, all waiters have to arrive again.
void barrier_forget_arrivals(struct replicas *replicas);
// Adds the names of all waiters.
void barrier_list_waiters(struct replicas *replicas, struct sql_array *names);

#endif
