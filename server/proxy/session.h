// A session: the connection of one client, and the connection to the server that belongs to it alone. Loop thread.
// The memory is freed when both sockets have called back that they are closed.
#ifndef SERVER_PROXY_SESSION_H
#define SERVER_PROXY_SESSION_H

#include "observability/base/base.h"
#include "server/console/console.h"
#include "server/proxy/hold.h"
#include "server/proxy/observer.h"
#include "server/proxy/resolver.h"
#include "workers/database/database.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

enum {
    SESSION_STARTUP_MS = 60000,  // for the first packets; as PostgreSQL's authentication_timeout
    SESSION_CONNECT_MS = 10000,  // for all servers and all their addresses
    SESSION_LATE_CANCEL_MS = 50, // from the end of a hold to the CancelRequest that has ended it; the sweep adds to it
    SESSION_LINGER_MS = 5000,    // for the client to close after the server has closed
};

struct session;
struct tls_context;
TAILQ_HEAD(session_list, session);

// The context that all sessions share. The relay embeds it.
struct session_context {
    uv_loop_t *loop;
    const struct db_servers *upstream;
    struct resolver *resolver;
    struct tls_context *client_tls; // NULL: clients get no TLS
    struct tls_context *server_tls; // NULL: the server is not asked for TLS
    enum db_tls_mode server_tls_mode;
    struct hold *hold;
    const struct observer *observer; // NULL: there is none
    struct console *console;         // NULL: there is none
    uint64_t bytes[2];               // relayed by sessions that have ended, by direction
    struct session_list sessions;
    unsigned count; // length of the list
    uint64_t last_number;
    bool reads_sql;                                  // there are rules, or a console
    bool is_stopping;                                // a session is closed as soon as it is idle
    void (*closed)(struct session_context *context); // a session was freed
};

void session_context_init(struct session_context *context);
void session_accept(struct session_context *context, uv_stream_t *listener);
// Ends the states that last too long. The relay calls it from time to time.
void session_context_sweep(struct session_context *context);
// Closes the sessions that do nothing now, and the others as soon as they are idle.
void session_context_stop(struct session_context *context);
// True while a session has an open transaction, is held, or waits for an answer.
MUST_CHECK bool session_context_is_busy(const struct session_context *context);
void session_context_close(struct session_context *context); // closes all of them now

// For hold_callbacks: the owner is the context.
void session_released(void *context, struct held *held);
void session_round_protected(void *owner);
MUST_CHECK uint64_t session_number_of(void *context, uint32_t backend);
void session_held(struct held *held, const char *place);
void session_let_go(struct held *held, enum hold_end end);
MUST_CHECK enum hold_meeting session_meet(struct held *one, struct held *other);
void session_append_row(struct held *held, struct text *out);
void session_waits(struct held *holder, uint32_t waiter);

// The answers to the console's questions; the owner is the context.
extern const struct console_callbacks session_console_callbacks;

#endif
