// Reads the parameters of queries and paths. Loop thread.
#include "server/api/parameters.h"

#include "workers/limits.h"

#include <string.h>

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

bool parameters_take_limit(struct exchange *exchange, unsigned most, unsigned *limit) {
    int64_t value = *limit;
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_integer(&query, "limit", 1, most, &value);
    if (!parameters_are_usable(exchange, &query)) {
        return false;
    }
    *limit = (unsigned)value;
    return true;
}

bool parameters_take_boolean(struct exchange *exchange, const char *name, bool *out) {
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_boolean(&query, name, out);
    return parameters_are_usable(exchange, &query);
}

bool is_transfer_id(struct slice id) {
    for (size_t i = 0; i < id.length; i++) {
        char c = id.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return false;
        }
    }
    return id.length == TRANSFER_ID_LENGTH;
}

bool parameters_take_path(struct exchange *exchange, const char *what, struct text *out) {
    bool good = percent_decode(exchange->parameter, false, out) && slice_is_utf8(text_slice(out));
    if (!good) {
        conn_respond_problem(exchange->conn, 400, "The %s in the path is not percent-encoded UTF-8", what);
    }
    return good;
}
