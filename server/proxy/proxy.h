// race-proxy: stands between an application and its PostgreSQL, and holds statements until others come.
//
//     client > session (startup, dialogue) > flow > server       each byte unchanged; a rule may hold it (rules, hold)
//     client < flow < session (dialogue) < server                never held
//
// One client connection is one server connection. Main thread, which is the loop thread.
#ifndef SERVER_PROXY_PROXY_H
#define SERVER_PROXY_PROXY_H

#include "server/proxy/observer.h"

// Runs the program. Returns its exit status.
int proxy_main(int argc, char **argv);

#endif
