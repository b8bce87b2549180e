// The rounds of held sessions. hold_arrive() adds a session; end_round() is the only way out of a round for all of its
// sessions, remove_held() for one.
#include "server/proxy/hold.h"

#include "observability/log/log.h"
#include "server/proxy/lock_watch.h"

#include <stdlib.h>

struct hold_round {
    TAILQ_ENTRY(hold_round) link;
    TAILQ_HEAD(, held) sessions;
    const struct rule *rule;
    unsigned count;
    uint64_t deadline_ms; // loop time
    char table[STATEMENT_TABLE_MAX];
};

struct hold {
    struct hold_options options; // without the rules
    struct rule rules[RULES_MAX];
    unsigned rule_count;
    TAILQ_HEAD(, hold_round) rounds;
    uv_timer_t timer; // the next deadline
    struct lock_watch *watch;
    const struct held *arriving; // the session that completes a round; it is not stopped, so it is not released
};

static void set_timer(struct hold *hold);

const char *const hold_end_names[] = {
    "complete", "delayed", "limit", "protected", "cancelled", "left", "opened", "replaced", "stopping", NULL,
};

static const char *end_words(enum hold_end end) {
    switch (end) {
    case HOLD_COMPLETE: return "released together";
    case HOLD_DELAYED: return "delayed";
    case HOLD_LIMIT: return "let go at the time limit: no other session came";
    case HOLD_PROTECTED: return "protected by a lock";
    case HOLD_CANCELLED: return "let go: its client cancels it";
    case HOLD_LEFT: return "let go: its connection was closed";
    case HOLD_OPENED: return "let go by SIGUSR1 or POST /gate";
    case HOLD_REPLACED: return "let go: the rules were replaced";
    case HOLD_STOPPING: return "let go: the proxy stops";
    }
    UNREACHABLE("an end of a hold");
}

static void log_end(const struct hold_round *round, const struct text *numbers, enum hold_end end, uint64_t since_ns) {
    struct text place = {0};
    rule_describe(round->rule, round->table, &place);
    double held_ms = (double)(clock_monotonic_ns() - since_ns) / (double)NANOSECONDS_PER_MILLISECOND;
    log_write(end == HOLD_LIMIT ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, NULL, "%.*s %s: %s after %.1f ms",
              (int)numbers->length, numbers->data, text_terminated(&place), end_words(end), held_ms);
    text_free(&place);
}

static void notify(const struct hold *hold, const struct hold_notice *notice) {
    if (hold->options.on_notice != NULL) {
        hold->options.on_notice(hold->options.listener, notice);
    }
}

static void remove_held(struct hold_round *round, struct held *held) {
    TAILQ_REMOVE(&round->sessions, held, link);
    round->count--;
    held->round = NULL;
}

static void free_round(struct hold *hold, struct hold_round *round) {
    TAILQ_REMOVE(&hold->rounds, round, link);
    free(round);
}

// All sessions of the round are out of it before the first of them is released, because a callback may hold it again.
static void end_round(struct hold *hold, struct hold_round *round, enum hold_end end) {
    TAILQ_HEAD(, held) released = TAILQ_HEAD_INITIALIZER(released);
    struct text numbers = {0};
    text_append_string(&numbers, round->count > 1 ? "sessions" : "session");
    uint64_t since_ns = TAILQ_FIRST(&round->sessions)->since_ns;
    struct held *held;
    while ((held = TAILQ_FIRST(&round->sessions)) != NULL) {
        text_append_format(&numbers, " %llu", (unsigned long long)held->number);
        remove_held(round, held);
        notify(hold, &(struct hold_notice){.news = HOLD_NEWS_RELEASED, .end = end, .backend = held->backend});
        hold->options.callbacks->let_go(held, end);
        held->passes = held->passes || round->rule->needs_read;
        held->answer = end == HOLD_COMPLETE ? HELD_ANSWER_WRITE : HELD_ANSWER_NONE;
        TAILQ_INSERT_TAIL(&released, held, link);
    }
    log_end(round, &numbers, end, since_ns);
    text_free(&numbers);
    free_round(hold, round);
    if (end == HOLD_PROTECTED) {
        hold->options.callbacks->protected(hold->options.owner);
    }
    while ((held = TAILQ_FIRST(&released)) != NULL) {
        TAILQ_REMOVE(&released, held, link);
        if (held != hold->arriving) {
            hold->options.callbacks->released(hold->options.owner, held);
        }
    }
}

