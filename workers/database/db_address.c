// Turns the hosts of connection parameters into addresses.
#include "workers/database/db_address.h"

#include "workers/database/database_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_DEFAULT "5432"

static struct db_address *next_address(struct db_addresses *out) {
    return out->count < DB_ADDRESSES_MAX ? &out->list[out->count++] : NULL;
}

static bool add_unix(const char *folder, const char *port, struct db_addresses *out, struct text *problem) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%s", folder, port);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        text_append_format(problem, "the path of the Unix socket in %s is longer than %zu bytes", folder,
                           sizeof address.sun_path - 1);
        return false;
    }
    struct db_address *added = next_address(out);
    if (added != NULL) {
        memcpy(&added->address, &address, sizeof address);
        added->length = sizeof address;
        (void)snprintf(added->name, sizeof added->name, "%s", address.sun_path);
    }
    return true;
}

static void add_internet(const struct addrinfo *found, const struct db_endpoint *endpoint, const char *port,
                         struct db_addresses *out) {
    struct db_address *added = next_address(out);
    if (added == NULL) {
        return;
    }
    memcpy(&added->address, found->ai_addr, found->ai_addrlen);
    added->length = found->ai_addrlen;
    char numbers[INET6_ADDRSTRLEN] = "";
    bool is_6 = found->ai_family == AF_INET6;
    const void *bytes = is_6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)&added->address)->sin6_addr
                             : (const void *)&((const struct sockaddr_in *)(const void *)&added->address)->sin_addr;
    (void)inet_ntop(found->ai_family, bytes, numbers, sizeof numbers);
    (void)snprintf(added->name, sizeof added->name, is_6 ? "[%s]:%s" : "%s:%s", numbers, port);
    (void)snprintf(added->host, sizeof added->host, "%s", endpoint->host == NULL ? endpoint->hostaddr : endpoint->host);
}

static bool resolve(const struct db_endpoint *endpoint, const char *port, struct db_addresses *out,
                    struct text *problem) {
    const char *host = endpoint->hostaddr == NULL ? endpoint->host : endpoint->hostaddr;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int status = getaddrinfo(host, port, &hints, &found);
    if (status != 0) {
        text_append_format(problem, "the host \"%s\" cannot be found: %s", host, gai_strerror(status));
        return false;
    }
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        add_internet(each, endpoint, port, out);
    }
    freeaddrinfo(found);
    return true;
}

static bool add_endpoint(const struct db_endpoint *endpoint, struct db_addresses *out, struct text *problem) {
    const char *port = endpoint->port == NULL ? PORT_DEFAULT : endpoint->port;
    if (endpoint->hostaddr != NULL) {
        return resolve(endpoint, port, out, problem);
    }
    if (endpoint->host == NULL) { // Debian's libpq looks in the first folder, PostgreSQL's own in the second
        return add_unix(access("/var/run/postgresql", X_OK) == 0 ? "/var/run/postgresql" : "/tmp", port, out, problem);
    }
    return endpoint->host[0] == '/' ? add_unix(endpoint->host, port, out, problem)
                                    : resolve(endpoint, port, out, problem);
}

bool db_addresses_read(const char *conninfo, struct db_addresses *out, struct text *problem) {
    struct db_parameters parameters;
    out->count = 0;
    bool good = db_parameters_read(conninfo, &parameters, problem);
    for (size_t i = 0; good && i < parameters.endpoint_count; i++) {
        good = add_endpoint(&parameters.endpoints[i], out, problem);
    }
    db_parameters_free(&parameters);
    return good;
}
