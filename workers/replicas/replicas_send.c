// Sends statements on the link's session, and judges their answers. Link thread.
#include "observability/log/log.h"
#include "workers/replicas/replicas_internal.h"

bool link_succeeded(struct replicas *replicas) {
    struct link *link = &replicas->link;
    const struct db_async_answer *error = db_async_error(link->session);
    if (error == NULL && db_async_transaction(link->session) != DB_ASYNC_BROKEN) {
        return true;
    }
    if (!link->is_stopped) {
        log_event(LOG_LEVEL_WARN, "replica_link", "down", "The replicas' session has failed: %s",
                  error == NULL ? "the connection was lost" : db_async_message(error));
    }
    link->is_broken = true;
    return false;
}

void link_send(struct replicas *replicas, enum link_errand errand, const struct db_async_call *calls, size_t count) {
    struct link *link = &replicas->link;
    link->errand = errand;
    link->sent_ns = clock_monotonic_ns();
    db_async_execute_calls(link->session, calls, count, link->answered, replicas);
}