static void on_deadline(uv_timer_t *timer) {
    struct hold *hold = CONTAINER_OF(timer, struct hold, timer);
    struct hold_round *next;
    for (struct hold_round *round = TAILQ_FIRST(&hold->rounds); round != NULL; round = next) {
        next = TAILQ_NEXT(round, link);
        if (round->deadline_ms <= uv_now(hold->options.loop)) {
            end_round(hold, round, round->rule->action == RULE_DELAY ? HOLD_DELAYED : HOLD_LIMIT);
            next = TAILQ_FIRST(&hold->rounds); // the callbacks may have changed the list
        }
    }
    set_timer(hold);
}

static void set_timer(struct hold *hold) {
    uint64_t now_ms = uv_now(hold->options.loop);
    uint64_t next_ms = UINT64_MAX;
    struct hold_round *round;
    TAILQ_FOREACH(round, &hold->rounds, link) {
        next_ms = MIN(next_ms, round->deadline_ms);
    }
    if (next_ms == UINT64_MAX) {
        (void)uv_timer_stop(&hold->timer);
    } else {
        CHECK(uv_timer_start(&hold->timer, on_deadline, next_ms > now_ms ? next_ms - now_ms : 0, 0) == 0);
    }
}

// --- The answers of the session that asks for locks ---

static bool append_held(void *owner, struct text *out) {
    struct hold *hold = owner;
    struct hold_round *round;
    text_append_string(out, "{");
    TAILQ_FOREACH(round, &hold->rounds, link) {
        struct held *held;
        TAILQ_FOREACH(held, &round->sessions, link) {
            if (held->backend != 0) {
                text_append_format(out, "%s%u", out->length > 1 ? "," : "", held->backend);
            }
        }
    }
    text_append_string(out, "}");
    return out->length > 2;
}

static struct held *find_held(struct hold *hold, uint32_t backend) {
    struct hold_round *round;
    TAILQ_FOREACH(round, &hold->rounds, link) {
        struct held *held;
        TAILQ_FOREACH(held, &round->sessions, link) {
            if (held->backend == backend) {
                return held;
            }
        }
    }
    return NULL;
}

static void on_waits(void *owner, uint32_t holder, uint32_t waiter) {
    struct hold *hold = owner;
    struct held *held = find_held(hold, holder);
    if (held == NULL) {
        return; // released since the question was sent
    }
    uint64_t number = hold->options.callbacks->session_of(hold->options.owner, waiter);
    struct text name = {0};
    if (number > 0) {
        text_append_format(&name, "session %llu", (unsigned long long)number);
    } else {
        text_append_format(&name, "backend %u", waiter);
    }
    log_write(LOG_LEVEL_INFO, NULL, "%s waits for a lock of session %llu", text_terminated(&name),
              (unsigned long long)held->number);
    hold->options.callbacks->waits(held, waiter);
    text_free(&name);
    notify(hold,
           &(struct hold_notice){
               .news = HOLD_NEWS_WAITS, .backend = held->backend, .waiter = waiter, .waiter_is_other = number == 0});
    end_round(hold, held->round, HOLD_PROTECTED);
    set_timer(hold);
}

static const struct lock_watch_callbacks watch_callbacks = {.held = append_held, .waits = on_waits};

struct hold *hold_new(const struct hold_options *options) {
    struct hold *hold = memory_allocate_zeroed(sizeof *hold);
    hold->options = *options;
    hold->rule_count = options->rule_count;
    memcpy(hold->rules, options->rules, options->rule_count * sizeof hold->rules[0]);
    TAILQ_INIT(&hold->rounds);
    CHECK(uv_timer_init(options->loop, &hold->timer) == 0);
    hold->watch = lock_watch_new(options->loop, options->conninfo, &watch_callbacks, hold);
    return hold;
}

