// The settings that replicas share: a change goes to the database first, and is in force when it comes back. Loop
// thread.
#ifndef SERVER_API_REPLICA_SETTINGS_H
#define SERVER_API_REPLICA_SETTINGS_H

#include "server/api/exchange.h"
#include "server/config/config.h"
#include "workers/replicas/replicas.h"

struct bank_api;

// The present settings are new: lets the gates and the subscribers know, and logs them.
void settings_put_in_force(struct bank_api *api);

// For replicas_start(): the settings as a JSON object without those that follow from others.
void replica_settings_append(struct text *out, const struct settings *settings);
// The callback of the replicas; `owner` is the bank_api.
void replica_settings_changed(void *owner, const struct shared_settings *shared);

// Writes the change for all replicas. `next` is what it makes of the present settings. When it is in force, `respond`
// answers with `what`; if it cannot be written, the client learns why.
void replica_settings_write(const struct exchange *exchange, const struct settings_change *change,
                            const struct settings *next, void (*respond)(struct conn *conn, const void *what),
                            const void *what);

#endif
