// The struct of a session, and the functions that its files share. Loop thread.
//
// session.c reads the first packets and the messages of the client, session_connect.c connects to the server,
// session_server.c reads its messages, session_tls.c begins TLS with both, session_binding.c looks at their passwords,
// session_rules.c asks the rules, session_end.c closes. Only session_move() changes the state.
#ifndef SERVER_PROXY_SESSION_INTERNAL_H
#define SERVER_PROXY_SESSION_INTERNAL_H

#include "server/proxy/flow.h"
#include "server/proxy/session.h"
#include "server/proxy/wire.h"

struct session;

// `problem`: NULL if the server is ready for the first packet of the client.
typedef void session_negotiated(struct session *session, const char *problem);
enum { STATEMENT_SUMMARY_MAX = 96 };

enum session_state {
    SESSION_STARTUP,    // reads the first packets of the client
    SESSION_CONNECTING, // connects to the server, and begins TLS with it
    SESSION_RELAYING,
    SESSION_LINGERING, // the client has its last bytes and a FIN; waits until it closes
    SESSION_CLOSING,   // both sockets close; the last callback frees the session
};

struct session {
    struct session_context *context;
    TAILQ_ENTRY(session) link;
    uint64_t number;
    enum session_state state;
    uint64_t deadline_ms; // loop time; 0: none
    uv_tcp_t client;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } server;
    struct channel client_channel, server_channel;
    unsigned open_handles; // their close callbacks are still to come
    bool has_server;       // its handle is open
    bool is_opaque;        // a CancelRequest, or no packet that we know: the bytes are not looked at
    bool had_tls_request, had_gss_request;
    bool is_plain;   // TLS with the server has failed, and plain text will do
    char tls_answer; // the server's to SSLRequest
    session_negotiated *negotiated;
    struct resolver_query query;    // for the addresses of a server
    struct db_addresses *addresses; // the server that is tried has these; or NULL
    size_t next_server, next_address;
    uint64_t connect_deadline_ms; // loop time; for all servers
    uint64_t server_deadline_ms;  // for all addresses of this server
    struct text connect_problem;  // one clause for each attempt
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    struct flow to_server, to_client;
    struct wire client_wire, server_wire;
    struct dialogue dialogue;
    struct held held;
    const struct rule *armed; // a rule "after" has matched: the next statement is held
    char armed_table[STATEMENT_TABLE_MAX];
    uint16_t matches[RULES_MAX]; // counted for each rule
    struct text held_message;    // for the observer and the console, the body of the held message
    char held_type;              // its type; '\0': none is held
    char database[STATEMENT_TABLE_MAX];
    void *observed;                      // the observer's
    struct console_session *shown;       // the console's, or NULL
    char summary[STATEMENT_SUMMARY_MAX]; // the last Query or Bind, such as "UPDATE accounts"
};

// --- session_end.c ---
// Changes the state, and sets its deadline `allowed_ms` from now; 0: it has none.
void session_move(struct session *session, enum session_state state, uint64_t allowed_ms);
MUST_CHECK unsigned long long session_number(const struct session *session);
void session_close(struct session *session);
// Closes the session if both directions have ended.
void session_close_if_over(struct session *session);
// The close callback of one of the sockets. The last one frees the session.
void session_handle_closed(struct session *session);
// The bytes of one side are no messages.
void session_log_broken(const struct session *session, const char *side);
// There is no server: sends the client an error, and waits until it closes.
void session_refuse(struct session *session, const char *sqlstate, const char *message);

// --- session_rules.c ---
// A message of the client that is about to be forwarded. True: it must be held.
MUST_CHECK bool session_client_message(struct session *session, const struct wire_message *message);

// --- session_connect.c ---
// Connects to the server, and relays then. The first `parsed` bytes that the client has sent are not looked at.
void session_connect(struct session *session, bool is_opaque, size_t parsed);
// session_connect() will first try the address to which the other session is connected. The name of its server may
// have another address now.
void session_aim_at(struct session *session, const struct session *other);
// The time to connect is over.
void session_connect_is_late(struct session *session);

// --- session_server.c ---
// The connection to the server is ready.
void session_relay(struct session *session);
// Closes the session as a server does that is shut down, if it is idle.
void session_stop_if_idle(struct session *session);

// --- session_tls.c ---
// Answers SSLRequest with "yes". False: the session ends.
MUST_CHECK bool session_answer_tls_request(struct session *session);
// The client has begun with TLS.
void session_begin_tls(struct session *session);
// The client leaves: says so if the reason is that it got no TLS.
void session_log_refused_tls(const struct session *session);
// Begins TLS with the connected server if it is wanted.
void session_negotiate(struct session *session, session_negotiated *negotiated);

// --- session_binding.c ---
// Removes SCRAM-SHA-256-PLUS from a message of the server if the client could not use it. Returns the number of removed
// bytes.
MUST_CHECK size_t session_hide_binding(struct session *session, char *message, size_t length);
// True if this answer of the client to a request for a password cannot be right, because of two certificates: the
// client gets an error, and nothing more is forwarded.
MUST_CHECK bool session_binding_fails(struct session *session, const struct wire_message *message);

#endif
