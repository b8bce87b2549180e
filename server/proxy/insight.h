// Connects the relay with server/sight: the messages of each session go there, its findings go to the log and to a
// file, and a session of our own with each database reads its catalogue. Loop thread.
#ifndef SERVER_PROXY_INSIGHT_H
#define SERVER_PROXY_INSIGHT_H

#include "server/proxy/observer.h"
#include "server/sight/sight.h"

#include <uv.h>

enum {
    INSIGHT_DATABASES_MAX = 16,
    INSIGHT_RELOAD_MS = 500,       // between two readings of a catalogue; doubled while they bring nothing new
    INSIGHT_RELOAD_MAX_MS = 60000, // for tables that are never found, such as temporary ones
};

struct insight;

// A program that takes the findings instead of the log, and decides itself which statements that write are held.
struct insight_listener {
    void *owner;
    void (*finding)(void *owner, const struct sight_finding *finding); // also each time that one happens again
    void (*pattern)(void *owner, const struct sight_pattern *pattern);
    void (*outcome)(void *owner, const struct sight_outcome *outcome);
    bool (*wants_hold)(void *owner, const struct sight_intent *intent);
    // NULL is allowed. Each message that the observer of the relay gets.
    void (*message)(void *owner, uint32_t backend, bool of_client, char type, struct slice body);
};

enum insight_state {
    INSIGHT_READING, // the catalogue of a database is unknown, or a table was seen that it does not have
    INSIGHT_READY,
    INSIGHT_FAILED, // that of one database cannot be read; the log says why
};

struct insight_options {
    uv_loop_t *loop;
    const char *conninfo;                    // that of the upstream; the database in it is replaced
    bool is_quiet;                           // it is asked which rows were read, and no finding is reported
    const char *path;                        // a file for the findings, or NULL
    const struct insight_listener *listener; // may be NULL
};

MUST_CHECK struct insight *insight_new(const struct insight_options *options);
MUST_CHECK struct sight *insight_sight(const struct insight *insight);
// Reads the catalogue of the database before its first session comes.
void insight_expect(struct insight *insight, const char *database);
MUST_CHECK enum insight_state insight_state(const struct insight *insight);
// How often a catalogue was read that had something new. The observation of the moments before it is incomplete.
MUST_CHECK uint64_t insight_readings(const struct insight *insight);
// Also passes each new finding to `call`.
void insight_on_finding(struct insight *insight, void (*call)(void *owner, const struct sight_finding *finding),
                        void *owner);
MUST_CHECK const struct observer *insight_observer(const struct insight *insight);
// True if it wants insight_connect() to be called; it has stopped the loop for that.
MUST_CHECK bool insight_wants_connection(const struct insight *insight);
// --exact: creates the triggers in the database of `conninfo`, and runs the loop meanwhile. False: `problem` says why.
MUST_CHECK bool insight_use_triggers(struct insight *insight, const bool *is_stopped, struct text *problem);
void insight_connect(struct insight *insight, const bool *is_stopped); // see lock_watch_connect()
void insight_close(struct insight *insight);                           // leaves the loop
void insight_free(struct insight *insight);                            // after the loop has ended; writes the file

#endif
