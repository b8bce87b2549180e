// The parameters of TLS that a connection string has, for a program that relays connections without libpq. Main thread.
#ifndef WORKERS_DATABASE_DB_TLS_H
#define WORKERS_DATABASE_DB_TLS_H

#include "observability/base/base.h"

#include <stdbool.h>

// sslmode. "allow" asks for TLS only after the server has refused plain text, which a relay cannot see in time: it is
// taken for "disable".
enum db_tls_mode { DB_TLS_DISABLE, DB_TLS_PREFER, DB_TLS_REQUIRE, DB_TLS_VERIFY_CA, DB_TLS_VERIFY_FULL };

// The files are those that libpq would use; NULL: none. The owner frees them with db_tls_free().
struct db_tls {
    enum db_tls_mode mode;
    bool sends_name;                    // sslsni
    char *root;                         // sslrootcert; also "system"
    char *revoked;                      // sslcrl
    char *certificate, *key;            // sslcert, sslkey
    char *key_password;                 // sslpassword
    char *least_version, *most_version; // ssl_min_protocol_version, ssl_max_protocol_version
};

// `conninfo` is a URL or a list of keyword=value; what it leaves out comes from the PG* variables and libpq's defaults.
// False: `problem` is one line without secrets.
MUST_CHECK bool db_tls_read(const char *conninfo, struct db_tls *out, struct text *problem);
MUST_CHECK const char *db_tls_mode_name(enum db_tls_mode mode);
void db_tls_free(struct db_tls *tls);

#endif
