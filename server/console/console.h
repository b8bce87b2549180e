// The side of race-proxy that people and Prometheus look at: a record of the last units of work, the metrics, the
// spans, and the HTTP server that shows them. This folder knows no relayed socket: the relay reports messages and
// holds here, and answers the questions of console_callbacks. Loop thread.
//
//     relay > console_client_message(), console_server_message(), console_held(), ... > record > metrics, spans
//     browser, curl, Prometheus > console_http > record, console_callbacks > JSON
#ifndef SERVER_CONSOLE_CONSOLE_H
#define SERVER_CONSOLE_CONSOLE_H

#include "observability/base/base.h"
#include "server/config/config.h"
#include "server/sight/sight.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define CONSOLE_ADDRESS_DEFAULT "127.0.0.1:6433"

struct console;         // one for each proxy
struct console_session; // one for each relayed connection

enum console_direction { CONSOLE_TO_SERVER, CONSOLE_TO_CLIENT };

// The questions that the relay answers. `owner` is that of the options.
struct console_callbacks {
    void (*add_sessions)(void *owner, struct json_writer *json); // the elements of an array
    void (*add_rules)(void *owner, struct json_writer *json);    // the members of an object
    // `words` has a rule in each line. False: `problem` says what to change, and the rules stay as they were.
    bool (*replace_rules)(void *owner, struct slice words, struct text *problem);
    unsigned (*open_gate)(void *owner); // lets all held sessions go; returns their number
    unsigned (*session_count)(void *owner);
    uint64_t (*bytes)(void *owner, enum console_direction direction); // relayed since the start
};

struct console_options {
    uv_loop_t *loop;
    const struct console_callbacks *callbacks;
    void *owner;
    const char *host, *port;    // to listen on; port "": no HTTP
    const char *const *endings; // the names of the endings of a hold, with NULL behind the last
    const char *allowed_hosts;  // as guard.allowed_hosts
    const struct tracing_config *tracing;
    const struct sight *sight; // NULL: races are not looked for
};

MUST_CHECK struct console *console_new(const struct console_options *options);
// Listens. Returns 0, or an error of libuv.
MUST_CHECK int console_listen(struct console *console);
void console_close(struct console *console); // leaves the loop
void console_free(struct console *console);  // after the loop has ended; sends the last spans

// --- The reports of the relay ---

MUST_CHECK struct console_session *console_session_began(struct console *console, uint64_t number,
                                                         struct slice database, uint32_t backend);
void console_session_ended(struct console_session *session);
// A message that is forwarded now, and one that was received. `body` may be cut at its end. `summary` is the verb and
// the tables of the statement of a Query or a Bind, such as "UPDATE accounts"; "" if it is not known.
#define CONSOLE_CLIENT_WANTED "QPBC"
#define CONSOLE_SERVER_WANTED "EKZC"
void console_client_message(struct console_session *session, char type, struct slice body, const char *summary,
                            uint64_t now_ns);
void console_server_message(struct console_session *session, char type, struct slice body, uint64_t now_ns);
// The session is held; `place` is such as "before write accounts".
void console_held(struct console_session *session, const char *place, uint64_t now_ns);
// Its hold has ended. `ending` is one of the endings of the options.
void console_let_go(struct console_session *session, const char *ending, uint64_t now_ns);
// The backend `waiter` waits for a lock of the held session.
void console_waits(struct console_session *holder, uint32_t waiter);
// As sight_options.on_finding.
void console_finding(struct console *console, const struct sight_finding *finding);

#endif
