// Reads the connection parameters: DATABASE_URL, the PG* variables, a service file and libpq's defaults, merged by
// libpq. Checks them before the first connection. Main thread.
//
// db_parameters_read() > url_is_well_formed(), db_parameters_merge(), read_merged().
// read_merged() > read_endpoints(), numbers_are_good(), libpq_accepts(), root_certificate_is_there().
#include "observability/base/base.h"
#include "workers/database/database_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// No file can have this path, because /dev/null is not a folder. So libpq finds no socket and no password file there.
#define NOWHERE "/dev/null/none"
#define NO_BINDING "bank-api looks at the parameters"

const char *db_parameter(const PQconninfoOption *options, const char *keyword) {
    for (; options != NULL && options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val == NULL || options->val[0] == '\0' ? NULL : options->val;
        }
    }
    return NULL;
}

static void append_first_line(struct text *out, const char *words) {
    text_append(out, words, strcspn(words, "\n"));
}

static bool refuse(struct text *problem, const char *url, const char *words) {
    text_append_format(problem,
                       "%s cannot be used: ", url == NULL ? "A PG* variable" : "DATABASE_URL or a PG* variable");
    append_first_line(problem, words);
    return false;
}

// True if libpq's message only names an unknown parameter. Its other messages quote the URL, which may contain the
// password. A "?" may be part of a password as well, and then the name behind it is secret: a later "@" shows that.
static bool is_unknown_parameter(const char *url, const char *words) {
    static const char *const kinds[] = {"invalid URI query parameter: \"", "invalid connection option \""};
    const char *query = strchr(url, '?');
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncmp(words, kinds[i], strlen(kinds[i])) == 0) {
            return query == NULL || strchr(query, '@') == NULL;
        }
    }
    return false;
}

static bool url_is_well_formed(const char *url, struct text *problem) {
    char *words = NULL;
    PQconninfoOption *options = url == NULL ? NULL : PQconninfoParse(url, &words);
    bool good = url == NULL || options != NULL;
    if (!good) {
        text_append_string(problem, "DATABASE_URL cannot be used: ");
        if (words != NULL && is_unknown_parameter(url, words)) {
            append_first_line(problem, words);
            text_append_string(problem, "; ");
        }
        text_append_string(problem, "it must be a PostgreSQL connection string such as "
                                    "postgresql://user@host:5432/bank or \"host=... dbname=...\"");
    }
    PQconninfoFree(options);
    PQfreemem(words);
    return good;
}

// Begins a connection. `keywords` ends with NULL; its parameters replace those of the URL and the environment.
static PGconn *begin_with(const char *url, const char *const *keywords, const char *const *values) {
    const char *all_keywords[8] = {"dbname"};
    const char *all_values[8] = {url};
    size_t count = url == NULL ? 0 : 1;
    for (; *keywords != NULL; keywords++, values++) {
        all_keywords[count] = *keywords;
        all_values[count++] = *values;
    }
    all_keywords[count] = NULL;
    PGconn *connection = PQconnectStartParams(all_keywords, all_values, 1);
    CHECK(connection != NULL); // NULL means: out of memory
    return connection;
}

// libpq merges the parameters without a connection: it refuses our value of channel_binding after the merge and before
// it connects.
PQconninfoOption *db_parameters_merge(const char *url, struct text *problem) {
    static const char *const keywords[] = {"passfile", "channel_binding", NULL};
    static const char *const values[] = {NOWHERE, NO_BINDING};
    PGconn *connection = begin_with(url, keywords, values);
    PQconninfoOption *options = PQconninfo(connection);
    const char *binding = db_parameter(options, "channel_binding");
    if (binding == NULL || strcmp(binding, NO_BINDING) != 0) {
        (void)refuse(problem, url, PQerrorMessage(connection)); // such as an error in the service file
        PQconninfoFree(options);
        options = NULL;
    }
    PQfinish(connection);
    return options;
}

// Lets libpq check the other parameters: it does so when it begins to connect, here to a socket that cannot exist.
static bool libpq_accepts(const char *url, const PQconninfoOption *options, struct text *problem) {
    const char *keywords[] = {"host", "port", "passfile", "hostaddr", NULL};
    static const char *const values[] = {NOWHERE, "1", NOWHERE, "127.0.0.1"};
    if (db_parameter(options, "hostaddr") == NULL) {
        keywords[3] = NULL;
    }
    PGconn *connection = begin_with(url, keywords, values);
    const char *words = PQerrorMessage(connection);
    bool accepted = PQstatus(connection) != CONNECTION_BAD || strncmp(words, "connection to server ", 21) == 0;
    if (!accepted) {
        (void)refuse(problem, url, words);
    }
    PQfinish(connection);
    return accepted;
}

