// The list of steps and its JSON. Worker threads; the loop converts steps for its events.
#include "workers/transfer/step.h"

#include "observability/base/base.h"
#include "workers/money/money.h"

static const char *step_name(enum step_kind kind) {
    switch (kind) {
    case STEP_READ: return "read";
    case STEP_LOCK: return "lock";
    case STEP_BARRIER: return "barrier";
    case STEP_DELAY: return "delay";
    case STEP_CHECK: return "check";
    case STEP_DEDUCT: return "deduct";
    case STEP_CREDIT: return "credit";
    case STEP_MUTEX: return "mutex";
    case STEP_HOLD: return "hold";
    case STEP_BATCH: return "batch";
    case STEP_REPLAY: return "replay";
    case STEP_RETRY: return "retry";
    }
    CHECK(false);
}

struct step *step_add(struct step_list *list, enum step_kind kind, uint64_t started_ns) {
    size_t place = list->count;
    if (list->count < TRANSFER_STEPS_MAX - 1) {
        list->count++;
    } else {
        list->dropped++; // the last place is overwritten by each further step
    }
    list->steps[place] = (struct step){.kind = kind, .started_ns = started_ns, .ended_ns = started_ns};
    return &list->steps[place];
}

static int64_t realtime_us(uint64_t monotonic_ns, int64_t moment_us, uint64_t moment_ns) {
    return moment_us + (int64_t)(monotonic_ns - moment_ns) / (int64_t)NANOSECONDS_PER_MICROSECOND;
}

void step_view_fill(const struct step *step, int64_t moment_us, uint64_t moment_ns, struct step_view *out) {
    *out = (struct step_view){
        .name = step_name(step->kind),
        .account = step->account == NULL ? "" : step->account,
        .has_value = step->account != NULL,
        .value = step->account != NULL ? step->value : 0,
        .at_us = realtime_us(step->ended_ns, moment_us, moment_ns),
        .took_us = (int64_t)((step->ended_ns - step->started_ns) / NANOSECONDS_PER_MICROSECOND),
        .parties = step->parties,
        .outcome = step->outcome == NULL ? "" : step->outcome,
        .committed_at_us = step->committed_ns == 0 ? 0 : realtime_us(step->committed_ns, moment_us, moment_ns),
    };
}

static void add_step(struct json_writer *json, const struct step *step, int64_t moment_us, uint64_t moment_ns) {
    json_open_object(json, NULL);
    json_add_string(json, "step", step_name(step->kind));
    if (step->account != NULL) {
        char value[MONEY_TEXT_LENGTH];
        money_format(step->value, value);
        json_add_string(json, "account", step->account);
        text_append_string(json_add(json, "value"), value);
    }
    if (step->outcome != NULL) {
        json_add_string(json, "outcome", step->outcome);
    }
    if (step->parties != 0) {
        json_add_unsigned(json, "parties", step->parties);
    }
    json_add_signed(json, "at_us", realtime_us(step->ended_ns, moment_us, moment_ns));
    json_add_unsigned(json, "took_us", (step->ended_ns - step->started_ns) / NANOSECONDS_PER_MICROSECOND);
    if (step->committed_ns != 0) {
        json_add_signed(json, "committed_at_us", realtime_us(step->committed_ns, moment_us, moment_ns));
    }
    json_close_object(json);
}

void step_list_append_json(const struct step_list *list, int64_t moment_us, uint64_t moment_ns, struct text *out) {
    struct json_writer json = {.out = out};
    json_open_array(&json, NULL);
    for (size_t i = 0; i < list->count; i++) {
        add_step(&json, &list->steps[i], moment_us, moment_ns);
    }
    json_close_array(&json);
}
