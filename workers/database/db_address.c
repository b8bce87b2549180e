// Turns the hosts of connection parameters into addresses.
#include "workers/database/db_address.h"

#include "workers/database/database_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_DEFAULT "5432"

enum { SERVER_NAME_LENGTH = 300 }; // the longest name of a host has 253 characters

struct db_server {
    char name[SERVER_NAME_LENGTH];
    bool has_name;
};

struct db_servers {
    struct db_parameters parameters;
    struct db_server *list; // one for each endpoint of the parameters
};

static const char *port_of(const struct db_endpoint *endpoint) {
    return endpoint->port == NULL ? PORT_DEFAULT : endpoint->port;
}

// NULL: the endpoint is no Unix socket.
static const char *folder_of(const struct db_endpoint *endpoint) {
    if (endpoint->hostaddr != NULL) {
        return NULL;
    }
    if (endpoint->host == NULL) { // Debian's libpq looks in the first folder, PostgreSQL's own in the second
        return access("/var/run/postgresql", X_OK) == 0 ? "/var/run/postgresql" : "/tmp";
    }
    return endpoint->host[0] == '/' ? endpoint->host : NULL;
}

// NULL: `host` is a name. The caller frees the result.
static struct addrinfo *address_in(const char *host) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    return getaddrinfo(host, NULL, &hints, &found) == 0 ? found : NULL;
}

static bool read_server(const struct db_endpoint *endpoint, struct db_server *out, struct text *problem) {
    const char *folder = folder_of(endpoint);
    if (folder != NULL) {
        size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
        int length = snprintf(out->name, sizeof out->name, "%s/.s.PGSQL.%s", folder, port_of(endpoint));
        if (length < 0 || (size_t)length > longest) {
            text_append_format(problem, "the path of the Unix socket in %s is longer than %zu bytes", folder, longest);
            return false;
        }
        return true;
    }
    const char *host = endpoint->hostaddr == NULL ? endpoint->host : endpoint->hostaddr;
    struct addrinfo *address = address_in(host);
    bool is_6 = address != NULL && address->ai_family == AF_INET6;
    out->has_name = address == NULL;
    if (address != NULL) {
        freeaddrinfo(address);
    } else if (endpoint->hostaddr != NULL) {
        text_append_format(problem, "hostaddr \"%s\" is not an address", host);
        return false;
    }
    (void)snprintf(out->name, sizeof out->name, is_6 ? "[%s]:%s" : "%s:%s", host, port_of(endpoint));
    return true;
}

struct db_servers *db_servers_read(const char *conninfo, struct text *problem) {
    struct db_servers *servers = memory_allocate_zeroed(sizeof *servers);
    bool is_good = db_parameters_read(conninfo, &servers->parameters, problem);
    size_t count = servers->parameters.endpoint_count;
    servers->list = memory_allocate_zeroed((count + 1) * sizeof *servers->list);
    for (size_t i = 0; i < count && is_good; i++) {
        is_good = read_server(&servers->parameters.endpoints[i], &servers->list[i], problem);
    }
    if (!is_good) {
        db_servers_free(servers);
        return NULL;
    }
    return servers;
}

void db_servers_free(struct db_servers *servers) {
    if (servers != NULL) {
        db_parameters_free(&servers->parameters);
        free(servers->list);
        free(servers);
    }
}

size_t db_servers_count(const struct db_servers *servers) {
    return servers->parameters.endpoint_count;
}

const char *db_server_name(const struct db_servers *servers, size_t server) {
    return servers->list[server].name;
}

const char *db_server_host(const struct db_servers *servers, size_t server) {
    const struct db_endpoint *endpoint = &servers->parameters.endpoints[server];
    return endpoint->host == NULL ? endpoint->hostaddr : endpoint->host;
}

uint64_t db_servers_timeout_ns(const struct db_servers *servers) {
    return servers->parameters.connect_timeout_ns * servers->parameters.endpoint_count;
}

const char *db_server_port(const struct db_servers *servers, size_t server) {
    return port_of(&servers->parameters.endpoints[server]);
}