static bool is_integer(const char *value, long least, long most) {
    char *end;
    long number = strtol(value, &end, 10);
    return end != value && end[strspn(end, " \t")] == '\0' && number >= least && number <= most;
}

// Checks the numbers that libpq reads only after it has connected, or not at all because this program does the waiting.
static bool numbers_are_good(const char *url, const PQconninfoOption *options, struct text *problem) {
    static const char *const keywords[] = {"connect_timeout",     "keepalives",       "keepalives_idle",
                                           "keepalives_interval", "keepalives_count", "tcp_user_timeout"};
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        const char *value = db_parameter(options, keywords[i]);
        if (value != NULL && !is_integer(value, INT32_MIN, INT32_MAX)) {
            struct text words = {0};
            text_append_format(&words, "%s must be a number, not \"%s\"", keywords[i], value);
            (void)refuse(problem, url, text_terminated(&words));
            text_free(&words);
            return false;
        }
    }
    return true;
}

static bool is_unix_socket(const struct db_endpoint *endpoint) {
    return endpoint->hostaddr == NULL &&
           (endpoint->host == NULL || endpoint->host[0] == '/' || endpoint->host[0] == '@');
}

void db_in_home_folder(char *out, size_t size, const char *file) {
    const char *home = getenv("HOME");
    (void)snprintf(out, size, "%s/%s", home == NULL ? "" : home, file);
}

// libpq looks for the certificate only after it has connected, and would then refuse every connection.
static bool root_certificate_is_there(const char *url, const PQconninfoOption *options,
                                      const struct db_parameters *parameters, struct text *problem) {
    const char *mode = db_parameter(options, "sslmode");
    bool verifies = mode != NULL && strncmp(mode, "verify-", 7) == 0;
    bool over_tcp = false;
    for (size_t i = 0; i < parameters->endpoint_count; i++) {
        over_tcp |= !is_unix_socket(&parameters->endpoints[i]);
    }
    char standard[PATH_LENGTH];
    db_in_home_folder(standard, sizeof standard, ".postgresql/root.crt");
    const char *given = db_parameter(options, "sslrootcert");
    const char *file = given == NULL ? standard : given;
    if (!verifies || !over_tcp || strcmp(file, "system") == 0 || access(file, R_OK) == 0) {
        return true;
    }
    struct text words = {0};
    text_append_format(&words, "sslmode \"%s\" needs a root certificate, and sslrootcert \"%s\" cannot be read", mode,
                       file);
    (void)refuse(problem, url, text_terminated(&words));
    text_free(&words);
    return false;
}

static size_t count_elements(const char *list) {
    size_t count = list == NULL ? 0 : 1;
    for (; list != NULL && (list = strchr(list, ',')) != NULL; list++) {
        count++;
    }
    return count;
}

// Returns one element of a list separated by commas; the caller frees it. NULL: it is empty or does not exist.
static char *copy_element(const char *list, size_t place) {
    for (; list != NULL && place > 0; place--) {
        list = strchr(list, ',');
        list = list == NULL ? NULL : list + 1;
    }
    size_t length = list == NULL ? 0 : strcspn(list, ",");
    if (length == 0) {
        return NULL;
    }
    char *copy = memory_allocate_zeroed(length + 1);
    memcpy(copy, list, length);
    return copy;
}

// Returns libpq's default port, for an empty element of a list of ports. A host without a port of its own would get the
// whole list. The caller frees it.
static char *compiled_port(const PQconninfoOption *options) {
    while (strcmp(options->keyword, "port") != 0) {
        options++;
    }
    return strdup(options->compiled);
}

static const char *wrong_with_lists(size_t hosts, size_t addresses, size_t ports, size_t count) {
    if (hosts > 0 && addresses > 0 && hosts != addresses) {
        return "host and hostaddr must have the same number of elements";
    }
    return ports > 1 && ports != count ? "port must have one element, or one for each host" : NULL;
}

static bool read_endpoints(const char *url, const PQconninfoOption *options, struct db_parameters *out,
                           struct text *problem) {
    const char *hosts = db_parameter(options, "host");
    const char *addresses = db_parameter(options, "hostaddr");
    const char *ports = db_parameter(options, "port");
    size_t count = count_elements(hosts == NULL ? addresses : hosts);
    count = count == 0 ? 1 : count;
    const char *wrong = wrong_with_lists(count_elements(hosts), count_elements(addresses), count_elements(ports),
                                         count);
    out->endpoints = memory_allocate_zeroed(count * sizeof *out->endpoints);
    out->endpoint_count = count;
    for (size_t i = 0; i < count && wrong == NULL; i++) {
        struct db_endpoint *endpoint = &out->endpoints[i];
        endpoint->host = copy_element(hosts, i);
        endpoint->hostaddr = copy_element(addresses, i);
        endpoint->port = copy_element(ports, count_elements(ports) > 1 ? i : 0);
        if (endpoint->port == NULL && count_elements(ports) > 1) {
            endpoint->port = compiled_port(options);
            CHECK(endpoint->port != NULL);
        }
        if (endpoint->port != NULL && !is_integer(endpoint->port, 1, UINT16_MAX)) {
            wrong = "port must be a number from 1 to 65535";
        } else if (count > 1 && endpoint->host == NULL && endpoint->hostaddr == NULL) {
            wrong = "host: an element of the list is empty (for a Unix socket, write its folder)";
        }
    }
    return wrong == NULL || refuse(problem, url, wrong);
}

