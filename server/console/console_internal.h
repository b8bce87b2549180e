// The struct of the console, and the functions that its files share. Loop thread.
//
// record.c keeps the units, console_metrics.c counts, console_spans.c exports a finished unit, console_json.c writes
// the answers, console_http.c serves them.
#ifndef SERVER_CONSOLE_CONSOLE_INTERNAL_H
#define SERVER_CONSOLE_CONSOLE_INTERNAL_H

#include "observability/metrics/metrics.h"
#include "server/console/console.h"
#include "server/console/record.h"
#include "server/http/http.h"

enum {
    CONSOLE_CONNECTIONS_MAX = 100,
    CONSOLE_ENDINGS_MAX = 16,
    CONSOLE_SWEEP_MS = 250,
    CONSOLE_FLUSH_MS = 3000, // to send the last spans
    CONSOLE_FINDINGS_MAX = 1000,
    CONSOLE_FINDINGS_DEFAULT = 100,
};

struct console_metrics {
    struct metrics *registry;
    struct metric *sessions, *statements, *hold_seconds, *memory, *held_now, *spans_exported, *spans_dropped;
    struct metric *bytes[2]; // by direction
    struct metric *endings[CONSOLE_ENDINGS_MAX];
    struct metric_family *findings;
    struct process_metrics *process;
};

struct console {
    struct console_options options;
    struct record record;
    struct console_metrics metrics;
    struct otlp_exporter *exporter; // NULL: spans are not exported
    unsigned held;                  // sessions that are held now
    bool is_listening;
    struct guard guard;
    uv_tcp_t listener;
    uv_timer_t sweep;
    struct conn_context connections;
};

struct console_session {
    struct console *console;
    struct record_session record;
    uint64_t held_ns; // 0: it is not held
};

// --- console_metrics.c ---
void console_metrics_init(struct console *console);
void console_metrics_free(struct console *console);
void console_metrics_let_go(struct console *console, const char *ending, uint64_t held_ns);
void console_metrics_finding(struct console *console, const char *kind, const char *level);
void console_metrics_render(struct console *console, enum metrics_format format, struct text *out);

// --- console_spans.c ---
void console_spans_init(struct console *console);
void console_spans_free(struct console *console);
void console_spans_began(struct console *console, struct unit *unit);
void console_spans_ended(struct console *console, const struct unit *unit);

// --- console_json.c ---
// Each appends a whole answer with its newline.
void console_json_units(const struct console *console, struct text *out);
void console_json_findings(const struct console *console, size_t limit, struct text *out);
MUST_CHECK bool console_json_finding(const struct console *console, uint64_t id, struct text *out); // false: none
void console_json_sessions(const struct console *console, struct text *out);
void console_json_rules(const struct console *console, struct text *out);
void console_json_health(const struct console *console, struct text *out);

// --- console_http.c ---
void console_http_request(struct console *console, struct conn *conn, const struct http_request *request);

#endif
