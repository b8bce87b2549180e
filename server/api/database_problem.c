// 503 while it is unavailable, 504 while it is too slow, 500 for what we did not foresee. Loop thread.
#include "server/api/database_problem.h"

#include "server/api/api.h"
#include "server/api/exchange.h"

void respond_database_problem(struct conn *conn, enum db_status status) {
    database_watch_report(&api_of(conn)->watch, status);
    switch (status) {
    case DB_CONNECTION_LOST:
    case DB_NOT_SENT:
    case DB_UNAVAILABLE:
    case DB_STALE: conn_respond_problem(conn, 503, "The database is unavailable: try again in a moment"); return;
    case DB_TIMED_OUT:
        conn_respond_problem(conn, 504, "The database took too long: try again when it is less busy");
        return;
    case DB_CONFLICT:
        conn_respond_problem(conn, 503, "Other transactions were changing the same rows: try again");
        return;
    case DB_NOT_ASKED:
        conn_respond_problem(conn, 503, "%s, so this request was not run: try again in a moment",
                             conn->context->is_stopping ? "The server is stopping"
                                                        : "Too many requests of this kind are waiting");
        return;
    case DB_NOT_REPRESENTABLE:
    case DB_OUT_OF_RANGE:
    case DB_CONDITION_FAILED:
    case DB_NULL_REFUSED:
    case DB_DUPLICATE:
    case DB_ROLLED_BACK:
    case DB_FAILED:
        conn_respond_problem(conn, 500, "The database refused the statement: its message is in the server's log");
        return;
    case DB_OK: break;
    }
    CHECK(false);
}
