// Makes the environment of a process: see prove_environment.h.
#include "server/proxy/prove_environment.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Variables that would lead a client past the address. The server's TLS is not the proxy's.
#define SSLMODE "PGSSLMODE="
static const char *const replaced[] = {"DATABASE_URL=", "PROVE_COPY=", "PGHOST=",     "PGHOSTADDR=", "PGPORT=",
                                       "PGUSER=",       "PGPASSWORD=", "PGDATABASE=", "PGSERVICE=",  SSLMODE};
enum { REPLACED = sizeof replaced / sizeof replaced[0], ADDED_MAX = 8 };

static void append_encoded(struct text *out, struct slice value) {
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        bool is_plain = isalnum(byte) || byte == '-' || byte == '.' || byte == '_' || byte == '~';
        text_append_format(out, is_plain ? "%c" : "%%%02X", byte);
    }
}

void environment_append_url(const struct db_identity *identity, const char *host, const char *port, struct text *out) {
    bool is_6 = strchr(host, ':') != NULL;
    text_append_string(out, "postgresql://");
    append_encoded(out, text_slice(&identity->user));
    if (identity->password.length > 0) {
        text_append_string(out, ":");
        append_encoded(out, text_slice(&identity->password));
    }
    text_append_string(out, is_6 ? "@[" : "@");
    if (is_6) {
        text_append_string(out, host);
    } else {
        append_encoded(out, slice_of(host));
    }
    text_append_format(out, "%s%s%s/", is_6 ? "]" : "", port[0] == '\0' ? "" : ":", port);
    append_encoded(out, text_slice(&identity->database));
}

static bool is_replaced(const char *variable) {
    for (size_t i = 0; i < REPLACED; i++) {
        if (strncmp(variable, replaced[i], strlen(replaced[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void add(char **environment, size_t *count, const char *name, const char *value) {
    struct text variable = {0};
    if (value[0] != '\0') {
        text_append_format(&variable, "%s%s", name, value);
        text_append(&variable, "", 1);
        environment[(*count)++] = variable.data;
    }
}

static void add_terminated(char **environment, size_t *count, const char *name, const struct text *value) {
    struct text copy = {0};
    text_append_slice(&copy, text_slice(value));
    add(environment, count, name, text_terminated(&copy));
    text_free(&copy);
}

// Copies our environment without what is replaced, with room for ADDED_MAX variables. The number goes to `count`.
static char **copy_environment(bool keeps_sslmode, size_t *count) {
    size_t most = 0;
    for (char **each = environ; *each != NULL; each++) {
        most++;
    }
    char **environment = memory_allocate_zeroed((most + ADDED_MAX) * sizeof *environment);
    *count = 0;
    for (char **each = environ; *each != NULL; each++) {
        bool is_kept = keeps_sslmode && strncmp(*each, SSLMODE, strlen(SSLMODE)) == 0;
        if (is_kept || !is_replaced(*each)) {
            add(environment, count, "", *each);
        }
    }
    return environment;
}

static void add_identity(char **environment, size_t *count, const struct db_identity *identity) {
    add_terminated(environment, count, "PGUSER=", &identity->user);
    add_terminated(environment, count, "PGPASSWORD=", &identity->password);
    add_terminated(environment, count, "PGDATABASE=", &identity->database);
}

char **environment_new(const struct db_identity *identity, const char *host, unsigned port, unsigned copy) {
    char number[16];
    struct text url = {0};
    size_t count;
    char **environment = copy_environment(false, &count);
    (void)snprintf(number, sizeof number, "%u", port);
    environment_append_url(identity, host, number, &url);
    add_terminated(environment, &count, "DATABASE_URL=", &url);
    add(environment, &count, "PGHOST=", host);
    add(environment, &count, "PGPORT=", number);
    add_identity(environment, &count, identity);
    add(environment, &count, "PROVE_COPY=", copy == 1 ? "1" : "2");
    text_free(&url);
    return environment;
}

char **environment_new_direct(const struct db_identity *identity, const char *conninfo) {
    struct text url = {0};
    struct text host = {0};
    struct text port = {0};
    size_t count;
    char **environment = copy_environment(true, &count);
    text_append_slice(&host, text_slice(&identity->host));
    text_append_slice(&port, text_slice(&identity->port));
    if (conninfo != NULL && strstr(conninfo, "://") != NULL) {
        text_append_string(&url, conninfo);
    } else {
        environment_append_url(identity, text_terminated(&host), text_terminated(&port), &url);
    }
    add_terminated(environment, &count, "DATABASE_URL=", &url);
    add_terminated(environment, &count, "PGHOST=", &host);
    add_terminated(environment, &count, "PGPORT=", &port);
    add_identity(environment, &count, identity);
    text_free(&url);
    text_free(&host);
    text_free(&port);
    return environment;
}

void environment_free(char **environment) {
    for (char **each = environment; environment != NULL && *each != NULL; each++) {
        free(*each);
    }
    free(environment);
}
