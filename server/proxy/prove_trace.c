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

// The length of the unit's name at the beginning of the words; 0: it is not there.
static size_t match_unit(struct slice words, const struct sight_side *side) {
    struct text name = {0};
    sight_append_unit(side, &name);
    bool is_there = slice_starts_with_ignoring_case(words, text_slice(&name)) &&
                    (words.length == name.length || words.data[name.length] < '0' || words.data[name.length] > '9');
    size_t length = is_there ? name.length : 0;
    text_free(&name);
    return length;
}

static char *copy_sentence(const struct sight_finding *finding) {
    struct text out = {0};
    struct slice rest = slice_of(finding->sentence);
    while (rest.length > 0) {
        size_t first = match_unit(rest, &finding->first);
        size_t second = first > 0 ? 0 : match_unit(rest, &finding->second);
        char one = first > 0 ? TRACE_FIRST : second > 0 ? TRACE_SECOND : rest.data[0];
        size_t taken = first + second > 0 ? first + second : 1;
        text_append(&out, &one, 1);
        rest = (struct slice){rest.data + taken, rest.length - taken};
    }
    text_append(&out, "", 1);
    return out.data;
}

void trace_add_finding(struct trace *trace, const struct sight_finding *finding, uint64_t now_ns) {
    struct trace_event *event = add(trace, TRACE_PROVED, finding->first.backend_pid, now_ns);
    if (event != NULL) {
        event->pair = finding->pair;
        event->other = finding->second.backend_pid;
        event->sql = copy_sentence(finding);
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
