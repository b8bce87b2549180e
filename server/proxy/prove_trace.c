// Keeps the events of a run: see prove_trace.h.
#include "server/proxy/prove_trace.h"

#include <stdio.h>
#include <stdlib.h>

static char *copy_string(const char *string) {
    size_t size = strlen(string) + 1;
    char *copy = memory_allocate(size);
    memcpy(copy, string, size);
    return copy;
}

static void copy_slice(struct slice slice, char *out, size_t size) {
    size_t length = MIN(slice.length, size - 1);
    memcpy(out, length > 0 ? slice.data : "", length);
    out[length] = '\0';
}

// NULL: the trace is full.
static struct trace_event *add(struct trace *trace, enum trace_kind kind, uint32_t backend, uint64_t at_ns) {
    if (trace->count == TRACE_EVENTS_MAX) {
        trace->is_cut = true;
        return NULL;
    }
    if (trace->count == trace->capacity) {
        size_t capacity = MAX(2 * trace->capacity, (size_t)64);
        struct trace_event *events = memory_allocate_zeroed(capacity * sizeof *events);
        if (trace->count > 0) {
            memcpy(events, trace->events, trace->count * sizeof *events);
        }
        free(trace->events);
        trace->events = events;
        trace->capacity = capacity;
    }
    struct trace_event *event = &trace->events[trace->count++];
    *event = (struct trace_event){.kind = kind, .backend = backend, .at_ns = at_ns, .end_ns = at_ns};
    return event;
}

void trace_add_outcome(struct trace *trace, const struct sight_outcome *outcome) {
    struct trace_event *event = add(trace, TRACE_OUTCOME, outcome->backend_pid, outcome->sent_ns);
    if (event != NULL) {
        event->end_ns = outcome->done_ns;
        event->sql = copy_string(outcome->sql);
        event->row = copy_string(outcome->row);
        copy_slice(outcome->tag, event->tag, sizeof event->tag);
        copy_slice(outcome->sqlstate, event->sqlstate, sizeof event->sqlstate);
        event->verb = outcome->verb;
        event->rows = outcome->rows;
        event->statement = outcome->fingerprint;
    }
}

void trace_add_notice(struct trace *trace, const struct hold_notice *notice, uint64_t now_ns) {
    static const enum trace_kind kinds[] = {
        [HOLD_NEWS_HELD] = TRACE_HELD, [HOLD_NEWS_RELEASED] = TRACE_RELEASED, [HOLD_NEWS_WAITS] = TRACE_WAITS};
    struct trace_event *event = add(trace, kinds[notice->news], notice->backend, now_ns);
    if (event != NULL) {
        event->end = notice->end;
        event->other = notice->waiter;
        event->other_is_foreign = notice->waiter_is_other;
    }
}

void trace_add_pattern(struct trace *trace, const struct sight_pattern *pattern, uint64_t now_ns) {
    struct trace_event *event = add(trace, TRACE_COMMITTED, pattern->backend_pid, now_ns);
    if (event != NULL) {
        event->pair = pattern->pair;
        event->row = copy_string(pattern->row);
    }
}

void trace_add_finding(struct trace *trace, const struct sight_finding *finding, uint64_t now_ns) {
    struct trace_event *event = add(trace, TRACE_PROVED, finding->first.backend_pid, now_ns);
    if (event != NULL) {
        event->pair = finding->pair;
        event->sql = copy_string(finding->sentence);
    }
}

void trace_free(struct trace *trace) {
    for (size_t i = 0; i < trace->count; i++) {
        free(trace->events[i].sql);
        free(trace->events[i].row);
    }
    free(trace->events);
    *trace = (struct trace){0};
}
