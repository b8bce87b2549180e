// database: sessions without a database. tests/api tests sessions with a real one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/database/database.h"
#include "workers/database/statement_trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

// Accepts connections like a PostgreSQL server, but never answers.
struct silent_server {
    int descriptor;
    char url[64];
};

static void silent_server_start(struct silent_server *server) {
    server->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(server->descriptor >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(server->descriptor, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server->descriptor, 8), 0);
    assert_int_equal(getsockname(server->descriptor, (struct sockaddr *)&address, &length), 0);
    (void)snprintf(server->url, sizeof server->url, "postgresql://127.0.0.1:%d/bank", ntohs(address.sin_port));
}

static bool was_connected_to(const struct silent_server *server) {
    int connection = accept(server->descriptor, NULL, NULL);
    assert_true(connection >= 0 || errno == EAGAIN);
    if (connection >= 0) {
        (void)close(connection);
    }
    return connection >= 0;
}

static enum db_status open_session(struct db *db) {
    struct statement_trace trace = {0};
    struct db_session *session = db_session_take(db);
    db_session_begin_job(session, &trace, 50, 50);
    bool was_open = true;
    enum db_status status = db_session_open(session, &was_open);
    assert_false(was_open);
    db_session_end_job(session);
    db_session_give(session);
    return status;
}

static void test_a_silent_database_is_unavailable(void **state) {
    (void)state;
    struct silent_server server;
    silent_server_start(&server);
    struct db *db = db_new(server.url, 1);
    assert_int_equal(open_session(db), DB_CONNECTION_LOST);
    assert_true(was_connected_to(&server));
    db_free(db);
    (void)close(server.descriptor);
}

static void test_nobody_connects_after_an_abort(void **state) {
    (void)state;
    struct silent_server server;
    silent_server_start(&server);
    struct db *db = db_new(server.url, 1);
    db_abort(db);
    assert_int_equal(open_session(db), DB_CONNECTION_LOST);
    assert_false(was_connected_to(&server));
    db_free(db);
    (void)close(server.descriptor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_database_is_unavailable),
        cmocka_unit_test(test_nobody_connects_after_an_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