const struct rule *hold_rules(const struct hold *hold, unsigned *count) {
    *count = hold->rule_count;
    return hold->rules;
}

// How the session would meet those of the round: the nearest meeting counts.
static enum hold_meeting meeting_of(const struct hold *hold, const struct hold_round *round, struct held *held,
                                    const char *table) {
    enum hold_meeting nearest = HOLD_APART;
    struct held *each;
    TAILQ_FOREACH(each, &round->sessions, link) {
        bool by_rows = held->compares_rows && each->compares_rows;
        enum hold_meeting meeting = by_rows                            ? hold->options.callbacks->meet(held, each)
                                    : strcmp(round->table, table) == 0 ? HOLD_MEET_TABLE
                                                                       : HOLD_APART;
        nearest = MAX(nearest, meeting);
    }
    return nearest;
}

// The round where the rows meet, or else one where the tables do. NULL: there is none.
static struct hold_round *find_round(const struct hold *hold, struct held *held, const struct rule *rule,
                                     const char *table, enum hold_meeting *meeting) {
    struct hold_round *found = NULL;
    *meeting = HOLD_APART;
    struct hold_round *round;
    TAILQ_FOREACH(round, &hold->rounds, link) {
        enum hold_meeting with_round = round->rule == rule ? meeting_of(hold, round, held, table) : HOLD_APART;
        if (with_round > *meeting) {
            *meeting = with_round;
            found = round;
        }
    }
    return found;
}

static struct hold_round *new_round(struct hold *hold, const struct rule *rule, const char *table) {
    struct hold_round *round = memory_allocate_zeroed(sizeof *round);
    TAILQ_INIT(&round->sessions);
    round->rule = rule;
    (void)strncpy(round->table, table, sizeof round->table - 1);
    unsigned limit_ms = rule->action == RULE_DELAY ? rule->delay_ms : hold->options.limit_ms;
    round->deadline_ms = uv_now(hold->options.loop) + limit_ms;
    TAILQ_INSERT_TAIL(&hold->rounds, round, link);
    return round;
}

// A barrier with if-read says which row the session writes, or that the table had to do.
static void append_row(const struct hold *hold, struct held *held, enum hold_meeting meeting, struct text *out) {
    const struct hold_round *round = held->round;
    struct text row = {0};
    if (held->compares_rows) {
        hold->options.callbacks->append_row(held, &row);
    }
    if (row.length > 0) {
        text_append_format(out, " (%.*s)", (int)row.length, row.data);
    }
    text_append_format(out, ", %u of %u", round->count, round->rule->waiters);
    if (round->rule->needs_read && row.length == 0) {
        text_append_string(out, ", by its table: the row is unknown");
    } else if (round->rule->needs_read && meeting == HOLD_MEET_TABLE) {
        text_append_string(out, ", by its table: it is unknown who has read this row");
    }
    text_free(&row);
}

static void report_arrival(struct hold *hold, struct held *held, const char *table, enum hold_meeting meeting) {
    const struct rule *rule = held->round->rule;
    struct text place = {0};
    rule_describe(rule, table, &place);
    hold->options.callbacks->held(held, text_terminated(&place));
    if (rule->action == RULE_BARRIER) {
        append_row(hold, held, meeting, &place);
    }
    log_write(LOG_LEVEL_INFO, NULL, "session %llu is held %s", (unsigned long long)held->number,
              text_terminated(&place));
    text_free(&place);
}

bool hold_arrive(struct hold *hold, struct held *held, const struct rule *rule, const char *table) {
    if (held->passes) {
        log_write(LOG_LEVEL_INFO, NULL, "session %llu passes: its round is over", (unsigned long long)held->number);
        return false;
    }
    enum hold_meeting meeting = HOLD_APART;
    struct hold_round *round = rule->action == RULE_DELAY ? NULL : find_round(hold, held, rule, table, &meeting);
    if (round == NULL) {
        round = new_round(hold, rule, table);
    }
    held->round = round;
    held->since_ns = clock_monotonic_ns();
    TAILQ_INSERT_TAIL(&round->sessions, held, link);
    round->count++;
    report_arrival(hold, held, table, meeting);
    notify(hold, &(struct hold_notice){.news = HOLD_NEWS_HELD, .backend = held->backend});
    if (rule->action == RULE_BARRIER && round->count == rule->waiters) {
        hold->arriving = held;
        end_round(hold, round, HOLD_COMPLETE);
        hold->arriving = NULL;
        set_timer(hold);
        return false;
    }
    set_timer(hold);
    lock_watch_begin(hold->watch);
    return true;
}

