// Connects a session to one of the configured hosts. libpq can try a list of hosts and addresses itself, but it has no
// time limit for each one, and it blocks while it resolves a name. So this file tries each address with a connection
// of its own and a share of the time. Worker threads.
// db_connect() > try_endpoint() > resolve(), then attempt() for each address > connection_start(), connection_finish().
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ADDRESS_LENGTH 64 // an address as text, with the interface of a link-local one
#define ADDRESSES_MAX 16  // addresses of one name that are tried

struct search {
    struct db_session *session;
    struct text *reasons;
    const char *target; // replaces the user's target_session_attrs; NULL: it does not
    bool is_over;       // another host would refuse, too
};

static uint64_t share_of_time(uint64_t deadline_ns, size_t attempts) {
    uint64_t now = clock_monotonic_ns();
    return deadline_ns <= now ? deadline_ns : now + (deadline_ns - now) / attempts;
}

// True if libpq would read the password file. If its permissions are too open, libpq warns on stderr at each
// connection; the log has the warning once instead.
static bool password_file_is_fit(struct db *db) {
    struct stat found;
    const char *file = db->parameters.password_file;
    if (file[0] == '\0' || stat(file, &found) != 0) {
        return true; // libpq does not warn about a missing file
    }
    bool fit = S_ISREG(found.st_mode) && (found.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    bool was_fit = atomic_exchange(&db->password_file_was_fit, fit);
    if (!fit && was_fit) {
        log_write(LOG_LEVEL_WARN, NULL, "Password file %s is not read: %s", file,
                  S_ISREG(found.st_mode) ? "its permissions must be u=rw (0600) or less" : "it is not a plain file");
    }
    return fit;
}

// Later parameters replace earlier ones. So those before "dbname" (the URL) are defaults, and those behind it replace
// the URL's.
static PGconn *connection_start(struct db *db, const struct db_endpoint *endpoint, const char *address,
                                const char *target) {
    const char *keywords[] = {"fallback_application_name",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "dbname",
                              "client_encoding",
                              "host",
                              "hostaddr",
                              "port",
                              "passfile",
                              "target_session_attrs",
                              NULL};
    const char *values[] = {"bank-api",
                            "30",
                            "10",
                            "3",
                            "60000",
                            db->url,
                            "UTF8",
                            endpoint->host,
                            address,
                            endpoint->port,
                            password_file_is_fit(db) ? NULL : "/dev/null/none",
                            target,
                            NULL};
    return PQconnectStartParams(keywords, values, 1);
}

static bool connection_finish(struct db_session *session, uint64_t deadline_ns) {
    if (PQstatus(session->connection) == CONNECTION_BAD) {
        return false;
    }
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED ||
            !db_wait(session, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ns)) {
            return false;
        }
        next = PQconnectPoll(session->connection);
    }
    return PQsetnonblocking(session->connection, 1) == 0;
}

// libpq has no function for the SQLSTATE of a refused connection, but with PQERRORS_VERBOSE its message contains it:
// "FATAL:  53300: too many connections for role ...". A connection limit takes precedence over later errors.
static void remember_sqlstate(struct db_session *session, const char *words) {
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *at = words; (at = strstr(at, ":  ")) != NULL; at++) {
        const char *code = at + 3;
        bool is_code = strspn(code, letters) == SQLSTATE_LENGTH - 1 && code[SQLSTATE_LENGTH - 1] == ':';
        if (is_code && strcmp(session->sqlstate, SQLSTATE_CONNECTION_LIMIT) != 0) {
            memcpy(session->sqlstate, code, SQLSTATE_LENGTH - 1);
            session->sqlstate[SQLSTATE_LENGTH - 1] = '\0';
        }
    }
}

// Appends libpq's message without the name of the host. Hints, source lines and repeated lines are left out.
static bool append_words(struct text *out, const char *words) {
    struct slice last = {0};
    for (; *words != '\0'; words += strcspn(words, "\n"), words += *words == '\n') {
        struct slice line = {words, strcspn(words, "\n")};
        bool is_hint = line.length == 0 || strchr("\t ", line.data[0]) != NULL ||
                       slice_starts_with(line, SLICE_LITERAL("LOCATION:")) ||
                       slice_starts_with(line, SLICE_LITERAL("HINT:"));
        const char *failed = strstr(line.data, " failed: ");
        if (slice_starts_with(line, SLICE_LITERAL("connection to server ")) && failed != NULL &&
            failed < line.data + line.length) {
            size_t prefix = (size_t)(failed - line.data) + strlen(" failed: ");
            line = (struct slice){line.data + prefix, line.length - prefix};
        }
        if (!is_hint && line.length > 0 && !slice_equals(line, last)) {
            text_append_string(out, last.length > 0 ? "; " : "");
            text_append_slice(out, line);
            last = line;
        }
    }
    return last.length > 0;
}

static void name_endpoint(struct search *search, const struct db_endpoint *endpoint, const char *address) {
    struct text *out = search->reasons;
    text_append_string(out, out->length > 0 ? "; " : "");
    const char *host = endpoint->host != NULL ? endpoint->host : address;
    text_append_string(out, host == NULL ? "the local socket" : host);
    if (address != NULL && host != NULL && strcmp(host, address) != 0) {
        text_append_format(out, " (%s)", address);
    }
    if (endpoint->port != NULL) {
        text_append_format(out, " port %s", endpoint->port);
    }
    text_append_string(out, ": ");
}

