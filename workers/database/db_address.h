// The servers that connection parameters name, and their addresses: for programs that connect without libpq, or that
// must not wait in libpq for a name server.
#ifndef WORKERS_DATABASE_DB_ADDRESS_H
#define WORKERS_DATABASE_DB_ADDRESS_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    DB_ADDRESSES_MAX = 16, // for one server
    DB_ADDRESS_NAME_LENGTH = 128,
};

struct db_address {
    struct sockaddr_storage address;   // AF_INET, AF_INET6 or AF_UNIX
    char name[DB_ADDRESS_NAME_LENGTH]; // "127.0.0.1:5432", "[::1]:5432" or the path of the Unix socket
};

struct db_addresses {
    size_t count;
    struct db_address list[]; // in the order in which libpq would try them
};

// --- A name that is being resolved ---

struct db_lookup;

// Begins to resolve the name of a host. A thread waits for the name server. NULL: no thread or descriptor is left.
MUST_CHECK struct db_lookup *db_lookup_new(const char *host);
MUST_CHECK int db_lookup_descriptor(const struct db_lookup *lookup); // readable when the lookup is done
MUST_CHECK bool db_lookup_is_done(const struct db_lookup *lookup);
void db_lookup_release(struct db_lookup *lookup); // may be NULL; the thread may still run

// --- The servers ---

struct db_servers;

// `conninfo` is a URL or a list of keyword=value; what it leaves out comes from the PG* variables and libpq's defaults.
// NULL: `problem` is one line without secrets.
MUST_CHECK struct db_servers *db_servers_read(const char *conninfo, struct text *problem);
void db_servers_free(struct db_servers *servers);
MUST_CHECK size_t db_servers_count(const struct db_servers *servers);
// connect_timeout for all servers together; 0: there is no limit.
MUST_CHECK uint64_t db_servers_timeout_ns(const struct db_servers *servers);
// Waits until one of them has an address. False: `problem` says why none has.
MUST_CHECK bool db_servers_check(const struct db_servers *servers, struct text *problem);

// "db.example:5432", "127.0.0.1:5432" or the path of the Unix socket.
MUST_CHECK const char *db_server_name(const struct db_servers *servers, size_t server);
// The name or the address, as the parameters give it. NULL: the default Unix socket.
MUST_CHECK const char *db_server_host(const struct db_servers *servers, size_t server);
MUST_CHECK const char *db_server_port(const struct db_servers *servers, size_t server);
// True: its addresses need db_lookup_new() of its host.
MUST_CHECK bool db_server_has_name(const struct db_servers *servers, size_t server);
// Returns its addresses; the caller frees them. `lookup`: done, or NULL for a server without a name.
// NULL: `problem` says why there are none.
MUST_CHECK struct db_addresses *db_server_addresses(const struct db_servers *servers, size_t server,
                                                    const struct db_lookup *lookup, struct text *problem);

// --- Single connection parameters ---

// "": there is none. `host` and `port` are those of the first server, and `host` may be the folder of a Unix socket.
// A password of a password file is not among them.
struct db_identity {
    struct text user, password, database, host, port;
};

MUST_CHECK bool db_identity_read(const char *conninfo, struct db_identity *out, struct text *problem);
void db_identity_free(struct db_identity *identity);

#endif
