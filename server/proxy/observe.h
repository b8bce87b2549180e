// Turns the messages of a session into the calls of an observer (observer.h). Loop thread.
#ifndef SERVER_PROXY_OBSERVE_H
#define SERVER_PROXY_OBSERVE_H

#include "server/proxy/observer.h"
#include "server/proxy/wire.h"

// The types whose bodies an observer needs, in place of DIALOGUE_SERVER_WANTED.
#define OBSERVE_SERVER_WANTED "EKZTDC"
#define OBSERVE_CLIENT_WANTED "QPBCE"

// `session` is what the observer's `began` returned; NULL: the session has not begun, and nothing is reported.
void observe_client(const struct observer *observer, void *session, const struct wire_message *message);
void observe_server(const struct observer *observer, void **session, uint64_t number,
                    const struct wire_message *message);
void observe_forwarded(const struct observer *observer, void *session); // the observer may be NULL
void observe_ended(const struct observer *observer, void *session);     // the observer may be NULL

#endif
