// Query parameters, from a handler's point of view. Loop thread.
#include "server/api/parameters.h"

#include "server/http/http.h"

bool parameters_are_usable(struct exchange *exchange, struct query *query) {
    bool usable = query_finish(query);
    if (!usable) {
        conn_respond_problem(exchange->conn, 422, "%s", text_terminated(&query->problem));
    }
    query_free(query);
    return usable;
}

bool parameters_are_absent(struct exchange *exchange) {
    struct query query;
    query_parse(&query, exchange->request->query);
    return parameters_are_usable(exchange, &query);
}
