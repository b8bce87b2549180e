// The addresses of the servers that connection parameters name, for a program that relays connections without libpq.
// Main thread: names are resolved with a call that blocks.
#ifndef WORKERS_DATABASE_DB_ADDRESS_H
#define WORKERS_DATABASE_DB_ADDRESS_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
    DB_ADDRESSES_MAX = 16,
    DB_ADDRESS_NAME_LENGTH = 128,
    DB_ADDRESS_HOST_LENGTH = 256,
};

struct db_address {
    struct sockaddr_storage address; // AF_INET, AF_INET6 or AF_UNIX
    socklen_t length;
    char name[DB_ADDRESS_NAME_LENGTH]; // "127.0.0.1:5432", "[::1]:5432" or the path of the Unix socket
    char host[DB_ADDRESS_HOST_LENGTH]; // for TLS: the server's name or address, as the parameters give it
};

struct db_addresses {
    size_t count;
    struct db_address list[DB_ADDRESSES_MAX]; // in the order in which libpq would try them
};

// `conninfo` is a URL or a list of keyword=value; what it leaves out comes from the PG* variables and libpq's defaults.
// False: `problem` is one line without secrets.
MUST_CHECK bool db_addresses_read(const char *conninfo, struct db_addresses *out, struct text *problem);

// Single connection parameters; "": there is none. `host` and `port` are those of the first server, and `host` may be
// the folder of a Unix socket. A password of a password file is not among them.
struct db_identity {
    struct text user, password, database, host, port;
};

MUST_CHECK bool db_identity_read(const char *conninfo, struct db_identity *out, struct text *problem);
void db_identity_free(struct db_identity *identity);

#endif
