// Reads the parameters of TLS as libpq merges them, and finds its files in the home folder.
#include "workers/database/db_tls.h"

#include "workers/database/database_internal.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const modes[] = {
    [DB_TLS_DISABLE] = "disable",     [DB_TLS_PREFER] = "prefer",           [DB_TLS_REQUIRE] = "require",
    [DB_TLS_VERIFY_CA] = "verify-ca", [DB_TLS_VERIFY_FULL] = "verify-full",
};

const char *db_tls_mode_name(enum db_tls_mode mode) {
    return modes[mode];
}

static enum db_tls_mode mode_of(const char *name) {
    for (size_t i = 0; name != NULL && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(name, modes[i]) == 0) {
            return (enum db_tls_mode)i;
        }
    }
    return name == NULL ? DB_TLS_PREFER : DB_TLS_DISABLE; // "allow"
}

// NULL: the parameter is not set.
static char *copy(const char *value) {
    char *copied = value == NULL ? NULL : strdup(value);
    CHECK(value == NULL || copied != NULL);
    return copied;
}

// The file of the parameter, or libpq's default in the home folder.
static char *name_file(const char *given, const char *standard) {
    char path[PATH_LENGTH];
    db_in_home_folder(path, sizeof path, standard);
    return copy(given == NULL ? path : given);
}

// The same; NULL: there is no such file.
static char *find_file(const char *given, const char *standard) {
    char *file = name_file(given, standard);
    if (access(file, F_OK) == 0) {
        return file;
    }
    free(file);
    return NULL;
}

bool db_tls_read(const char *conninfo, struct db_tls *out, struct text *problem) {
    *out = (struct db_tls){0};
    PQconninfoOption *options = db_parameters_merge(conninfo, problem);
    if (options == NULL) {
        return false;
    }
    const char *root = db_parameter(options, "sslrootcert");
    const char *name = db_parameter(options, "sslsni"); // exists since libpq 14
    out->mode = mode_of(db_parameter(options, "sslmode"));
    out->sends_name = name == NULL || strcmp(name, "0") != 0;
    out->root = root != NULL && strcmp(root, "system") == 0 ? copy(root) : find_file(root, ".postgresql/root.crt");
    out->revoked = find_file(db_parameter(options, "sslcrl"), ".postgresql/root.crl");
    out->certificate = find_file(db_parameter(options, "sslcert"), ".postgresql/postgresql.crt");
    out->key = name_file(db_parameter(options, "sslkey"), ".postgresql/postgresql.key");
    out->key_password = copy(db_parameter(options, "sslpassword"));
    out->least_version = copy(db_parameter(options, "ssl_min_protocol_version"));
    out->most_version = copy(db_parameter(options, "ssl_max_protocol_version"));
    PQconninfoFree(options);
    return true;
}

void db_tls_free(struct db_tls *tls) {
    char *const all[] = {tls->root,         tls->revoked,       tls->certificate, tls->key,
                         tls->key_password, tls->least_version, tls->most_version};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(all[i]);
    }
    *tls = (struct db_tls){0};
}