// Finds the path of the password file, so that its permissions can be checked. libpq itself reads the file.
static void find_password_file(const char *url, const PQconninfoOption *options, struct db_parameters *out) {
    if (db_parameter(options, "password") != NULL) {
        return;
    }
    PQconninfoOption *own = url == NULL ? NULL : PQconninfoParse(url, NULL);
    const char *file = db_parameter(own, "passfile");
    file = file == NULL ? getenv("PGPASSFILE") : file;
    if (file == NULL || file[0] == '\0') {
        db_in_home_folder(out->password_file, sizeof out->password_file, ".pgpass");
    } else {
        (void)snprintf(out->password_file, sizeof out->password_file, "%s", file);
    }
    PQconninfoFree(own);
}

static bool read_merged(const char *url, const PQconninfoOption *options, struct db_parameters *out,
                        struct text *problem) {
    if (!read_endpoints(url, options, out, problem) || !numbers_are_good(url, options, problem) ||
        !libpq_accepts(url, options, problem) || !root_certificate_is_there(url, options, out, problem)) {
        return false;
    }
    const char *connect_timeout = db_parameter(options, "connect_timeout");
    long seconds = connect_timeout == NULL ? 0 : strtol(connect_timeout, NULL, 10);
    out->connect_timeout_ns = seconds <= 0 ? 0 : (uint64_t)seconds * NANOSECONDS_PER_SECOND;
    const char *target = db_parameter(options, "target_session_attrs");
    out->prefers_standby = target != NULL && strcmp(target, "prefer-standby") == 0;
    bool wants_writes = target != NULL && (strcmp(target, "read-write") == 0 || strcmp(target, "primary") == 0);
    out->follows_leader = wants_writes && out->endpoint_count > 1;
    const char *balance = db_parameter(options, "load_balance_hosts"); // exists since libpq 16
    out->in_random_order = balance != NULL && strcmp(balance, "random") == 0;
    find_password_file(url, options, out);
    return true;
}

bool db_parameters_read(const char *url, struct db_parameters *out, struct text *problem) {
    *out = (struct db_parameters){0};
    PQconninfoOption *options = url_is_well_formed(url, problem) ? db_parameters_merge(url, problem) : NULL;
    bool good = options != NULL && read_merged(url, options, out, problem);
    PQconninfoFree(options);
    return good;
}

void db_parameters_free(struct db_parameters *parameters) {
    for (size_t i = 0; i < parameters->endpoint_count; i++) {
        free(parameters->endpoints[i].host);
        free(parameters->endpoints[i].hostaddr);
        free(parameters->endpoints[i].port);
    }
    free(parameters->endpoints);
}

static void append_value(struct text *out, const PQconninfoOption *options, const char *keyword, const char *other) {
    const char *value = db_parameter(options, keyword);
    text_append_string(out, value == NULL ? other : value);
}

bool db_identity_read(const char *conninfo, struct db_identity *out, struct text *problem) {
    *out = (struct db_identity){0};
    PQconninfoOption *options = url_is_well_formed(conninfo, problem) ? db_parameters_merge(conninfo, problem) : NULL;
    if (options == NULL) {
        return false;
    }
    append_value(&out->user, options, "user", "");
    append_value(&out->password, options, "password", "");
    append_value(&out->database, options, "dbname", text_terminated(&out->user)); // as libpq does
    const char *hosts = db_parameter(options, "hostaddr");
    char *host = copy_element(hosts == NULL ? db_parameter(options, "host") : hosts, 0);
    char *port = copy_element(db_parameter(options, "port"), 0);
    text_append_string(&out->host, host == NULL ? "" : host);
    text_append_string(&out->port, port == NULL ? "" : port);
    free(host);
    free(port);
    PQconninfoFree(options);
    return true;
}

void db_identity_free(struct db_identity *identity) {
    text_free(&identity->user);
    text_free(&identity->password);
    text_free(&identity->database);
    text_free(&identity->host);
    text_free(&identity->port);
}

bool db_url_check(const char *url, struct text *problem) {
    struct db_parameters parameters;
    bool good = db_parameters_read(url, &parameters, problem);
    db_parameters_free(&parameters);
    return good;
}
