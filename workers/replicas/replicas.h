// The replicas: several bank-api on one PostgreSQL that share their settings and the barrier (docs/REPLICAS.md).
//
// A replica has one session of its own, the link, which a thread of its own uses: it listens, registers the replica
// every second, writes changes of the settings, and reports the waiters of the barrier. Loop thread, except where it
// says otherwise. A program without BANK_API_REPLICA has no struct replicas.
#ifndef WORKERS_REPLICAS_REPLICAS_H
#define WORKERS_REPLICAS_REPLICAS_H

#include "observability/base/base.h"
#include "workers/database/database.h"
#include "workers/gate/gate.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#define REPLICA_NAME_MAX 32 // its characters are a-z, 0-9 and -

struct replicas;

// The settings that are in force on all replicas.
struct shared_settings {
    uint64_t version;
    uint64_t gates; // the version of the gates, settings.gate_version
    const char *json;
};

struct replicas_options {
    uv_loop_t *loop;
    const char *name;
    const char *database_url; // or NULL: libpq's PG* variables
    struct db *db;            // names the schema
    struct gate *gate;
    void *owner;
    // The settings have changed, here or on another replica, or the link has read them at its start.
    void (*settings_changed)(void *owner, const struct shared_settings *settings);
    // This program must not be a replica: the problem is one line that says what to change.
    void (*refused)(void *owner, const char *problem);
    void *refused_owner;
};

// From now on the waiters of the gate wait for those of all replicas.
MUST_CHECK struct replicas *replicas_new(const struct replicas_options *options);
// Starts the link. `url`: where this replica listens. `settings`: the JSON object that counts if no replica has written
// settings before.
void replicas_start(struct replicas *replicas, const char *url, const char *settings);
// The loop's handle is closed: nothing is called any more. Once.
void replicas_leave_loop(struct replicas *replicas);
// Ends the link, after the loop has ended. Changes that wait are answered with REPLICAS_UNREACHABLE.
void replicas_free(struct replicas *replicas);

// False until the settings were read for the first time: those of the environment do not count.
MUST_CHECK bool replicas_have_settings(const struct replicas *replicas);
MUST_CHECK uint64_t replicas_settings_version(const struct replicas *replicas);

enum replicas_result {
    REPLICAS_CHANGED,     // committed, and settings_changed() was called before
    REPLICAS_UNREACHABLE, // the link has no session: nothing was changed
    REPLICAS_UNKNOWN,     // the link's session broke: the change may or may not be committed
};

// A change for all replicas. The caller owns it until it is answered.
struct replicas_change {
    STAILQ_ENTRY(replicas_change) next; // used by the replicas
    struct text json;                   // an object with the changed settings alone
    bool releases_waiters;              // instead: all waiters at the barrier are released, after a reset
    enum replicas_result result;
    void (*answered)(struct replicas_change *change); // frees it
};
void replicas_change(struct replicas *replicas, struct replicas_change *change);

// --- The list of GET /replicas. On a worker. ---
struct replica {
    const char *name;
    const char *url;
    const char *started_at; // as a record's timestamp
    const char *seen_at;
    uint64_t settings_version;
    bool present; // its session is there
};
struct replica_list {
    size_t count;
    struct replica *replicas; // ordered by name
    uint64_t settings_version;
    struct db_rows rows; // owns the texts
};
MUST_CHECK enum db_status replicas_read(struct db_session *session, struct replica_list *out);
void replica_list_free(struct replica_list *list);

#endif
