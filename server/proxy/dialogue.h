// The messages of one session, as far as the rules need them: the SQL of each prepared statement, the tables that were
// read, whether a transaction is open, and whether the server owes an answer. Loop thread; no sockets.
#ifndef SERVER_PROXY_DIALOGUE_H
#define SERVER_PROXY_DIALOGUE_H

#include "observability/base/base.h"
#include "server/proxy/statement.h"
#include "server/proxy/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    DIALOGUE_READS_MAX = 16,
    DIALOGUE_PREPARED_MAX = 256, // in a session; the one not used for longest is forgotten, and no rule matches it
    DIALOGUE_KEY_MAX = 260,      // BackendKeyData: the process id and a secret of at most 256 bytes
};

struct prepared;

struct dialogue_read {
    char table[STATEMENT_TABLE_MAX];
    uint64_t read_ns;
};

struct dialogue {
    bool reads_sql;
    TAILQ_HEAD(prepared_list, prepared) prepared; // the last used is first
    unsigned prepared_count;
    struct dialogue_read reads[DIALOGUE_READS_MAX];
    unsigned read_count;
    char transaction;    // the last ReadyForQuery: 'I', 'T', 'E'; '\0': there was none yet
    bool has_written;    // a statement that writes was forwarded since the last idle ReadyForQuery
    bool has_terminated; // the client has sent Terminate
    bool had_fatal;      // the server has sent a FATAL or PANIC error
    bool is_copying;     // from CopyInResponse or CopyBothResponse to the next ReadyForQuery
    unsigned owed;       // messages sent that a ReadyForQuery answers
    size_t key_length;   // 0: there was no BackendKeyData
    char key[DIALOGUE_KEY_MAX];
};

// The types of messages whose bodies dialogue_client(), dialogue_server() and hold_answered() look at.
#define DIALOGUE_CLIENT_WANTED "QPBC"
#define DIALOGUE_SERVER_WANTED "EKZC"

// `reads_sql`: somebody needs the statements; otherwise their SQL is not looked at.
void dialogue_init(struct dialogue *dialogue, bool reads_sql);
void dialogue_free(struct dialogue *dialogue);

// A message of the client that is about to be forwarded. True: it makes the server run `statement`.
MUST_CHECK bool dialogue_client(struct dialogue *dialogue, const struct wire_message *message,
                                struct sql_statement *statement);
// The statement is forwarded now.
void dialogue_forwarded(struct dialogue *dialogue, const struct sql_statement *statement, uint64_t now_ns);
// A message of the server. True: the session is idle now, outside of a transaction.
bool dialogue_server(struct dialogue *dialogue, const struct wire_message *message);

// True if the session has read the table lately: in the open transaction, or within DIALOGUE_UNIT_NS, and not before a
// write that has ended.
MUST_CHECK bool dialogue_has_read(const struct dialogue *dialogue, const char *table, uint64_t now_ns);
// True if a transaction is open or the server owes an answer.
MUST_CHECK bool dialogue_is_busy(const struct dialogue *dialogue);
// The process id of the backend; 0: unknown.
MUST_CHECK uint32_t dialogue_backend(const struct dialogue *dialogue);
// True if a CancelRequest with this process id and secret means this session.
MUST_CHECK bool dialogue_has_key(const struct dialogue *dialogue, struct slice key);

#endif