static bool is_write(struct slice tag) {
    static const char *const words[] = {"INSERT ", "UPDATE ", "DELETE ", "MERGE "};
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        found = found || slice_starts_with(tag, slice_of(words[i]));
    }
    return found;
}

static void log_refusal(struct held *held, const char *words, struct slice code) {
    double after_ms = (double)(clock_monotonic_ns() - held->since_ns) / (double)NANOSECONDS_PER_MILLISECOND;
    log_write(LOG_LEVEL_INFO, NULL, "session %llu %s%.*s after %.1f ms", (unsigned long long)held->number, words,
              (int)code.length, code.data, after_ms);
    held->answer = HELD_ANSWER_NONE;
}

void hold_answered(struct held *held, const struct wire_message *message) {
    if (held->answer == HELD_ANSWER_NONE) {
        return;
    }
    if (message->type == 'E') {
        log_refusal(held, "got the error ", wire_error_field(message->body, 'C'));
    } else if (message->type == 'C' && held->answer == HELD_ANSWER_WRITE) {
        struct wire_fields fields = {.rest = message->body};
        struct slice tag = wire_read_string(&fields);
        if (is_write(tag) && slice_ends_with(tag, SLICE_LITERAL(" 0"))) {
            log_refusal(held, "changed no row", (struct slice){"", 0});
        } else if (is_write(tag)) {
            held->answer = HELD_ANSWER_END;
        }
    }
}

void hold_idle(struct held *held) {
    held->passes = false;
    held->answer = HELD_ANSWER_NONE;
}

void hold_leave(struct hold *hold, struct held *held, enum hold_end end) {
    struct hold_round *round = held->round;
    if (round == NULL) {
        return;
    }
    struct text numbers = {0};
    text_append_format(&numbers, "session %llu", (unsigned long long)held->number);
    log_end(round, &numbers, end, held->since_ns);
    text_free(&numbers);
    remove_held(round, held);
    notify(hold, &(struct hold_notice){.news = HOLD_NEWS_RELEASED, .end = end, .backend = held->backend});
    hold->options.callbacks->let_go(held, end);
    if (round->count == 0) {
        free_round(hold, round);
    }
    set_timer(hold);
    hold->options.callbacks->released(hold->options.owner, held);
}

void hold_open(struct hold *hold, enum hold_end end) {
    while (!TAILQ_EMPTY(&hold->rounds)) {
        end_round(hold, TAILQ_FIRST(&hold->rounds), end);
    }
    set_timer(hold);
}

bool hold_is_connected(const struct hold *hold) {
    return lock_watch_is_connected(hold->watch);
}

// The callbacks of the released sessions may hold them again, but only as long as there are messages.
void hold_replace_rules(struct hold *hold, const struct rule *rules, unsigned count) {
    CHECK(count <= RULES_MAX);
    hold_open(hold, HOLD_REPLACED);
    hold->rule_count = count;
    memcpy(hold->rules, rules, count * sizeof hold->rules[0]);
}

unsigned hold_limit_ms(const struct hold *hold) {
    return hold->options.limit_ms;
}

bool hold_wants_connection(const struct hold *hold) {
    return lock_watch_wants_connection(hold->watch);
}

void hold_connect(struct hold *hold, const bool *is_stopped) {
    lock_watch_connect(hold->watch, is_stopped);
}

void hold_close(struct hold *hold) {
    CHECK(TAILQ_EMPTY(&hold->rounds));
    lock_watch_close(hold->watch);
    uv_close((uv_handle_t *)&hold->timer, NULL);
}

void hold_free(struct hold *hold) {
    lock_watch_free(hold->watch);
    free(hold);
}
