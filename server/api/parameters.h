// How a handler reads the parameters of its query and its path. Loop thread.
//
// Each function returns false if a parameter cannot be used; then the client has its answer, which says what to change.
#ifndef SERVER_API_PARAMETERS_H
#define SERVER_API_PARAMETERS_H

#include "observability/base/base.h"
#include "server/api/exchange.h"
#include "server/http/http.h"

#include <stdbool.h>

// Ends the reading of a query.
MUST_CHECK bool parameters_are_usable(struct exchange *exchange, struct query *query);

// For a route that takes no parameters.
MUST_CHECK bool parameters_are_absent(struct exchange *exchange);

// For a route whose only parameter is `limit`, a number from 1 to `most`.
MUST_CHECK bool parameters_take_limit(struct exchange *exchange, unsigned most, unsigned *limit);

// For a route whose only parameter is a boolean. `out` keeps its value if the parameter is absent.
MUST_CHECK bool parameters_take_boolean(struct exchange *exchange, const char *name, bool *out);

// Decodes the parameter of the path and appends it; `what` names it in the answer: "account id".
MUST_CHECK bool parameters_take_path(struct exchange *exchange, const char *what, struct text *out);

// True if the text has the form of a transfer id. If it has not, the answer begins with the sentence below, and a path
// that lists such ids follows.
MUST_CHECK bool is_transfer_id(struct slice id);
#define NOT_A_TRANSFER_ID "A transfer id has eight hexadecimal digits in lower case, such as 0123abcd: "

#endif