bool db_server_has_name(const struct db_servers *servers, size_t server) {
    return servers->list[server].has_name;
}

// --- Addresses ---

static struct db_addresses *new_addresses(size_t count) {
    struct db_addresses *addresses = memory_allocate_zeroed(sizeof *addresses + count * sizeof(struct db_address));
    addresses->count = count;
    return addresses;
}

static struct db_addresses *unix_address(const char *path) {
    struct db_addresses *addresses = new_addresses(1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path)); // read_server() has looked at its length
    memcpy(&addresses->list[0].address, &address, sizeof address);
    memcpy(addresses->list[0].name, path, strlen(path));
    return addresses;
}

static void copy_internet(const struct addrinfo *found, const char *port, struct db_address *out) {
    char numbers[INET6_ADDRSTRLEN] = "";
    in_port_t number = htons((in_port_t)strtoul(port, NULL, 10));
    bool is_6 = found->ai_family == AF_INET6;
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    if (is_6) {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)(void *)&out->address;
        address->sin6_port = number;
        (void)inet_ntop(AF_INET6, &address->sin6_addr, numbers, sizeof numbers);
    } else {
        struct sockaddr_in *address = (struct sockaddr_in *)(void *)&out->address;
        address->sin_port = number;
        (void)inet_ntop(AF_INET, &address->sin_addr, numbers, sizeof numbers);
    }
    (void)snprintf(out->name, sizeof out->name, is_6 ? "[%s]:%s" : "%s:%s", numbers, port);
}

static struct db_addresses *internet_addresses(const struct addrinfo *found, const char *port) {
    size_t count = 0;
    for (const struct addrinfo *each = found; each != NULL && count < DB_ADDRESSES_MAX; each = each->ai_next) {
        count++;
    }
    struct db_addresses *addresses = new_addresses(count);
    for (size_t i = 0; i < count; i++, found = found->ai_next) {
        copy_internet(found, port, &addresses->list[i]);
    }
    return addresses;
}

struct db_addresses *db_server_addresses(const struct db_servers *servers, size_t server,
                                         const struct db_lookup *lookup, struct text *problem) {
    const struct db_endpoint *endpoint = &servers->parameters.endpoints[server];
    if (folder_of(endpoint) != NULL) {
        return unix_address(servers->list[server].name);
    }
    if (!db_server_has_name(servers, server)) {
        struct addrinfo *own = address_in(endpoint->hostaddr == NULL ? endpoint->host : endpoint->hostaddr);
        CHECK(own != NULL);
        struct db_addresses *addresses = internet_addresses(own, port_of(endpoint));
        freeaddrinfo(own);
        return addresses;
    }
    const struct addrinfo *found = NULL;
    int error = lookup == NULL ? EAI_AGAIN : db_lookup_result(lookup, &found);
    if (error != 0) {
        text_append_format(problem, "the host \"%s\" cannot be found: %s", endpoint->host, gai_strerror(error));
        return NULL;
    }
    return internet_addresses(found, port_of(endpoint));
}

bool db_servers_check(const struct db_servers *servers, struct text *problem) {
    struct text words = {0};
    struct db_addresses *addresses = NULL;
    for (size_t i = 0; i < db_servers_count(servers) && addresses == NULL; i++) {
        struct db_lookup *lookup = db_server_has_name(servers, i) ? db_lookup_new(db_server_host(servers, i)) : NULL;
        while (lookup != NULL && !db_lookup_is_done(lookup)) {
            struct pollfd polled = {.fd = db_lookup_descriptor(lookup), .events = POLLIN};
            (void)poll(&polled, 1, -1);
        }
        text_append_string(&words, words.length == 0 ? "" : "; ");
        addresses = db_server_addresses(servers, i, lookup, &words);
        db_lookup_release(lookup);
    }
    bool is_good = addresses != NULL;
    if (!is_good) {
        text_append_slice(problem, text_slice(&words));
    }
    text_free(&words);
    free(addresses);
    return is_good;
}