static bool attempt(struct search *search, const struct db_endpoint *endpoint, const char *address,
                    uint64_t deadline_ns) {
    struct db_session *session = search->session;
    uint64_t limit_ns = session->db->parameters.connect_timeout_ns;
    uint64_t limited_ns = clock_monotonic_ns() + limit_ns;
    session->connection = connection_start(session->db, endpoint, address, search->target);
    CHECK(session->connection != NULL); // NULL means: out of memory
    (void)PQsetNoticeReceiver(session->connection, db_note_notice, session);
    (void)PQsetErrorVerbosity(session->connection, PQERRORS_VERBOSE);
    if (connection_finish(session, limit_ns > 0 && limited_ns < deadline_ns ? limited_ns : deadline_ns)) {
        (void)PQsetErrorVerbosity(session->connection, PQERRORS_DEFAULT);
        return true;
    }
    const char *words = PQerrorMessage(session->connection);
    name_endpoint(search, endpoint, address);
    if (!append_words(search->reasons, words)) {
        text_append_string(search->reasons, "no answer in time");
    }
    remember_sqlstate(session, words);
    // As in libpq, a server that refuses the user (class 28) ends the search.
    search->is_over = strncmp(session->sqlstate, "28", 2) == 0;
    db_session_close(session);
    return false;
}

static void shuffle(void *elements, size_t count, size_t size) {
    unsigned char *bytes = elements;
    for (size_t i = count; i > 1; i--) {
        unsigned char *last = bytes + (i - 1) * size;
        unsigned char *other = bytes + random_bits() % i * size;
        for (size_t byte = 0; byte < size; byte++) {
            unsigned char kept = last[byte];
            last[byte] = other[byte];
            other[byte] = kept;
        }
    }
}

static size_t list_addresses(const struct addrinfo *found, char out[][ADDRESS_LENGTH]) {
    size_t count = 0;
    for (; found != NULL && count < ADDRESSES_MAX; found = found->ai_next) {
        count += getnameinfo(found->ai_addr, found->ai_addrlen, out[count], ADDRESS_LENGTH, NULL, 0, NI_NUMERICHOST) ==
                 0;
    }
    return count;
}

static size_t resolve(struct search *search, size_t place, uint64_t deadline_ns, char out[][ADDRESS_LENGTH]) {
    struct db *db = search->session->db;
    int error = EAI_AGAIN;
    const struct addrinfo *found = NULL;
    struct db_lookup *lookup = db_lookup_begin(db, place);
    bool in_time = lookup == NULL || db_lookup_await(db, lookup, deadline_ns, &error, &found);
    size_t count = list_addresses(found, out);
    db_lookup_release(lookup);
    if (count == 0) {
        name_endpoint(search, &db->parameters.endpoints[place], NULL);
        text_append_format(search->reasons, "the name has no address: %s",
                           in_time ? gai_strerror(error) : "no answer from the name server in time");
    } else if (db->parameters.in_random_order) {
        shuffle(out, count, ADDRESS_LENGTH);
    }
    return count;
}

static bool has_to_be_resolved(const struct db_endpoint *endpoint) {
    return endpoint->hostaddr == NULL && endpoint->host != NULL && endpoint->host[0] != '/' && endpoint->host[0] != '@';
}

static bool try_endpoint(struct search *search, size_t place, uint64_t deadline_ns) {
    const struct db_endpoint *endpoint = &search->session->db->parameters.endpoints[place];
    if (!has_to_be_resolved(endpoint)) {
        return attempt(search, endpoint, endpoint->hostaddr, deadline_ns);
    }
    char addresses[ADDRESSES_MAX][ADDRESS_LENGTH];
    size_t count = resolve(search, place, deadline_ns, addresses);
    for (size_t i = 0; i < count && !search->is_over; i++) {
        if (attempt(search, endpoint, addresses[i], share_of_time(deadline_ns, count - i))) {
            return true;
        }
    }
    return false;
}

// Returns the places of the endpoints in the order in which they are tried; the caller frees it. The last known leader
// comes first: another host could be a former leader that hangs, or that does not know yet that it has lost its place.
static size_t *order_endpoints(struct db *db) {
    size_t count = db->parameters.endpoint_count;
    size_t leader = db->parameters.follows_leader ? atomic_load(&db->leader) : DB_NO_ENDPOINT;
    size_t *order = memory_allocate(count * sizeof *order);
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    if (db->parameters.in_random_order) {
        shuffle(order, count, sizeof *order);
    }
    for (size_t i = 1; i < count; i++) {
        if (order[i] == leader) {
            memmove(order + 1, order, i * sizeof *order);
            order[0] = leader;
        }
    }
    return order;
}

static void note_leader(struct db_session *session, size_t place) {
    struct db *db = session->db;
    session->endpoint = place;
    size_t before = atomic_exchange(&db->leader, place);
    if (db->parameters.follows_leader && before != place && before != DB_NO_ENDPOINT) {
        log_write(LOG_LEVEL_WARN, NULL,
                  "Database: another host takes the writes now (host %zu of %zu); the sessions "
                  "with the former one are given up",
                  place + 1, db->parameters.endpoint_count);
    }
}

bool db_connect(struct db_session *session, uint64_t deadline_ns, struct text *reasons) {
    const struct db_parameters *parameters = &session->db->parameters;
    struct search search = {.session = session, .reasons = reasons};
    size_t count = parameters->endpoint_count;
    size_t passes = parameters->prefers_standby ? 2 : 1; // first only standbys, then any server
    size_t *order = order_endpoints(session->db);
    bool connected = false;
    session->sqlstate[0] = '\0';
    for (size_t i = 0; i < passes * count && !connected && !search.is_over && !db_is_aborted(session->db); i++) {
        search.target = passes == 1 ? NULL : i < count ? "standby" : "any";
        connected = try_endpoint(&search, order[i % count], share_of_time(deadline_ns, passes * count - i));
        if (connected) {
            note_leader(session, order[i % count]);
        }
    }
    free(order);
    return connected;
}
